// Programs that stand still with a heap that they have told about, and what `culprit heap` says of them.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <optional>
#include <regex>
#include <string>
#include <utility>

#include "support/run_culprit.h"

namespace culprit::test {

// A program of tests/programs that has made its heap, with what it says of it.
struct HeapProgram {
  explicit HeapProgram(const std::string& name, const std::string& mode, const Words& more = {})
      : running(words_for(name, mode, folder / "said", more)) {
    EXPECT_TRUE(wait_for_file(folder / "said")) << mode;
    std::ifstream lines(folder / "said");
    for (std::string key, value; lines >> key >> value;) said[key] = value;
  }
  std::string pid() const { return std::to_string(running.pid()); }
  uint64_t number(const std::string& key) const { return std::stoull(said.at(key), nullptr, 0); }

  TemporaryFolder folder;
  Running running;
  std::map<std::string, std::string> said;

 private:
  static Words words_for(const std::string& name, const std::string& mode, const std::string& file, const Words& more) {
    Words words{program(name), mode, file};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
};

inline Ran ask_heap_for_text(const Words& options) {
  Words words{culprit_path(), "heap"};
  words.insert(words.end(), options.begin(), options.end());
  return run(words);
}

inline Json ask_heap(const Words& options) {
  Words words{"--json"};
  words.insert(words.end(), options.begin(), options.end());
  Ran ran = ask_heap_for_text(words);
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  return Json::parse(ran.out, nullptr, false);
}

// By gdb, which must be there.
inline std::string core_of_process(const std::string& pid, const TemporaryFolder& folder) {
  const std::string core = folder / "core";
  Ran gdb = run({tool("gdb"), "-nx", "-batch", "-p", pid, "-ex", "gcore " + core});
  EXPECT_EQ(gdb.ending(), "exit 0") << gdb.err;
  return core;
}

struct Leaked {
  uint64_t count = 0, bytes = 0;
  bool operator==(const Leaked&) const = default;
};
inline void PrintTo(const Leaked& leaked, std::ostream* out) { *out << leaked.bytes << " bytes in " << leaked.count; }

// What LeakSanitizer says of a program that was built with it, and exits with `found` if it finds a leak and else with
// 0. Nothing: it does not work here.
inline std::optional<Leaked> verdict_of_leak_sanitizer(const Words& command, int found) {
  const Ran ran = run(command, {.environment = {"LSAN_OPTIONS=exitcode=" + std::to_string(found)}});
  std::smatch match;
  static const std::regex summary("SUMMARY: LeakSanitizer: (\\d+) byte\\(s\\) leaked in (\\d+) allocation");
  const bool has_leak = std::regex_search(ran.err, match, summary);
  if (ran.exit_code() != (has_leak ? found : 0)) return {};
  return has_leak ? Leaked{std::stoull(match[2]), std::stoull(match[1])} : Leaked{};
}

}  // namespace culprit::test
