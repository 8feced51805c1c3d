// Running programs, natively and under the culprit that was built, for end-to-end tests. Nothing started here outlives
// the test: the test program adopts orphans and kills what is left of a run when the run is over.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace culprit::test {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

struct RunOptions {
  std::string input;                   // standard input
  Words environment;                   // "NAME=value", in addition to the test's own
  std::string directory;               // to start in; empty: the test's
  bool own_group = true;               // a process group of its own
  std::function<void()> in_child;      // between fork and exec; async-signal-safe calls only
  std::chrono::seconds patience{120};  // a safety net, far beyond what any run takes
};

struct Ran {
  int wait_status = -1;
  bool timed_out = false;
  std::string out, err;

  int exit_code() const;       // -1: did not exit
  int signal() const;          // 0: was not killed
  std::string ending() const;  // "exit 3", "signal 9", "timed out": for comparing and for messages
};

// One program that is running. Standard output and error go to memory.
class Running {
 public:
  explicit Running(const Words& command, const RunOptions& options = {});
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running();  // kills it, and whatever it left behind

  pid_t pid() const { return pid_; }
  std::vector<pid_t> children() const;
  // Blocks until it ends; kills what it left behind.
  Ran wait();

 private:
  pid_t pid_ = -1;
  int out_ = -1, err_ = -1;
  std::chrono::seconds patience_;
  bool ended_ = false;
};

Ran run(const Words& command, const RunOptions& options = {});
std::vector<pid_t> children_of(pid_t pid);
// Waits for a process that the test program has adopted; its wait status, -1 if it is none of ours or does not end.
int wait_for_adopted(pid_t pid, std::chrono::seconds patience = std::chrono::seconds(120));

class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string contents(const std::string& path);                     // empty when it cannot be read
void write_file(const std::string& path, std::string_view bytes);  // a failure fails the test
bool wait_for_file(const std::string& path);                       // until it is there; false: it never came

std::string culprit_path();
std::string program(std::string_view name);  // one of tests/programs, built
std::string tool(std::string_view name);     // a program of the machine, by PATH; empty: not there

// The back end that is tested: "agent", or what CULPRIT_TEST_VIA says.
std::string back_end();

// `culprit run [options] -- command`, by the back end that is tested.
Words under_culprit(const Words& options, const Words& command);

// A run with its full JSON report (--json --all); `report` is null when there is none.
struct Watched {
  Ran ran;
  Json report;
};
Watched watch(const Words& command, const RunOptions& options = {}, const Words& culprit_options = {});

// Questions to a report. Functions are compared without their parameter lists.
bool on_stack(const Json& stack, std::string_view function);
struct Made {
  uint64_t created = 0, closed = 0, outstanding = 0;
  bool operator==(const Made&) const = default;
};
// Of the groups with `function` on their stack, and without `but_not`.
Made made_under(const Json& report, std::string_view function, std::string_view but_not = "");
uint64_t loss(const Json& report, std::string_view kind);
uint64_t partial_losses(const Json& report);  // sum of those which make a result inexact
// The handles of `pid` that nothing in the program closed, by value.
std::map<int64_t, Json> left_open(const Json& report, pid_t pid);
const Json& creating_stack(const Json& report, const Json& handle);
pid_t launched_pid(const Json& report);

}  // namespace culprit::test
