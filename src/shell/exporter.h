// A page for Prometheus, on loopback only.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace culprit {

class Exporter {
 public:
  // `address`: "9100" or "127.0.0.1:9100", of loopback. Errors: usage (another address), system (it is taken).
  static Result<std::unique_ptr<Exporter>> start(const std::string& address);
  ~Exporter();

  void set_page(std::string page);  // of /metrics, from now on

 private:
  struct State;
  explicit Exporter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace culprit
