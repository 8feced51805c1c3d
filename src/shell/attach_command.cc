#include "shell/attach_command.h"

#include <fmt/core.h>
#include <signal.h>

#include <csignal>

#include "capture/tsc_clock.h"
#include "shell/console.h"
#include "shell/handle_question.h"
#include "shell/live_target.h"
#include "shell/values.h"
#include "shell/words.h"

namespace culprit {
namespace {

constexpr std::string_view first_mark = "attach";

class Attached {
 public:
  Attached(std::unique_ptr<LiveSession> session, std::string target, std::string kept)
      : session_(std::move(session)), target_(std::move(target)), kept_(std::move(kept)) {}

  std::vector<ConsoleCommand> commands() {
    auto bound = [this](void (Attached::*command)(Console&, const std::vector<std::string>&)) {
      return [this, command](Console& console, const std::vector<std::string>& words) {
        (this->*command)(console, words);
      };
    };
    return {
        {"mark", "", "[NAME]", "remember this moment, for diff", bound(&Attached::mark)},
        {"diff", "", "[FROM [TO]]", "what was opened since a mark (the newest) and is still open",
         bound(&Attached::diff)},
        {"handles", "!handle", "[options]", "as `culprit handles`: by blame, --by LIST, --value N …",
         bound(&Attached::handles)},
        {"!htrace", "", "-snapshot|-diff|-disable|N", "mark, diff, detach; all that happened to number N",
         bound(&Attached::htrace)},
        {"sleep", "", "DURATION", "wait, for scripts", bound(&Attached::sleep)},
        {"status", "", "", "events, losses, size", bound(&Attached::status)},
        {"detach", ".detach", "", "let the process go; what was recorded can still be asked", bound(&Attached::detach)},
    };
  }

  void note_end(const Streams& streams) {
    if (is_finished_ || has_told_end_ || session_->has_targets()) return;
    has_told_end_ = true;
    answer(streams, fmt::format("{} has ended; what was recorded can still be asked\n", target_));
  }

  Result<void> finish() {
    if (std::exchange(is_finished_, true)) return {};
    return session_->finish();
  }
  LiveSession& session() { return *session_; }

 private:
  Result<std::unique_ptr<Trace>> trace() { return is_finished_ ? session_->finished() : session_->so_far(); }

  void ask(Console& console, const Result<HandleQuestion>& question) {
    if (!question) return console.complain(question.error());
    auto recorded = trace();
    if (!recorded) return console.complain(recorded.error());
    AnswerPlace place{console.streams().output, console.streams().errors, target_, kept_};
    if (auto answered = answer_question(**recorded, *question, place); !answered) console.complain(answered.error());
  }

  void mark(Console& console, const std::vector<std::string>& words) {
    if (is_finished_) return console.complain({ErrorKind::usage, "nothing is recorded any more"});
    std::string name = words.empty() ? fmt::format("mark {}", ++marks_) : words[0];
    session_->mark(name);
    answer(console.streams(), fmt::format("marked: {}\n", name));
  }

  void diff(Console& console, const std::vector<std::string>& words) {
    std::vector<std::string> options;
    size_t moments = 0;
    for (const std::string& word : words) {
      bool is_moment = !word.starts_with("-") && moments < 2 && (options.empty() || !options.back().starts_with("--t"));
      if (is_moment) options.emplace_back(moments++ == 0 ? "--from" : "--to");
      options.push_back(word);
    }
    auto arguments = parse_words(*find_command("diff"), options);
    if (!arguments) return console.complain(arguments.error());
    arguments->operands = {target_};
    ask(console, parse_diff_question(*arguments));
  }

  void handles(Console& console, const std::vector<std::string>& words) {
    auto arguments = parse_words(*find_command("handles"), words);
    if (!arguments) return console.complain(arguments.error());
    arguments->operands = {target_};
    auto question = parse_handle_question(*arguments);
    if (!question || question->asked != Asked::report) return ask(console, question);
    auto wishes = parse_report_wishes(*arguments);
    if (!wishes) return console.complain(wishes.error());
    auto recorded = trace();
    if (!recorded) return console.complain(recorded.error());
    AnswerPlace place{console.streams().output, console.streams().errors, target_, kept_};
    if (auto report = answer_handles(**recorded, *wishes, place); !report) console.complain(report.error());
  }

  void htrace(Console& console, const std::vector<std::string>& words) {
    std::string what = words.empty() ? "" : words[0];
    std::vector<std::string> rest(words.begin() + (words.empty() ? 0 : 1), words.end());
    if (what == "-snapshot") return mark(console, rest);
    if (what == "-diff") return diff(console, rest);
    if (what == "-disable") return detach(console, rest);
    if (what == "-enable") {
      answer(console.streams(), is_finished_ ? "attach again to record again\n" : "recording since attach\n");
      return;
    }
    if (what.empty()) return handles(console, {"--by", "how,type,stack", "--all"});
    handles(console, {"--value", what});
  }

  void sleep(Console& console, const std::vector<std::string>& words) {
    auto duration = words.empty() ? std::nullopt : parse_duration(words[0]);
    if (!duration) return console.complain({ErrorKind::usage, "sleep takes a duration: 500ms, 10s, 2min"});
    Time until = monotonic_now() + *duration;
    session_->wait([&] { return monotonic_now() < until; });
  }

  void status(Console& console, const std::vector<std::string>&) {
    RecorderStatus now = session_->status();
    answer(console.streams(),
           fmt::format("{} {} by {}: {} events, {} lost, {} process{}; {} bytes recorded\n",
                       is_finished_ ? "recorded" : "recording", target_, session_->back_end(), now.events, now.lost,
                       now.processes, now.processes == 1 ? "" : "es", session_->bytes_written()));
  }

  void detach(Console& console, const std::vector<std::string>&) {
    if (is_finished_) return console.complain({ErrorKind::usage, "it was let go already"});
    if (auto finished = finish(); !finished) console.complain(finished.error());
    answer(console.streams(), fmt::format("{} was let go\n{}", target_, about_stops(session_->status())));
  }

  std::unique_ptr<LiveSession> session_;
  std::string target_, kept_;
  uint32_t marks_ = 0;
  bool is_finished_ = false, has_told_end_ = false;
};

void do_nothing(int) {}

}  // namespace

Ending run_attach(const Arguments& arguments, const Streams& streams) {
  auto pid = process_target(arguments.operands.front());
  if (!pid) return complain(streams, pid.error());
  if (!*pid) return complain(streams, fmt::format("there is no process {}", arguments.operands.front()));
  auto request = live_request(**pid, arguments);
  if (!request) return complain(streams, request.error());
  std::string what = request->what, kept = request->output;
  auto session = LiveSession::start(std::move(*request));
  if (!session) return complain(streams, session.error());
  (*session)->mark(std::string(first_mark));
  answer({streams.errors, streams.errors}, about_session(**session, **pid));

  // Ctrl-C gives up the line or the answer, not the recording.
  struct sigaction quiet {};
  quiet.sa_handler = do_nothing;
  sigaction(SIGINT, &quiet, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  Attached attached(std::move(*session), what, kept);
  Console console(fmt::format("culprit {}> ", **pid), attached.commands(), streams);
  if (arguments.has("--command")) {
    console.execute(arguments.text("--command"));
  } else {
    console.converse([&] { attached.note_end(streams); });
  }
  if (auto finished = attached.finish(); !finished) return complain(streams, finished.error());
  return console.has_complained() && arguments.has("--command") ? ended_in_failure : ended_well;
}

}  // namespace culprit
