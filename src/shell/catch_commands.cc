#include "shell/catch_commands.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/syscall.h"
#include "base/text.h"
#include "shell/catch_handler.h"
#include "shell/core_pattern.h"

namespace culprit {
namespace {

CatchFolder folder_of(const Arguments& arguments) {
  if (!arguments.has("--state")) return CatchFolder(std::string(CatchFolder::usual_place));
  std::string path = std::filesystem::path(arguments.text("--state")).lexically_normal().string();
  if (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return CatchFolder(std::move(path));
}

std::optional<uint64_t> number_of(const std::string& word) {
  uint64_t number = 0;
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc() && end == word.data() + word.size() ? std::optional(number) : std::nullopt;
}

// The named one, or the newest that is finished.
Result<CaughtCrash> chosen(const CatchFolder& folder, const Arguments& arguments) {
  auto crashes = folder.crashes();
  if (!crashes) return tl::unexpected<Error>(std::move(crashes).error());
  if (arguments.operands.empty()) {
    auto newest = std::ranges::find_if(crashes->rbegin(), crashes->rend(), &CaughtCrash::is_finished);
    if (newest != crashes->rend()) return *newest;
    return fail(ErrorKind::not_found, "no crash was caught yet");
  }
  const std::string& word = arguments.operands.front();
  auto number = number_of(word);
  auto found = number ? std::ranges::find(*crashes, *number, &CaughtCrash::number) : crashes->end();
  if (found == crashes->end())
    return fail(ErrorKind::not_found,
                fmt::format("there is no crash {}; `culprit catch list` shows those there are", printable(word)));
  return *found;
}

std::string former_words(const CorePattern& pattern) {
  if (auto former = pattern.former())
    return fmt::format("before, the kernel's core_pattern was \"{}\"; `culprit catch uninstall` restores it",
                       printable(*former));
  return fmt::format(
      "what the kernel's core_pattern was before is not known, as {} is not there any more;\n"
      "`culprit catch uninstall` makes it \"core\", the kernel's own",
      printable(pattern.former_place()));
}

// A handler has nobody who reads what it says but the kernel's log.
void tell_kernel_log(std::string_view what) {
  if (auto log = open_file("/dev/kmsg", O_WRONLY))
    static_cast<void>(write_all(log->get(), fmt::format("culprit: {}\n", what)));
}

// One sentence, if the usual bounds hold instead of those that were asked for.
void tell_of_settings(const CatchFolder& folder, const Streams& streams) {
  if (const std::string problem = folder.settings().problem; !problem.empty())
    static_cast<void>(write_all(streams.errors, fmt::format("culprit: {}\n", problem)));
}

}  // namespace

Ending run_catch_install(const Arguments& arguments, const Streams& streams) {
  CatchFolder folder = folder_of(arguments);
  if (!folder.path().starts_with('/')) return complain(streams, "the folder of --state must be an absolute path");
  CatchSettings settings;
  settings.most_crashes = arguments.count("--keep", settings.most_crashes);
  settings.most_bytes = arguments.bytes("--disk", settings.most_bytes);
  settings.keeps_cores = arguments.has("--cores");
  CorePattern pattern(folder);
  if (auto installed = pattern.install(settings); !installed) return complain(streams, installed.error());
  return answer(streams, fmt::format("crashes are caught from now on, in {}: at most {}, {} in all\n{}\n",
                                     printable(folder.path()), counted(settings.most_crashes, "crash", "crashes"),
                                     bytes_in_words(settings.most_bytes), former_words(pattern)));
}

Ending run_catch_uninstall(const Arguments& arguments, const Streams& streams) {
  CatchFolder folder = folder_of(arguments);
  CorePattern pattern(folder);
  auto was_known = pattern.uninstall();
  if (!was_known) return complain(streams, was_known.error());
  tell_of_settings(folder, streams);
  std::string unknown = *was_known ? ""
                                   : fmt::format(
                                         "that is the kernel's own: what it was before is not known, as {} is "
                                         "not there any more\n",
                                         printable(pattern.former_place()));
  return answer(streams, fmt::format("the kernel's core_pattern is \"{}\" again; what was caught stays in {}\n{}",
                                     printable(pattern.current()), printable(folder.path()), unknown));
}

Ending run_catch_list(const Arguments& arguments, const Streams& streams) {
  CatchFolder folder = folder_of(arguments);
  auto crashes = folder.crashes();
  if (!crashes) return complain(streams, crashes.error());
  CorePattern pattern(folder);
  CatchState state{.folder = folder.path(),
                   .is_installed = pattern.is_installed(),
                   .pattern = pattern.current(),
                   .former = pattern.former(),
                   .not_looked_at = folder.missed(),
                   .settings_problem = folder.settings().problem};
  return answer(streams,
                arguments.has("--json") ? caught_list_as_json(state, *crashes) : caught_list_as_text(state, *crashes));
}

Ending run_catch_show(const Arguments& arguments, const Streams& streams) {
  CatchFolder folder = folder_of(arguments);
  auto crash = chosen(folder, arguments);
  if (!crash) return complain(streams, crash.error());
  tell_of_settings(folder, streams);
  if (!crash->is_finished)
    return complain(streams, fmt::format("crash {} is not finished: there is no page", crash->number));
  if (!crash->problem.empty())
    return complain(streams, fmt::format("crash {} of {} ({}) has no page: {}", crash->number,
                                         printable(crash->program), crash->pid, crash->problem));
  auto page = folder.read(crash->number, arguments.has("--json") ? "page.json" : "page.txt");
  return page ? answer(streams, *page) : complain(streams, page.error());
}

Ending run_catch_handle(const Arguments& arguments, const Streams& streams) {
  CatchFolder folder = folder_of(arguments);
  CatchRequest request;
  if (!arguments.operands.empty()) {
    auto pid = number_of(arguments.operands.front());
    if (!pid || *pid == 0 || *pid > INT32_MAX)
      return complain(streams, fmt::format("{} is no process id", printable(arguments.operands.front())));
    request.pid = static_cast<uint32_t>(*pid);
  }
  auto made = folder.make();
  if (request.pid == 0)
    tell_of_settings(folder, streams);
  else if (const std::string problem = folder.settings().problem; made && !problem.empty())
    tell_kernel_log(problem);
  auto handled = made ? handle_crash(folder, request) : tl::unexpected<Error>(std::move(made).error());
  if (handled) return handled->problem.empty() ? ended_well : complain(streams, handled->problem);
  if (request.pid != 0 && handled.error().kind != ErrorKind::limit)
    tell_kernel_log(
        fmt::format("the crash of process {} was not kept: {}", request.pid, printable(handled.error().what)));
  return complain(streams, handled.error());
}

}  // namespace culprit
