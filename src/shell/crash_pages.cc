#include "shell/crash_pages.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "shell/lock_question.h"
#include "shell/progress.h"

namespace culprit {
namespace {

constexpr size_t most_pages = 20;  // of a tree in which everybody crashes
constexpr int no_progress = -1;    // the terminal is the program's

}  // namespace

Result<CrashReport> page_about(Target& target, Symbolizer& symbolizer, int progress_fd, const SymbolOptions& options) {
  Progress progress(progress_fd, "looking up addresses");
  TargetNames names(target, options);
  LockQuestioner locks(target, options);
  CrashHelpers helpers{.names = names};
  helpers.lookup = [&](std::span<const SymbolRequest> requests) {
    return symbolizer.symbolize(requests, [&](size_t done, size_t total) { progress.show(done, total); });
  };
  helpers.symbols = [&](const Module& module) { return symbolizer.used_for(module); };
  helpers.objects = [&](const Module& module, const ObjectQuestion& question) {
    return symbolizer.object(module, question);
  };
  helpers.locks = locks.helpers();
  auto report = report_crash(target, helpers);
  progress.erase();
  return report;
}

namespace {

bool has_owner(const HandleGroup& group, uint32_t pid) {
  return std::ranges::any_of(group.owning, [&](const ProcessCount& process) { return process.pid == pid; });
}

// "fun4 at leaky_handles.cpp:22 (1,020 eventfd)"
std::string maker_words(const HandleGroup& group) {
  if (group.stack.frames.empty()) return "";
  const ReportFrame& frame = group.stack.frames[group.stack.blamed.value_or(0)];
  std::string place =
      frame.line == 0 ? "" : fmt::format(" at {}:{}", frame.file.substr(frame.file.rfind('/') + 1), frame.line);
  return fmt::format("{}{} ({} {})", frame.function, place, with_thousands(group.count), group.type);
}

}  // namespace

void name_handle_makers(Crashes& crashes, const HandleReport& report) {
  for (CrashReport& page : crashes.pages) {
    if (!page.use || !page.use->handles_are_full()) continue;
    const HandleGroup* most = nullptr;
    for (const HandleGroup& group : report.groups)
      if (has_owner(group, page.pid) && (most == nullptr || group.count > most->count)) most = &group;
    if (most != nullptr) page.handle_maker = maker_words(*most);
  }
}

std::string crash_pages_text(const Crashes* crashes, const CrashTextOptions& options) {
  return crashes == nullptr ? "" : crashes_as_text(*crashes, options);
}

LookAtDeath CrashPages::look() {
  return [this](const Death& death) { add(death); };
}

void CrashPages::add(const Death& death) {
  if (crashes_.pages.size() >= most_pages) {
    crashes_.without_page.push_back({death.pid, fmt::format("{} others have theirs", most_pages)});
    return;
  }
  Result<CrashReport> page = fail(ErrorKind::gone, "");
  auto looked = look_at_dying(death, [&](Target& target) {
    // It has children of ours that live as long, and whoever runs a program waits for all children.
    Symbolizer symbolizer;
    page = page_about(target, symbolizer, no_progress);
  });
  if (looked && page)
    crashes_.pages.push_back(std::move(*page));
  else
    crashes_.without_page.push_back({death.pid, looked ? page.error().what : looked.error().what});
}

}  // namespace culprit
