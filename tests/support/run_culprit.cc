#include "support/run_culprit.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

namespace culprit::test {

namespace {

// Started by a Running that still lives; everything else among our children was left behind by something.
std::set<pid_t>& running_now() {
  static std::set<pid_t> pids;
  return pids;
}

void become_subreaper() {
  static bool done = ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
  if (!done) ADD_FAILURE() << "cannot adopt orphans";
}

void kill_tree(pid_t pid) {
  for (pid_t child : children_of(pid)) kill_tree(child);
  ::kill(pid, SIGKILL);
}

// Killing a parent hands us its children, so go on until none is left.
void kill_orphans() {
  for (int round = 0; round < 1000; round++) {
    bool found = false;
    for (pid_t child : children_of(::getpid())) {
      if (running_now().contains(child)) continue;
      found = true;
      kill_tree(child);
      ::waitpid(child, nullptr, 0);
    }
    if (!found) return;
  }
}

bool ended_within(pid_t pid, std::chrono::seconds patience) {
  int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) return false;
  pollfd waiting{pidfd, POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, static_cast<int>(std::chrono::milliseconds(patience).count()));
  } while (ready < 0 && errno == EINTR);
  ::close(pidfd);
  return ready == 1;
}

std::string read_from_start(int fd) {
  std::string text;
  char piece[65536];
  ssize_t length = 0;
  while ((length = ::pread(fd, piece, sizeof piece, static_cast<off_t>(text.size()))) > 0)
    text.append(piece, static_cast<size_t>(length));
  return text;
}

std::vector<char*> pointers(const Words& words) {
  std::vector<char*> list;
  for (const std::string& word : words) list.push_back(const_cast<char*>(word.c_str()));
  list.push_back(nullptr);
  return list;
}

Words environment_with(const Words& additions) {
  Words all;
  for (char** variable = environ; *variable != nullptr; variable++) all.emplace_back(*variable);
  for (const std::string& addition : additions) {
    std::string name = addition.substr(0, addition.find('=') + 1);
    std::erase_if(all, [&](const std::string& old) { return old.starts_with(name); });
    all.push_back(addition);
  }
  return all;
}

std::string_view without_parameters(std::string_view function) { return function.substr(0, function.find('(', 1)); }

}  // namespace

int Ran::exit_code() const { return !timed_out && WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1; }
int Ran::signal() const { return !timed_out && WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0; }
std::string Ran::ending() const {
  if (timed_out) return "timed out";
  return signal() != 0 ? "signal " + std::to_string(signal()) : "exit " + std::to_string(exit_code());
}

Running::Running(const Words& command, const RunOptions& options) : patience_(options.patience) {
  become_subreaper();
  out_ = ::memfd_create("standard output", MFD_CLOEXEC);
  err_ = ::memfd_create("standard error", MFD_CLOEXEC);
  int input = ::memfd_create("standard input", MFD_CLOEXEC);
  if (::pwrite(input, options.input.data(), options.input.size(), 0) != static_cast<ssize_t>(options.input.size()))
    ADD_FAILURE() << "no memory for standard input";
  Words environment = environment_with(options.environment);
  std::vector<char*> arguments = pointers(command), variables = pointers(environment);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (options.own_group) ::setpgid(0, 0);
    if (!options.directory.empty() && ::chdir(options.directory.c_str()) != 0) ::_exit(125);
    ::dup2(input, 0), ::dup2(out_, 1), ::dup2(err_, 2);
    ::close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    if (options.in_child) options.in_child();
    ::prctl(PR_SET_PDEATHSIG, 0);  // must look the same to whoever asks; the test program kills what it leaves
    ::execvpe(arguments[0], arguments.data(), variables.data());
    ::_exit(124);
  }
  if (options.own_group) ::setpgid(pid_, pid_);
  ::close(input);
  if (pid_ < 0) ADD_FAILURE() << "cannot fork";
  running_now().insert(pid_);
}

Running::~Running() {
  if (!ended_) {
    kill_tree(pid_);
    ::waitpid(pid_, nullptr, 0);
    running_now().erase(pid_);
    kill_orphans();
  }
  ::close(out_), ::close(err_);
}

std::vector<pid_t> Running::children() const { return children_of(pid_); }

Ran Running::wait() {
  Ran ran;
  ran.timed_out = !ended_within(pid_, patience_);
  if (ran.timed_out) kill_tree(pid_);
  ::waitpid(pid_, &ran.wait_status, 0);
  running_now().erase(pid_);
  ended_ = true;
  if (ran.timed_out) kill_orphans();
  ran.out = read_from_start(out_);
  ran.err = read_from_start(err_);
  return ran;
}

Ran run(const Words& command, const RunOptions& options) {
  Running running(command, options);
  Ran ran = running.wait();
  kill_orphans();
  return ran;
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", error)) {
    std::istringstream list(contents(task.path().string() + "/children"));
    for (pid_t child; list >> child;) children.push_back(child);
  }
  return children;
}

