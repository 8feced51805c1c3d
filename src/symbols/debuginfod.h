// Asks the user's debuginfod servers for files by build id. libdebuginfod is loaded when it is first needed and may be
// missing. It keeps what it got in the user's cache (~/.cache/debuginfod_client), and that something does not exist.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace culprit {

enum class DebuginfodFile : uint8_t { executable, debuginfo };

class Debuginfod {
 public:
  // Never asks when not `allowed` or when $DEBUGINFOD_URLS is unset or empty.
  explicit Debuginfod(bool allowed);
  Debuginfod(Debuginfod&&) noexcept;
  Debuginfod& operator=(Debuginfod&&) noexcept;
  ~Debuginfod();

  bool enabled() const;

  // The path of the file in the cache. Waits for the network, but not for servers that say nothing for 15 seconds; and
  // after such a failure asks no more. ErrorKind::not_found: the servers do not have it; unsupported: not enabled, or
  // libdebuginfod is not installed.
  Result<std::string> fetch(const std::string& build_id, DebuginfodFile which);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace culprit
