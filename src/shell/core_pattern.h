// Putting the handler of crashes into the kernel's core_pattern (core(5)), and taking it out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "shell/catch_folder.h"

namespace culprit {

// The folder where a handler keeps crashes that culprit has put into the kernel's line; nothing: the line is not
// culprit's. It tells even when everything else is lost.
std::optional<std::string> folder_in_pattern(std::string_view pattern);

class CorePattern {
 public:
  explicit CorePattern(const CatchFolder& folder) : folder_(folder) {}

  std::string current() const;                // as the kernel has it, without the newline
  std::optional<std::string> former() const;  // what stood there before install(); nothing: that is not known
  std::string former_place() const;           // the file that tells it
  bool is_installed() const;                  // the kernel's line is culprit's, with this folder

  // Remembers what stands there, on disk, before it writes; where culprit's own line stands, what stood there before
  // that. Makes the folder, and leaves none behind when it fails. unsupported: the line would be too long for the
  // kernel, or a path has a space; no_access.
  Result<void> install(const CatchSettings& settings) const;
  // Puts back what stood there, or the kernel's own "core" if that is not known, if nobody has changed it meanwhile:
  // then it stays (ErrorKind::usage, and says what is there and what was). not_found: it was not installed. Returns
  // whether it was known.
  Result<bool> uninstall() const;

 private:
  Result<std::string> own_line() const;
  Result<void> keep_former(const std::string& before) const;
  Result<void> write(int file, const std::string& pattern) const;

  const CatchFolder& folder_;
};

}  // namespace culprit
