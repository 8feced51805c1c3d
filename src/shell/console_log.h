// What is shown at the console, kept in a file as well (.logopen).
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "shell/command.h"

namespace culprit {

class ConsoleLog {
 public:
  Result<void> open(const std::string& path, bool append);
  // False: none was open.
  bool close();
  bool is_open() const { return file_.get() >= 0; }
  const std::string& path() const { return path_; }
  // A prompt with the command typed behind it. Losing a log line is nothing to stop for: close() tells.
  void note(std::string_view text);
  int fd() const { return file_.get(); }

 private:
  Fd file_;
  std::string path_;
};

// While it lives, what is written to its streams goes where those of `before` lead, and into the log. Without a log
// (-1) they are the same as before. The log may be closed meanwhile.
class LoggedStreams {
 public:
  LoggedStreams(const Streams& before, int log);
  ~LoggedStreams();
  LoggedStreams(const LoggedStreams&) = delete;
  LoggedStreams& operator=(const LoggedStreams&) = delete;
  const Streams& streams() const { return streams_; }

 private:
  struct Copier;
  Streams streams_;
  Copier* copiers_[2] = {};  // of output and errors
};

}  // namespace culprit
