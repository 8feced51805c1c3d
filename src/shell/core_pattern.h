// Putting the handler of crashes into the kernel's core_pattern (core(5)), and taking it out.
#pragma once

#include <string>

#include "base/result.h"
#include "shell/catch_folder.h"

namespace culprit {

class CorePattern {
 public:
  explicit CorePattern(const CatchFolder& folder) : folder_(folder) {}

  std::string current() const;  // as the kernel has it, without the newline
  std::string former() const;   // what stood there before install(); empty: nothing is known to
  bool is_installed() const;    // what stands there is what install() wrote
  // Remembers what stands there, on disk, before it writes. usage: it is installed; unsupported: the line would be too
  // long for the kernel, or a path has a space; no_access.
  Result<void> install() const;
  // Puts back what stood there, if nobody has changed it meanwhile: then it stays (ErrorKind::usage, and says what is
  // there and what was). not_found: it was not installed.
  Result<void> uninstall() const;

 private:
  const CatchFolder& folder_;
};

}  // namespace culprit
