// culprit: who leaked this handle, and by which line of code.
#include <fmt/format.h>
#include <sys/resource.h>

#include <csignal>
#include <string>
#include <vector>

#include "cli/arguments.h"
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

}  // namespace

}  // namespace culprit

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + (argc > 0 ? argc : 1));
  return culprit::end_like(culprit::run_words(words, culprit::Streams{}));
}
