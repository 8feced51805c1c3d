// Where background recorders and those who speak to them meet: one folder of the user, and in it for each recorder
//
//   NAME.lock   locked (flock) as long as it is at work: so one that died is known, whatever it left behind
//   NAME.sock   takes requests
//   NAME.json   what was last known of it; stays when it ends by itself, until somebody has asked
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "view/recorder_report.h"

namespace culprit {

class RecorderFolder {
 public:
  // $XDG_RUNTIME_DIR/culprit, else /run/culprit for root, /tmp/culprit-UID for others. Made if need be, for this user
  // alone; refused when somebody else could write there.
  static Result<RecorderFolder> open();
  explicit RecorderFolder(std::string path) : path_(std::move(path)) {}

  // The lock of that name, or of NAME-2, NAME-3 … where it is taken; `name` becomes the one that was free.
  Result<Fd> lock_free_name(std::string& name) const;
  bool is_at_work(const std::string& name) const;

  // Takes the place of what a dead recorder left.
  Result<Fd> listen(const std::string& name) const;
  // Sends one word, waits for the whole answer. Errors: gone.
  Result<std::string> ask(const std::string& name, std::string_view request) const;

  Result<void> write_card(const RecorderReport& report) const;
  // All that are known, by name; those that were killed are said to have died.
  std::vector<RecorderReport> cards() const;
  void forget(const std::string& name) const;

  const std::string& path() const { return path_; }

 private:
  std::string file(const std::string& name, std::string_view ending) const;
  std::optional<Fd> try_lock(const std::string& name) const;

  std::string path_;
};

}  // namespace culprit
