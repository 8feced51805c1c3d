#include "capture/launch.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/syscall.h"
#include "base/text.h"
#include "wire/agent_session.h"

namespace culprit {
namespace {

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

Error exec_error(const std::string& path, int error_number) {
  bool is_missing = error_number == ENOENT || error_number == ENOTDIR;
  // ENOENT although the file is there: the interpreter its first bytes name is not.
  const char* why =
      is_missing && access(path.c_str(), F_OK) == 0 ? "its interpreter does not exist" : strerror(error_number);
  return {is_missing ? ErrorKind::not_found : ErrorKind::no_access,
          fmt::format("{}: cannot be executed: {}", printable(path), why),
          {}};
}

// One that never came to execute. If it is traced, its stops may come to us, or its end to the tracer.
void end_child(pid_t child) {
  kill(child, SIGKILL);
  int status = 0;
  while (checked("wait for a process", [&] { return waitpid(child, &status, 0); }) && WIFSTOPPED(status)) {
  }
}

}  // namespace

std::vector<std::string> environment_with_agent(const std::string& agent_library, const std::string& session) {
  constexpr std::string_view preload = "LD_PRELOAD=";
  constexpr std::string_view variable = CULPRIT_SESSION_VARIABLE "=";
  std::vector<std::string> environment;
  std::string preloaded = agent_library;
  std::string sanitizer = CULPRIT_SANITIZER_ENTRY;
  constexpr std::string_view sanitizer_options = "ASAN_OPTIONS=";
  for (char** entry = environ; *entry != nullptr; entry++) {
    std::string_view text(*entry);
    if (text.starts_with(variable)) continue;
    if (text.starts_with(sanitizer_options)) sanitizer += fmt::format(":{}", text.substr(sanitizer_options.size()));
    if (!text.starts_with(preload)) {
      environment.emplace_back(text);
    } else if (text.size() > preload.size()) {
      preloaded += fmt::format(":{}", text.substr(preload.size()));
    }
  }
  environment.insert(environment.begin(), sanitizer);
  environment.push_back(std::string(preload) + preloaded);
  environment.push_back(std::string(variable) + session);
  return environment;
}

Result<pid_t> launch(const std::string& path, const std::vector<std::string>& arguments,
                     const std::vector<std::string>& environment, const std::function<void()>& prepare,
                     const std::function<Result<void>(pid_t)>& on_forked) {
  int ends[2], gate_ends[2];
  CULPRIT_TRY(checked("create a pipe", [&] { return pipe2(ends, O_CLOEXEC); }));
  Fd answer(ends[0]), report(ends[1]);
  CULPRIT_TRY(checked("create a pipe", [&] { return pipe2(gate_ends, O_CLOEXEC); }));
  Fd gate(gate_ends[0]), gate_keeper(gate_ends[1]);

  // Everything is allocated before the fork.
  std::vector<char*> argv = pointers_to(arguments), envp = pointers_to(environment);
  std::vector<char*> shell_argv = argv;
  shell_argv.insert(shell_argv.begin(), const_cast<char*>("sh"));
  shell_argv[1] = const_cast<char*>(path.c_str());

  auto child = checked("start a process", [] { return fork(); });
  if (!child) return child;
  if (*child == 0) {
    char byte = 0;
    if (on_forked && read(gate.get(), &byte, 1) != 1) _exit(126);
    prepare();
    execve(path.c_str(), argv.data(), envp.data());
    if (errno == ENOEXEC) execve("/bin/sh", shell_argv.data(), envp.data());
    int error_number = errno;
    if (write(report.get(), &error_number, sizeof(error_number)) < 0) _exit(126);
    _exit(127);
  }
  report.reset();
  if (on_forked) {
    auto agreed = on_forked(*child);
    if (!agreed) {
      end_child(*child);
      return tl::unexpected<Error>(std::move(agreed).error());
    }
    CULPRIT_TRY(checked("start a process", [&] { return write(gate_keeper.get(), "", 1); }));
  }
  int error_number = 0;
  auto got =
      checked("wait for the program to start", [&] { return read(answer.get(), &error_number, sizeof(error_number)); });
  if (got && *got == 0) return child;
  end_child(*child);
  return tl::unexpected<Error>(exec_error(path, error_number));
}

}  // namespace culprit
