#include "attached_programs.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/syscall.h"
#include "format/procfs.h"
#include "target/ptrace_threads.h"

namespace culprit {
namespace {

std::string read_link(const std::string& path) {
  char target[4096];
  ssize_t length = readlink(path.c_str(), target, sizeof target);
  return length < 0 ? "" : std::string(target, static_cast<size_t>(length));
}

bool is_mapped_as_in_file(uint32_t pid, const MapsEntry& entry) {
  std::string mapped(entry.end - entry.start, '\0'), stored = mapped;
  auto memory = open_file("/proc/" + std::to_string(pid) + "/mem", O_RDONLY), file = open_file(entry.path, O_RDONLY);
  return memory && file &&
         pread(memory->get(), mapped.data(), mapped.size(), static_cast<off_t>(entry.start)) ==
             static_cast<ssize_t>(mapped.size()) &&
         pread(file->get(), stored.data(), stored.size(), static_cast<off_t>(entry.offset)) > 0 && mapped == stored;
}

}  // namespace

std::string victim_program() { return CULPRIT_PROGRAMS "/attach_victim"; }

VictimProgram::VictimProgram(const std::vector<std::string>& arguments) {
  int in[2], out[2], executed[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(executed, O_CLOEXEC) != 0) abort();
  std::vector<char*> words;
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(in[0], 0);
    dup2(out[1], 1);
    execv(words[0], words.data());
    _exit(99);
  }
  for (int number : {in[0], out[1], executed[1]}) close(number);
  char byte = 0;
  EXPECT_EQ(read(executed[0], &byte, 1), 0);
  close(executed[0]);
  to_ = in[1];
  from_ = out[0];
}

VictimProgram::~VictimProgram() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(to_);
  close(from_);
}

bool VictimProgram::is_running() const {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

void VictimProgram::tell() { EXPECT_EQ(write(to_, "\n", 1), 1); }

std::string VictimProgram::hear() {
  std::string line;
  for (char byte = 0; read(from_, &byte, 1) == 1 && byte != '\n';) line += byte;
  return line;
}

bool VictimProgram::has_said_something() const {
  pollfd entry{from_, POLLIN, 0};
  return poll(&entry, 1, 0) > 0;
}

std::string VictimProgram::end() {
  close(std::exchange(to_, -1));
  std::string last;
  for (std::string line = hear(); !line.empty(); line = hear()) last = line;
  int status = 0;
  waitpid(std::exchange(pid_, -1), &status, 0);
  return WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status)) : last;
}

ProcessLook look_at(uint32_t pid) {
  ProcessLook look;
  std::string folder = "/proc/" + std::to_string(pid);
  auto maps = read_whole_file(folder + "/maps");
  if (maps) look.maps = *maps;
  for (const MapsEntry& entry : parse_maps(look.maps)) {
    bool is_libc = entry.is_executable && entry.path.ends_with("/libc.so.6");
    if (is_libc) look.is_code_as_in_file = is_mapped_as_in_file(pid, entry);
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder + "/fd"))
    look.handles.insert(entry.path().filename().string() + " " + read_link(entry.path()));
  look.threads = threads_of(pid).size();
  return look;
}

AgentAtWork::AgentAtWork(uint32_t pid, WatchRequest request) {
  request.pids = {pid};
  AgentLibraries libraries;
  libraries.patching = CULPRIT_AGENT;
  auto started = start_agent_recorder(request, libraries, events.tables, events);
  if (started)
    recorder = std::move(*started);
  else
    error = started.error();
}

std::vector<std::string> AgentAtWork::stack(StackId id) const {
  std::vector<std::string> names;
  for (const Frame& frame : events.tables.stacks.frames(id)) {
    const std::string& path = events.tables.module(frame.module).path;
    names.push_back(path.substr(path.rfind('/') + 1) + "+" + std::to_string(frame.offset));
  }
  return names;
}

}  // namespace culprit
