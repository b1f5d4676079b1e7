// libtorch has gloo inside, and not its headers. What those of its ProcessGroupGloo need of them is names behind pointers; nothing here is
// called by us. c10d.cpp checks that the class has the size that it has inside libtorch.
#pragma once

#include <memory>

namespace gloo {
class Context;
namespace transport {
class Device;
class UnboundBuffer {
  public:
    virtual ~UnboundBuffer() = 0;
};
}  // namespace transport
}  // namespace gloo
