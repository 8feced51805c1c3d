// A crash that `culprit catch` kept, and how it is told.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace culprit {

struct CaughtCrash {
  uint64_t number = 0;
  int64_t time = 0;  // seconds since 1970
  std::string program;
  uint32_t pid = 0;  // 0: unknown
  std::string signal;
  std::string sentence, bucket;  // empty: there is no page; then `problem` says why
  std::string problem;
  uint64_t core_bytes = 0;  // of the small core that was kept; 0: none
  double seconds = 0;       // that it took
  bool is_finished = true;  // false: whoever wrote it was killed, or is still at work
  bool is_damaged = false;  // its crash.json cannot be read: only `number` and `is_finished` are known
};

// What the list begins with.
struct CatchState {
  std::string folder;
  bool is_installed = false;
  std::string pattern;                // of the kernel
  std::optional<std::string> former;  // what that was before it was installed; nothing: not known
  uint64_t not_looked_at = 0;         // crashes that came too many at a time, or found no room
  std::string settings_problem;  // why the usual bounds hold instead of those that were asked for; empty: they do not
};

std::string caught_as_json(const CaughtCrash& crash);
std::optional<CaughtCrash> caught_from_json(std::string_view text);  // nothing: not what caught_as_json wrote

std::string caught_list_as_text(const CatchState& state, const std::vector<CaughtCrash>& crashes);
std::string caught_list_as_json(const CatchState& state, const std::vector<CaughtCrash>& crashes);

}  // namespace culprit
