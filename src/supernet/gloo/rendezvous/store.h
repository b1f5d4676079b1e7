#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace gloo::rendezvous {
// The base of a class that libtorch declares, in its own order.
class Store {
  public:
    virtual ~Store() = 0;
    virtual void set(const std::string &key, const std::vector<char> &data) = 0;
    virtual std::vector<char> get(const std::string &key) = 0;
    virtual void wait(const std::vector<std::string> &keys) = 0;
    virtual void wait(const std::vector<std::string> &keys, const std::chrono::milliseconds &timeout) { (void)timeout, wait(keys); }
};
}  // namespace gloo::rendezvous
