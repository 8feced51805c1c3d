#include "analysis/build_handle_report.h"

#include <algorithm>
#include <map>

#include "analysis/blame.h"
#include "analysis/life_replay.h"
#include "analysis/report_parts.h"

namespace culprit {

namespace {

// Stacks beyond that many groups are not looked up: nobody reads them, and symbols cost time.
constexpr size_t named_groups = 5000;

struct Candidate {
  uint32_t group = 0;
  Opinion opinion;
  ReportStack stack;
  bool own = false;
};

// Leaks first, then one's own code, then the most.
auto badness(const ReportSource& source, const Candidate& candidate) {
  const LifeGroup& group = source.leaks.groups()[candidate.group];
  return std::tuple(!candidate.opinion.leak, !candidate.own, ~group.outstanding(), ~group.created(), candidate.group);
}

std::vector<Candidate> candidates_of(const ReportSource& source, const RecordingSpan& window, bool all) {
  std::vector<Candidate> candidates;
  const auto& groups = source.leaks.groups();
  for (uint32_t i = 0; i < groups.size(); ++i) {
    if (groups[i].outstanding() == 0 && !all) continue;
    candidates.push_back(
        {i, opinion_on(groups[i], source.leaks.shares(), source.lifetimes.processes(), window), {}, false});
  }
  return candidates;
}

void sort_by_badness(const ReportSource& source, std::vector<Candidate>& candidates) {
  std::sort(candidates.begin(), candidates.end(),
            [&](const Candidate& a, const Candidate& b) { return badness(source, a) < badness(source, b); });
}

void give_names(const ReportSource& source, StackSymbols& symbols, std::vector<Candidate>& candidates) {
  const size_t count = std::min(candidates.size(), named_groups);
  std::vector<StackId> stacks;
  for (size_t i = 0; i < count; ++i) {
    const LifeGroup& group = source.leaks.groups()[candidates[i].group];
    stacks.push_back(group.key.stack);
    if (candidates[i].opinion.verdict != Verdict::sometimes_forgotten) continue;
    for (auto [stack, closes] : group.closing_stacks) stacks.push_back(stack);
  }
  symbols.prepare(stacks);
  for (size_t i = 0; i < count; ++i) {
    candidates[i].stack = symbols.report_stack(source.leaks.groups()[candidates[i].group].key.stack);
    candidates[i].own = candidates[i].stack.blamed && candidates[i].stack.frames[*candidates[i].stack.blamed].own;
  }
}

void suppress(const ReportSource& source, const Suppressions& suppressions, std::vector<Candidate>& candidates,
              HandleReport& report) {
  for (const Suppression& entry : suppressions.entries) report.suppressions.push_back({entry.name, entry.line, 0, 0});
  std::erase_if(candidates, [&](const Candidate& candidate) {
    const LifeGroup& group = source.leaks.groups()[candidate.group];
    const auto entry = suppressions.find(source.text(group.shown_type), candidate.stack);
    if (!entry) return false;
    report.suppressions[*entry].groups += 1;
    report.suppressions[*entry].handles += group.outstanding();
    report.suppressed_groups += 1;
    report.suppressed_handles += group.outstanding();
    return true;
  });
}

std::vector<double> growth_by_process(const ReportSource& source, const std::vector<Candidate>& candidates) {
  std::vector<double> growth(source.lifetimes.processes().size());
  for (const Candidate& candidate : candidates) {
    if (!candidate.opinion.leak) continue;
    for (uint32_t index : source.leaks.groups()[candidate.group].shares) {
      const GroupShare& share = source.leaks.shares()[index];
      if (share.left() < 2 || share.last <= share.first) continue;
      growth[index_of(share.process)] +=
          static_cast<double>(share.left() - 1) * 1e9 / static_cast<double>(share.last - share.first);
    }
  }
  return growth;
}

void add_groups(const ReportSource& source, const StackSymbols& symbols, size_t top, std::vector<Candidate>& candidates,
                HandleReport& report) {
  const size_t shown = top == 0 ? candidates.size() : std::min(top, candidates.size());
  for (size_t i = 0; i < candidates.size(); ++i) {
    Candidate& candidate = candidates[i];
    const LifeGroup& group = source.leaks.groups()[candidate.group];
    if (candidate.opinion.leak) {
      ++report.leaking_groups;
      report.leaked += group.outstanding();
    }
    if (i >= shown) {
      ++report.groups_hidden;
      report.handles_hidden += group.outstanding();
      continue;
    }
    if (candidate.stack.frames.empty()) candidate.stack = symbols.report_stack(group.key.stack);
    HandleGroup& added =
        report.groups.emplace_back(report_group(source, group, candidate.opinion, std::move(candidate.stack)));
    if (candidate.opinion.verdict != Verdict::sometimes_forgotten) continue;
    for (auto [stack, count] : group.closing_stacks)
      added.closing_stacks.push_back({count, symbols.report_stack(stack)});
    std::stable_sort(added.closing_stacks.begin(), added.closing_stacks.end(),
                     [](const ClosingPlace& a, const ClosingPlace& b) { return a.count > b.count; });
  }
}

void add_rule_uses(HandleReport& report) {
  std::map<std::string_view, uint64_t> uses;
  for (const HandleGroup& group : report.groups) {
    for (const ReportFrame& frame : group.stack.frames) {
      if (!frame.skipped_by.empty()) ++uses[frame.skipped_by];
    }
  }
  for (const BlameRule& rule : blame_rules()) {
    if (auto use = uses.find(rule.name); use != uses.end()) {
      report.rules.push_back({std::string(rule.name), std::string(rule.reason), use->second});
    }
  }
}

void add_handles(const ReportSource& source, StackSymbols& symbols, const std::vector<Candidate>& candidates,
                 HandleReport& report) {
  std::vector<const HandleLife*> lives;
  for (const HandleLife& life : source.leaks.lives()) lives.push_back(&life);
  std::stable_sort(lives.begin(), lives.end(),
                   [](const HandleLife* a, const HandleLife* b) { return a->created < b->created; });
  std::vector<std::optional<size_t>> place(source.leaks.groups().size());
  for (size_t i = 0; i < report.groups.size(); ++i) place[candidates[i].group] = i;
  std::vector<StackId> ungrouped;
  for (const HandleLife* life : lives) {
    ReportHandle& handle = report.handles.emplace_back(report_handle(source, *life));
    const uint32_t group = source.leaks.group_of(*life);
    if (group != LifeGroup::none) handle.group = place[group];
    if (!handle.group && ungrouped.size() < named_groups) ungrouped.push_back(life->created_stack);
  }
  symbols.prepare(ungrouped);
  for (size_t i = 0; i < lives.size(); ++i) {
    if (!report.handles[i].group && lives[i]->created_stack != StackId::none) {
      report.handles[i].creating_stack = symbols.report_stack(lives[i]->created_stack);
    }
  }
  report.handles_left_out = source.leaks.lives_left_out();
}

void add_target(const ReportSource& source, const TraceInfo& info, HandleReport& report) {
  report.command = info.command;
  report.recorded_by = info.recorded_by;
  report.machine = info.machine;
  report.wall_clock_ns = info.wall_clock_ns;
  report.complete = info.complete;
  report.duration = source.seconds(source.recording.end);
  for (const ProcessReport& process : report.processes) {
    if (process.parent_pid != 0) continue;
    report.pid = process.pid;
    report.end = process.end;
    report.status = process.status;
    if (report.command.empty()) report.command = process.command;
    break;
  }
}

void add_totals(const ReportSource& source, HandleReport& report) {
  const HandleLeaks& leaks = source.leaks;
  report.created = leaks.created;
  report.closed = leaks.closed;
  report.outstanding = leaks.outstanding;
  report.inherited = leaks.inherited;
  report.existing = leaks.existing;
  report.before_window = leaks.before_window;
  report.types = report_types(source);
  report.unknown_total = leaks.unknown_total;
  for (const HandleLife& life : leaks.unknown()) report.unknown.push_back(report_unknown(source, life));
}

void add_losses(const ReportSource& source, std::vector<Loss> losses, HandleReport& report) {
  uint64_t nameless = 0;
  for (const HandleGroup& group : report.groups) nameless += nameless_frames(group.stack);
  losses.push_back({LossKind::symbols_missing, nameless, ProcessId::none, {}});
  report.losses = merge_losses(source, losses);
  report.exact = is_exact(report.losses);
}

}  // namespace

Result<HandleReport> build_handle_report(Trace& trace, const SymbolLookup& lookup, const HandleReportOptions& options) {
  const Time after = std::clamp<Time>(options.after, 0, Time{1} << 60);
  const Time started = started_at(trace);
  HandleLeaks leaks(trace.tables(), {.window_start = after == 0 ? INT64_MIN : started + after,
                                     .series_start = started + after,
                                     .keep_lives = options.handles ? options.handles_limit : 0,
                                     .keep_closed = options.all});
  LifeReplay replay(trace, leaks);
  CULPRIT_TRY(replay.run());

  const RecordingSpan recording = replay.span();
  const RecordingSpan window{started + after, std::max(started + after, recording.end)};
  const ReportSource source{{trace.tables(), started}, replay.lifetimes(), leaks, recording};
  StackSymbols symbols(trace.tables(), lookup);
  HandleReport report;
  report.window_start = static_cast<double>(after) / 1e9;

  std::vector<Candidate> candidates = candidates_of(source, window, options.all);
  sort_by_badness(source, candidates);  // so that the worst have names, without which nobody knows whose code it is
  give_names(source, symbols, candidates);
  if (options.suppressions) suppress(source, *options.suppressions, candidates, report);
  sort_by_badness(source, candidates);
  add_groups(source, symbols, options.top, candidates, report);
  add_rule_uses(report);
  report.processes = report_processes(source, growth_by_process(source, candidates));
  if (options.handles) add_handles(source, symbols, candidates, report);
  add_target(source, trace.info(), report);
  add_totals(source, report);
  add_losses(source, replay.losses(), report);
  return report;
}

}  // namespace culprit
