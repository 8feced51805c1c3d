// culprit: who leaked this handle, and by which line of code.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "shell/blame_settings.h"
#include "shell/command.h"
#include "shell/help.h"
#include "shell/help_commands.h"

namespace culprit {

namespace {

Ending run_words(const std::vector<std::string>& words, const Streams& streams) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h") return answer(streams, overview_help());
  if (words[0] == "--version") return answer(streams, fmt::format("culprit {}\n", culprit_version));
  if (command_of(words).command == nullptr) {
    // "record --help" is about all of them.
    bool wants_help = !group_of(words[0]).empty() && words.size() > 1 && (words[1] == "--help" || words[1] == "-h");
    if (wants_help) return run_help({{words[0]}, {}}, streams);
    return complain_about_command(streams, words[0]);
  }
  auto invocation = parse_invocation(words);
  if (!invocation) return complain(streams, invocation.error());
  auto blame = use_blame_rules(*invocation->command, invocation->arguments);
  if (!blame) return complain(streams, blame.error());
  return invocation->command->run(invocation->arguments, streams);
}

// Whoever waits for us (a shell, a test runner) must see what it would have seen without us. The program's own core, if
// any, is written already; ours would only bury it.
int end_like(const Ending& ending) {
  if (ending.signal == 0) return ending.status;
  rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  std::signal(ending.signal, SIG_DFL);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, ending.signal);
  ::sigprocmask(SIG_UNBLOCK, &one, nullptr);
  ::raise(ending.signal);
  return 128 + ending.signal;  // it was one that does not kill
}

// A standard stream that is closed leaves its number to the next file that is opened. That may be the memory of the
// process that is looked at: what we say would be written into it. What takes the place here can neither be read from
// nor written to, as if nothing were there, and is closed for the program of `culprit run`.
void occupy_closed_streams() {
  for (int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(number, F_GETFD) < 0) ::open("/dev/null", O_CLOEXEC | (number == STDIN_FILENO ? O_WRONLY : O_RDONLY));
}

}  // namespace

}  // namespace culprit

int main(int argc, char** argv) {
  culprit::occupy_closed_streams();
  std::vector<std::string> words(argv + 1, argv + (argc > 0 ? argc : 1));
  return culprit::end_like(culprit::run_words(words, culprit::Streams{}));
}
