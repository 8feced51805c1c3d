#include "analysis/thread_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "analysis/death_words.h"
#include "analysis/target_stacks.h"
#include "analysis/thread_waits.h"
#include "analysis/trace_words.h"
#include "base/glob.h"
#include "symbols/function_name.h"

namespace culprit {
namespace {

bool is_asked_for(const TargetThread& thread, const std::string& wanted) {
  return wanted.empty() || wanted == std::to_string(thread.tid) || glob_matches(wanted, thread.name);
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
  return text;
}

bool is_found(const ReportFrame& frame, const std::string& wanted) {
  if (frame.function.empty()) return false;
  std::string name = lower(qualified_name(frame.function));
  if (wanted.find_first_of("*?") != wanted.npos) return glob_matches(wanted, name);
  return name.find(wanted) != name.npos ||
         lower(std::string(without_parameters(frame.function))).find(wanted) != name.npos;
}

std::vector<size_t> found_in(const ReportStack& stack, const std::string& wanted) {
  std::vector<size_t> found;
  for (size_t i = 0; i < stack.frames.size(); ++i)
    if (is_found(stack.frames[i], wanted)) found.push_back(i);
  return found;
}

// Threads that run have reached another instruction each; what they do is the same.
std::string key_of(const ReportStack& stack, const std::string& wait) {
  std::string key = wait + (stack.truncated ? "\n…" : "\n");
  bool is_first = true;
  for (const ReportFrame& frame : stack.frames) {
    if (is_first && frame.inlined) continue;
    if (frame.function.empty())
      key += fmt::format("{}+{:x}\n", frame.module, frame.offset);
    else
      key += is_first ? frame.function + "\n" : fmt::format("{}+{:x} {}\n", frame.function, frame.offset, frame.line);
    is_first = false;
  }
  return key;
}

// Each stack of addresses once.
struct UniqueStacks {
  std::vector<WalkedStack> stacks;
  std::vector<size_t> of_thread;  // index into stacks

  explicit UniqueStacks(const std::vector<WalkedStack>& walked) {
    std::map<std::vector<std::pair<uint64_t, FoundBy>>, size_t> seen[2];
    for (const WalkedStack& stack : walked) {
      std::vector<std::pair<uint64_t, FoundBy>> key;
      for (const WalkedFrame& frame : stack.frames) key.emplace_back(frame.address, frame.found_by);
      auto [place, is_new] = seen[stack.is_truncated ? 1 : 0].try_emplace(std::move(key), stacks.size());
      if (is_new) stacks.push_back(stack);
      of_thread.push_back(place->second);
    }
  }
};

void sort_groups(std::vector<ThreadGroup>& groups) {
  auto has_own_code = [](const ThreadGroup& group) {
    return std::ranges::any_of(group.stack.frames, &ReportFrame::own);
  };
  std::ranges::stable_sort(groups, [&](const ThreadGroup& a, const ThreadGroup& b) {
    return std::pair(has_own_code(b), b.threads.size()) < std::pair(has_own_code(a), a.threads.size());
  });
}

void count_losses(ThreadReport& report, const TargetInfo& info, bool has_names) {
  std::map<LossKind, MergedLoss> losses;
  auto add = [&](LossKind kind, uint64_t count, const std::string& detail = "") {
    if (count == 0) return;
    MergedLoss& loss = losses[kind];
    loss.kind = kind;
    loss.count += count;
    if (!detail.empty() && std::ranges::count(loss.details, detail) == 0) loss.details.push_back(detail);
  };
  for (const Loss& loss : info.losses) add(loss.kind, loss.count, loss.detail);
  for (const ThreadGroup& group : report.groups) {
    if (group.stack.truncated) add(LossKind::stack_truncated, group.threads.size());
    if (has_names) add(LossKind::symbols_missing, nameless_frames(group.stack));
  }
  for (size_t thread : report.unknown) add(LossKind::stack_missing, 1, report.threads[thread].unknown_because);
  for (auto& [kind, loss] : losses) report.losses.push_back(std::move(loss));
  report.exact = is_exact(report.losses);
}

ReportThread describe(const TargetThread& thread) {
  return {
      thread.tid, thread.name, thread.state, "", static_cast<double>(thread.stopped_for) / 1e9, thread.unknown_because};
}

std::vector<uint64_t> addresses_of(const WalkedStack& stack) {
  std::vector<uint64_t> addresses;
  for (const WalkedFrame& frame : stack.frames) addresses.push_back(frame.address);
  return addresses;
}

void fold(ThreadReport& report, const std::vector<TargetThread>& threads, const UniqueStacks& unique,
          const std::vector<ReportStack>& stacks, const ThreadQuestion& question, const HandleNames& names) {
  std::map<std::string, size_t> groups;
  std::string find = lower(question.find);
  for (size_t i = 0; i < threads.size(); ++i) {
    size_t at = unique.of_thread[i];
    const ReportStack& stack = stacks[at];
    std::string wait = wait_in_words(threads[i], stack, names);
    std::vector<size_t> found = find.empty() ? std::vector<size_t>{} : found_in(stack, find);
    if (!find.empty() && found.empty()) continue;
    report.threads.push_back(describe(threads[i]));
    report.threads.back().wait = wait;
    size_t index = report.threads.size() - 1;
    if (stack.frames.empty()) {
      report.unknown.push_back(index);
      continue;
    }
    std::string key = question.names ? key_of(stack, wait) : fmt::format("{} {}", at, wait);
    auto [place, is_new] = groups.try_emplace(std::move(key), report.groups.size());
    if (is_new) report.groups.push_back({{}, wait, stack, addresses_of(unique.stacks[at]), std::move(found)});
    report.groups[place->second].threads.push_back(index);
  }
  sort_groups(report.groups);
}

// Whoever is not asked for is not stopped.
Result<std::vector<TargetThread>> threads_asked_for(Target& target, const std::string& wanted, size_t& all) {
  auto threads = target.threads(wanted.empty() ? ThreadWish::stacks : ThreadWish::names_and_waits);
  all = threads ? threads->size() : 0;
  if (!threads || wanted.empty()) return threads;
  std::vector<uint32_t> tids;
  for (const TargetThread& thread : *threads)
    if (is_asked_for(thread, wanted)) tids.push_back(thread.tid);
  return target.some_threads(ThreadWish::stacks, tids);
}

}  // namespace

Result<ThreadReport> report_threads(Target& target, const SymbolLookup& lookup, const ThreadQuestion& question) {
  TargetStacks stacks(target, question.names ? lookup : SymbolLookup());
  return report_threads(target, stacks, question);
}

Result<ThreadReport> report_threads(Target& target, TargetStacks& stacks, const ThreadQuestion& question) {
  size_t all_threads = 0;
  auto threads = threads_asked_for(target, question.thread, all_threads);
  if (!threads) return tl::unexpected<Error>(threads.error());
  const TargetInfo& info = target.info();
  ThreadReport report{.kind = info.kind, .target = info.name, .executable = info.executable, .command = info.command};
  report.pid = info.pid;
  report.death = death_words(info);
  report.all_threads = all_threads;
  UniqueStacks unique(stacks.walk_all(*threads));
  fold(report, *threads, unique, stacks.report(unique.stacks), question, names_of_handles(target));
  report.longest_stop = static_cast<double>(target.longest_stop()) / 1e9;
  report.stopped = static_cast<size_t>(
      std::ranges::count_if(*threads, [](const TargetThread& thread) { return thread.stopped_for != 0; }));
  report.missing = missing_modules(target, unique.stacks);
  count_losses(report, info, question.names);
  return report;
}

}  // namespace culprit
