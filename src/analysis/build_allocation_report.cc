#include "analysis/build_allocation_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <unordered_map>

#include "analysis/allocation_verdict.h"
#include "analysis/life_replay.h"
#include "analysis/memory_totals.h"
#include "analysis/trace_words.h"
#include "base/text.h"
#include "model/signals.h"

namespace culprit {

namespace {

// Stacks beyond that many groups are not looked up: nobody reads them, and symbols cost time.
constexpr size_t named_groups = 5000;

const BlockCount& count_of(const AllocationTotal& total, AllocationView view) {
  if (view == AllocationView::over_time) return total.most;
  if (view == AllocationView::made) return total.made;
  return view == AllocationView::peak ? total.at_peak : total.left;
}

// What groups are ordered by; 0: it is not shown.
uint64_t weight_of(const AllocationTotal& total, AllocationView view) {
  return view == AllocationView::temporary ? total.temporary : count_of(total, view).blocks;
}

bool is_of_what_is_left(AllocationView view) {
  return view == AllocationView::outstanding || view == AllocationView::made;
}

// Where the question is what is left, leaks come first, and of these what others hang from; in front of either, what
// grows; then what is most.
auto badness(const AllocationTotal& total, AllocationView view) {
  const bool of_what_is_left = is_of_what_is_left(view);
  const uint64_t unreachable = of_what_is_left ? total.unreachable.bytes + total.behind.bytes : 0;
  const bool is_behind = of_what_is_left && is_behind_others(total);
  const bool grows = of_what_is_left && is_growing(total);
  const uint64_t first = view == AllocationView::temporary ? total.temporary
                         : of_what_is_left                 ? total.left.bytes
                                                           : count_of(total, view).bytes;
  return std::tuple(unreachable == 0, is_behind, !grows, ~unreachable, ~first, ~weight_of(total, view), total.key);
}

// Recordings of processes that still run, or were not asked about, have nothing of it.
std::string why_not_looked_at(const ProcessMemory& process) {
  if (process.killed_by != 0) return fmt::format("it was killed by {}", signal_name(process.killed_by));
  return process.why_not;
}

uint64_t sampled_every_of(const TraceInfo& info) { return info.allocations > 1 ? info.allocations : 0; }

class Builder {
 public:
  Builder(const Trace& trace, const MemoryLedger& ledger, const SymbolLookup& lookup,
          const AllocationReportOptions& options)
      : words_{trace.tables(), started_at(trace)},
        ledger_(ledger),
        symbols_(trace.tables(), lookup),
        options_(options) {}

  AllocationReport build();

 private:
  struct Candidate {
    const AllocationTotal* total = nullptr;
    ReportStack stack;
  };
  StackId stack_of(const AllocationTotal& total) const { return id_at<StackId>(total.key); }
  void choose();
  void sort_candidates();
  void give_names();
  void suppress();
  void leave_out(size_t entry, const BlockCount& left, const BlockCount& unreachable);
  void suppress_behind(const std::unordered_map<uint32_t, size_t>& suppressed);
  void add_totals();
  void add_groups();
  void add_processes();
  AllocationGroup group_of(Candidate& candidate) const;