int wait_for_adopted(pid_t pid, std::chrono::seconds patience) {
  int status = -1;
  if (!ended_within(pid, patience) || ::waitpid(pid, &status, 0) != pid) return -1;
  return status;
}

TemporaryFolder::TemporaryFolder() {
  char path[] = "/tmp/culprit_test_XXXXXX";
  if (::mkdtemp(path) == nullptr) ADD_FAILURE() << "cannot make a folder in /tmp";
  path_ = path;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) ADD_FAILURE() << "cannot write " << path;
}

bool wait_for_file(const std::string& path) {
  for (int i = 0; i < 60'000; i++) {
    if (::access(path.c_str(), F_OK) == 0) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

std::string culprit_path() {
  const char* other = std::getenv("CULPRIT");
  return other != nullptr ? other : CULPRIT_BUILT;
}

std::string program(std::string_view name) { return std::string(CULPRIT_PROGRAMS "/").append(name); }

std::string tool(std::string_view name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(std::string(path == nullptr ? "" : path) + ":/usr/sbin:/sbin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string candidate = (folder + "/").append(name);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

std::string back_end() {
  const char* chosen = getenv("CULPRIT_TEST_VIA");
  return chosen != nullptr ? chosen : "agent";
}

namespace {

// Where the back end that is tested cannot work (no root, no BPF), all tests of it are skipped, with culprit's reason.
class BackEndWorks : public ::testing::Environment {
 public:
  void SetUp() override {
    if (back_end() == "agent") return;
    Ran ran = run({culprit_path(), "run", "--via", back_end(), "--", "true"});
    if (ran.ending() != "exit 0") GTEST_SKIP() << back_end() << " does not work here: " << ran.err;
  }
};
const auto* const back_end_works = ::testing::AddGlobalTestEnvironment(new BackEndWorks);

}  // namespace

Words under_culprit(const Words& options, const Words& command) {
  Words words{culprit_path(), "run"};
  if (back_end() != "agent") words.insert(words.end(), {"--via", back_end()});
  words.insert(words.end(), options.begin(), options.end());
  words.emplace_back("--");
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

Watched watch(const Words& command, const RunOptions& options, const Words& culprit_options) {
  TemporaryFolder folder;
  Words all{"--json", "--all", "--report", folder / "report.json"};
  all.insert(all.end(), culprit_options.begin(), culprit_options.end());
  Watched watched;
  watched.ran = run(under_culprit(all, command), options);
  watched.report = Json::parse(contents(folder / "report.json"), nullptr, false);
  if (watched.report.is_discarded()) {
    ADD_FAILURE() << "no report of " << command[0] << ": " << watched.ran.ending() << "\n" << watched.ran.err;
    watched.report = Json::object();
  }
  return watched;
}

bool on_stack(const Json& stack, std::string_view function) {
  if (function.empty()) return false;
  return std::ranges::any_of(stack, [&](const Json& frame) {
    return without_parameters(frame.at("function").get_ref<const std::string&>()) == function;
  });
}

Made made_under(const Json& report, std::string_view function, std::string_view but_not) {
  Made sum;
  for (const Json& group : report.value("groups", Json::array())) {
    if (!on_stack(group.at("stack"), function) || on_stack(group.at("stack"), but_not)) continue;
    sum.created += group.at("created").get<uint64_t>();
    sum.closed += group.at("closed").get<uint64_t>();
    sum.outstanding += group.at("count").get<uint64_t>();
  }
  return sum;
}

uint64_t loss(const Json& report, std::string_view kind) {
  uint64_t sum = 0;
  for (const Json& entry : report.value("losses", Json::array()))
    if (entry.at("kind") == kind) sum += entry.at("count").get<uint64_t>();
  return sum;
}

uint64_t partial_losses(const Json& report) {
  uint64_t sum = 0;
  for (const Json& entry : report.value("losses", Json::array()))
    if (entry.at("partial").get<bool>()) sum += entry.at("count").get<uint64_t>();
  return sum;
}

std::map<int64_t, Json> left_open(const Json& report, pid_t pid) {
  std::map<int64_t, Json> open;
  for (const Json& handle : report.value("handles", Json::array())) {
    const std::string& how = handle.at("how_closed").get_ref<const std::string&>();
    if ((how == "exit" || how == "still_open") && handle.at("owning").at("pid") == pid)
      open[handle.at("value").get<int64_t>()] = handle;
  }
  return open;
}

const Json& creating_stack(const Json& report, const Json& handle) {
  const Json& group = handle.at("group");
  return group.is_null() ? handle.at("stack") : report.at("groups").at(group.get<size_t>()).at("stack");
}

pid_t launched_pid(const Json& report) { return report.at("recording").at("pid").get<pid_t>(); }

}  // namespace culprit::test
