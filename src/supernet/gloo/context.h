// libtorch has gloo inside, and not its headers. What the header of its ProcessGroupGloo needs of them is names behind pointers, and the
// functions that it calls, which libtorch has. c10d.cpp checks that the class has the size that it has there.
#pragma once

#include <chrono>
#include <memory>

namespace gloo {
class Context {
  public:
    void setTimeout(std::chrono::milliseconds timeout);
};
namespace transport {
class Device;
class UnboundBuffer {
  public:
    virtual ~UnboundBuffer() = 0;
};
}  // namespace transport
}  // namespace gloo