  TraceWords words_;
  const MemoryLedger& ledger_;
  StackSymbols symbols_;
  const AllocationReportOptions& options_;
  std::vector<Candidate> candidates_;
  std::deque<AllocationTotal> reduced_;  // without what hangs from suppressed leaks
  BlockCount suppressed_unreachable_;
  AllocationReport report_;
};

void Builder::choose() {
  for (const AllocationTotal& total : ledger_.totals())
    if (weight_of(total, options_.view) != 0) candidates_.push_back({&total, {}});
  sort_candidates();
}

void Builder::sort_candidates() {
  std::sort(candidates_.begin(), candidates_.end(), [&](const Candidate& a, const Candidate& b) {
    return badness(*a.total, options_.view) < badness(*b.total, options_.view);
  });
}

void Builder::give_names() {
  if (options_.by != AllocationKey::stack) return;
  // Patterns are compared with names, so all that may be left out need them.
  const bool all = options_.suppressions != nullptr && !options_.suppressions->entries.empty();
  size_t count = std::min(candidates_.size(), named_groups);
  if (!all && options_.top != 0) count = std::min(count, options_.top);
  std::vector<StackId> stacks;
  for (size_t i = 0; i < count; ++i) stacks.push_back(stack_of(*candidates_[i].total));
  symbols_.prepare(stacks);
  for (Candidate& candidate : candidates_) {
    candidate.stack = symbols_.report_stack(stack_of(*candidate.total));
    if (--count == 0) break;
  }
}

void Builder::suppress() {
  if (options_.suppressions == nullptr || options_.by != AllocationKey::stack) return;
  for (const Suppression& entry : options_.suppressions->entries)
    report_.suppressions.push_back({entry.name, entry.line, 0, 0});
  std::unordered_map<uint32_t, size_t> suppressed;
  std::erase_if(candidates_, [&](const Candidate& candidate) {
    const auto entry = options_.suppressions->find("memory", candidate.stack);
    if (!entry) return false;
    suppressed.emplace(candidate.total - ledger_.totals().data(), *entry);
    report_.suppressions[*entry].groups += 1;
    report_.suppressed_groups += 1;
    leave_out(*entry, candidate.total->left, candidate.total->unreachable);
    return true;
  });
  if (is_of_what_is_left(options_.view)) suppress_behind(suppressed);
}

void Builder::leave_out(size_t entry, const BlockCount& left, const BlockCount& unreachable) {
  report_.suppressions[entry].handles += left.blocks;
  report_.suppressed.add(left);
  suppressed_unreachable_.add(unreachable);
}

// What hangs from a leak goes as the leak goes: with it when it is mended, and with it when it is left out.
void Builder::suppress_behind(const std::unordered_map<uint32_t, size_t>& suppressed) {
  std::unordered_map<uint32_t, AllocationTotal*> reduced;
  auto reduce = [&](uint32_t index) -> AllocationTotal& {
    auto [place, is_new] = reduced.try_emplace(index, nullptr);
    if (is_new) place->second = &reduced_.emplace_back(ledger_.totals()[index]);
    return *place->second;
  };
  for (const auto& [which, count] : ledger_.hanging()) {
    const auto owner = suppressed.find(which.owner);
    const bool is_left_out = suppressed.contains(which.total);
    if (owner == suppressed.end() && is_left_out) reduce(which.owner).behind.subtract(count);
    if (owner == suppressed.end() || is_left_out) continue;
    AllocationTotal& total = reduce(which.total);
    total.left.subtract(count);
    total.unreachable.subtract(count);
    total.indirect -= count.blocks;
    leave_out(owner->second, count, count);
  }
  for (Candidate& candidate : candidates_)
    if (auto place = reduced.find(static_cast<uint32_t>(candidate.total - ledger_.totals().data()));
        place != reduced.end())
      candidate.total = place->second;
  std::erase_if(candidates_, [&](const Candidate& each) { return weight_of(*each.total, options_.view) == 0; });
  sort_candidates();
}

void Builder::add_totals() {
  for (const AllocationTotal& total : ledger_.totals()) {
    report_.made.add(total.made);
    report_.outstanding.add(total.left);
    report_.unreachable.add(total.unreachable);
    report_.temporary += total.temporary;
  }
  report_.outstanding.blocks -= report_.suppressed.blocks;
  report_.outstanding.bytes -= report_.suppressed.bytes;
  report_.unreachable.blocks -= suppressed_unreachable_.blocks;
  report_.unreachable.bytes -= suppressed_unreachable_.bytes;
  report_.most = ledger_.most();
  report_.series = ledger_.series();
  report_.most_at = words_.seconds(ledger_.most_at());
}

AllocationGroup Builder::group_of(Candidate& candidate) const {
  const AllocationTotal& total = *candidate.total;
  AllocationGroup group;
  const bool is_mapping = options_.kind == RecordedMemory::mappings;
  group.function = is_mapping ? call_of(total.mapping) : name_of(total.function);
  if (is_mapping) group.mapping = name_of(total.mapping);
  group.outstanding = total.left;
  group.unreachable = total.unreachable;
  group.behind = total.behind;
  group.indirect = total.indirect;
  group.at_peak = total.at_peak;
  group.made = total.made;
  group.temporary = total.temporary;
  group.smallest = total.smallest;
  group.largest = total.largest;
  group.looks = total.looks;
  group.series = total.series;
  group.most = total.most;
  group.most_at = words_.seconds(total.most_at);
  group.verdict = allocation_verdict(total);
  if (total.left.blocks != 0) {
    group.first = words_.seconds(total.first_left);
    group.last = words_.seconds(total.last_left);
  }
  if (total.unreachable.blocks != 0) group.evidence = unreachable_words(total);
  if (is_growing(total)) {
    group.evidence += (group.evidence.empty() ? "" : "; ") + growth_words(total);
    if (Time made_in = total.last_left - total.first_left; made_in > 0)
      group.rate = static_cast<double>(total.left.bytes) * 1e9 / static_cast<double>(made_in);
  }
  if (options_.by == AllocationKey::stack && candidate.stack.frames.empty())
    candidate.stack = symbols_.report_stack(stack_of(total));
  group.stack = std::move(candidate.stack);
  return group;
}

void Builder::add_groups() {
  const size_t shown = options_.top == 0 ? candidates_.size() : std::min(options_.top, candidates_.size());
  for (size_t i = 0; i < candidates_.size(); ++i) {
    const AllocationTotal& total = *candidates_[i].total;
    if (total.unreachable.blocks != 0) ++report_.unreachable_groups;
    if (is_growing(total)) {
      ++report_.growing_groups;
      report_.growing.blocks += total.left.blocks;
      report_.growing.bytes += total.left.bytes;
    }
    if (i < shown) {
      report_.groups.push_back(group_of(candidates_[i]));
    } else {
      ++report_.groups_hidden;
      report_.hidden.blocks += weight_of(total, options_.view);
      report_.hidden.bytes += options_.view == AllocationView::temporary ? 0 : count_of(total, options_.view).bytes;
    }
  }
}

void Builder::add_processes() {
  for (size_t i = 1; i < ledger_.processes().size(); ++i) {
    const ProcessMemory& process = ledger_.processes()[i];
    report_.released += process.released;
    if (!process.seen) continue;
    const ProcessCount named = words_.process(id_at<ProcessId>(i));
    report_.looked_at_exit |= process.looked_at;
    report_.processes.push_back({.name = named.name,
                                 .pid = named.pid,
                                 .made = process.made,
                                 .outstanding = process.left,
                                 .unreachable = process.unreachable,
                                 .most = process.most,
                                 .gone_with_exec = process.gone_with_exec,
                                 .most_at = words_.seconds(process.most_at),
                                 .looked_at = process.looked_at,
                                 .why_not = why_not_looked_at(process),
                                 .unknown_releases = process.unknown_releases,
                                 .forked = process.forked});
  }
  std::stable_sort(report_.processes.begin(), report_.processes.end(),
                   [](const ProcessMemoryReport& a, const ProcessMemoryReport& b) {
                     return a.outstanding.bytes > b.outstanding.bytes;
                   });
}

AllocationReport Builder::build() {
  report_.kind = options_.kind;
  report_.view = options_.view;
  report_.by = options_.by;
  choose();
  give_names();
  suppress();
  add_groups();
  add_totals();
  add_processes();
  return std::move(report_);
}

// What a report of blocks says of mappings.
MappingSummary summary_of(const Trace& trace, const MemoryLedger& mappings, const SymbolLookup& lookup,
                          const AllocationReportOptions& options) {
  constexpr size_t shown_groups = 3;
  const AllocationReportOptions wanted{
      .kind = RecordedMemory::mappings, .top = shown_groups, .suppressions = options.suppressions, .losses = {}};
  AllocationReport report = Builder(trace, mappings, lookup, wanted).build();
  return {report.made,          report.outstanding, report.most, report.most_at, std::move(report.groups),
          report.groups_hidden, report.hidden};
}

void add_frame(AllocationReport& report, const TraceInfo& info, const TraceWords& words, const RecordingSpan& span,
               const AllocationReportOptions& options) {
  report.command = info.command;
  report.recorded_by = info.recorded_by;
  report.machine = info.machine;
  report.wall_clock_ns = info.wall_clock_ns;
  report.complete = info.complete;
  report.duration = words.seconds(span.end);
  report.from = std::max(0.0, words.seconds(std::max(options.from, span.start)));
  report.to = words.seconds(std::min(options.to, span.end));
}

void add_losses(AllocationReport& report, const MemoryTotals& totals, const TraceWords& words,
                const AllocationReportOptions& options) {
  uint64_t nameless = 0;
  for (const auto* groups : {&report.groups, &report.mappings.groups})
    for (const AllocationGroup& group : *groups) nameless += nameless_frames(group.stack);
  std::vector<Loss> losses = totals.losses();
  std::erase_if(losses, [](const Loss& loss) { return is_about_handles(loss.kind); });
  losses.insert(losses.end(), options.losses.begin(), options.losses.end());
  losses.push_back({LossKind::symbols_missing, nameless, ProcessId::none, {}});
  report.losses = merge_losses(words, losses);
  report.exact = report.sampled_every == 0 && is_exact(report.losses);
}

}  // namespace

std::string_view name_of(AllocationView view) {
  constexpr std::array<std::string_view, 5> names = {"outstanding", "peak", "temporary", "over time", "made"};
  return names.at(static_cast<size_t>(view));
}

std::string_view name_of(AllocationVerdict verdict) {
  constexpr std::array<std::string_view, 4> names = {"unreachable", "grows", "held", "none"};
  return names.at(static_cast<size_t>(verdict));
}

Result<AllocationReport> build_allocation_report(Trace& trace, const SymbolLookup& lookup,
                                                 const AllocationReportOptions& options) {
  auto span = span_of(trace);
  if (!span) return tl::unexpected<Error>(span.error());
  const bool of_blocks = options.kind == RecordedMemory::blocks;
  const uint64_t sampled_every = of_blocks ? sampled_every_of(trace.info()) : 0;
  if (sampled_every != 0 && options.view == AllocationView::temporary)
    return fail(ErrorKind::unsupported,
                "which blocks were temporary cannot be told from a sample (run --heap --sample)");
  MemoryTotals totals(trace.tables(), options.kind, options.by,
                      {options.from, options.to, span->start, span->end, sampled_every});
  CULPRIT_TRY(trace.replay(totals));
  totals.finish();
  const TraceWords words{trace.tables(), started_at(trace)};
  AllocationReport report = Builder(trace, totals.ledger(), lookup, options).build();
  add_frame(report, trace.info(), words, *span, options);
  report.sampled_every = sampled_every;
  report.samples = totals.samples();
  if (of_blocks && options.view == AllocationView::outstanding)
    report.mappings = summary_of(trace, totals.mappings(), lookup, options);
  add_losses(report, totals, words, options);
  return report;
}

}  // namespace culprit
