// Programs to be attached to, and what they look like from outside. Nothing started here outlives its test.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "capture/agent_attach.h"
#include "collected_events.h"

namespace culprit {

// tests/programs/attach_victim, or any other program.
class VictimProgram {
 public:
  explicit VictimProgram(const std::vector<std::string>& arguments);
  ~VictimProgram();
  VictimProgram(const VictimProgram&) = delete;
  VictimProgram& operator=(const VictimProgram&) = delete;

  uint32_t pid() const { return static_cast<uint32_t>(pid_); }
  bool is_running() const;
  void tell();         // a line on its standard input
  std::string hear();  // the next line of its standard output; "" at its end
  bool has_said_something() const;
  // Lets it come to its end. What it said last: "fine" when nothing was wrong in it.
  std::string end();

 private:
  pid_t pid_ = -1;
  int to_ = -1, from_ = -1;
};

std::string victim_program();

// Asks until it is so; the bound is a safety net, far beyond what anything takes.
template <typename Condition>
bool comes_true(Condition condition) {
  for (int look = 0; look < 20'000; ++look, usleep(1'000)) {
    if (condition()) return true;
  }
  return false;
}

// What detaching has to leave as it was.
struct ProcessLook {
  std::string maps;
  std::set<std::string> handles;  // number and target
  size_t threads = 0;
  bool is_code_as_in_file = false;  // libc's

  bool operator==(const ProcessLook&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const ProcessLook& look) {
    for (const std::string& handle : look.handles) out << handle << '\n';
    return out << look.threads << " threads, code " << (look.is_code_as_in_file ? "" : "not ") << "as in the file\n"
               << look.maps;
  }
};
ProcessLook look_at(uint32_t pid);

// The agent back end at work on one process.
struct AgentAtWork {
  explicit AgentAtWork(uint32_t pid) : AgentAtWork(pid, WatchRequest{}) {}
  // The rest of `request` as it says.
  AgentAtWork(uint32_t pid, WatchRequest request);
  // Goes on recording until `is_done`.
  template <typename Done>
  void until(Done is_done) {
    while (recorder->has_targets() && !is_done())
      if (!recorder->round()) recorder->sleep(std::chrono::milliseconds(1));
  }
  void until_heard(const VictimProgram& victim) {
    until([&] { return victim.has_said_something(); });
  }
  // All frames of a stack, innermost first: "module+offset".
  std::vector<std::string> stack(StackId id) const;

  CollectedEvents events;
  Error error;
  std::unique_ptr<LiveRecorder> recorder;  // null: error says why
};

// Attaches, does `work` with it, and detaches.
template <typename Work>
void attached_to(uint32_t pid, Work work) {
  AgentAtWork agent(pid);
  ASSERT_NE(agent.recorder, nullptr) << agent.error.what;
  work(agent);
  agent.recorder->finish();
  EXPECT_EQ(agent.recorder->status().left_behind, "");
}
inline void attach_and_detach(uint32_t pid) {
  attached_to(pid, [](AgentAtWork&) {});
}

}  // namespace culprit
