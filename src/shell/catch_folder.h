// Where caught crashes are kept, bounded in number and room:
//
//   NUMBER/          page.txt page.json crash.json, and core if cores are kept
//   NUMBER.partial/  being written, or left by a handler that was killed
//   slot.N           locked (flock) by a handler at work: no more of them at a time than there are slots
//   settings.json    what is kept
//   former_pattern   of the kernel, while the handler is installed
//   missed           a line for each crash that was not looked at; beyond 1 MiB empty ones, so that it stays small
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "view/catch_report.h"

namespace culprit {

struct CatchSettings {
  uint64_t most_crashes = 100;
  uint64_t most_bytes = uint64_t{1} << 30;
  bool keeps_cores = false;
  std::string problem;  // why what is written does not count, so that these are the usual ones; empty: there is none
};

class CatchFolder {
 public:
  static constexpr std::string_view usual_place = "/var/lib/culprit/catch";

  explicit CatchFolder(std::string path) : path_(std::move(path)) {}
  const std::string& path() const { return path_; }

  // For its owner alone; it may be there already.
  Result<void> make() const;
  Result<void> write_settings(const CatchSettings& settings) const;
  CatchSettings settings() const;  // the usual ones where none are written

  // The lock of a free slot. limit: none is free.
  Result<Fd> take_slot() const;
  // A folder of its own for a new crash, named NUMBER.partial; `number` is set.
  Result<std::string> begin(uint64_t& number) const;
  Result<void> finish(uint64_t number) const;
  void abandon(uint64_t number) const;
  // Removes the oldest ones until what is kept is within the bounds. `newest` stays.
  void prune(const CatchSettings& settings, uint64_t newest) const;
  // One line, best effort.
  void note_missed(std::string_view line) const;

  // Oldest first; none where there is no folder. no_access: it cannot be read.
  Result<std::vector<CaughtCrash>> crashes() const;
  uint64_t missed() const;
  Result<std::string> read(uint64_t number, std::string_view file) const;

 private:
  Result<void> refuse_others() const;
  struct Entry {
    uint64_t number = 0;
    bool is_partial = false;
    std::string path;
  };
  Result<std::vector<Entry>> entries() const;  // ascending; none where there is no folder

  std::string path_;
};

}  // namespace culprit
