#include "analysis/report_parts.h"

#include <algorithm>
#include <numeric>

namespace culprit {

namespace {

constexpr size_t process_limit = 5;

std::vector<ProcessCount> counts_of(const ReportSource& source, const ProcessTally& tally) {
  std::vector<ProcessCount> counts;
  for (auto [process, count] : tally.most(process_limit)) counts.push_back(source.process(process, count));
  return counts;
}

std::vector<ProcessCount> owners_of(const ReportSource& source, const LifeGroup& group) {
  std::vector<ProcessCount> counts;
  std::vector<uint32_t> shares = group.shares;
  const auto& all = source.leaks.shares();
  const size_t shown = std::min(process_limit, shares.size());
  std::partial_sort(shares.begin(), shares.begin() + static_cast<ptrdiff_t>(shown), shares.end(),
                    [&](uint32_t a, uint32_t b) {
                      return std::pair(all[b].left(), all[b].created) < std::pair(all[a].left(), all[a].created);
                    });
  for (size_t i = 0; i < shown; ++i) counts.push_back(source.process(all[shares[i]].process, all[shares[i]].created));
  return counts;
}

HowCreated most_frequent_creation(const LifeGroup& group) {
  return static_cast<HowCreated>(std::max_element(std::begin(group.created_by), std::end(group.created_by)) -
                                 std::begin(group.created_by));
}

void fill_series(const ReportSource& source, const LifeGroup& group, HandleGroup& report) {
  if (!group.series) return;
  TimeSeries series = *group.series;
  series.extend(source.recording.end);
  for (size_t i = 0; i < series.used(); ++i) report.series.push_back(series.at(i));
  report.series_bucket = static_cast<double>(series.bucket_width()) / 1e9;
}

}  // namespace

HandleGroup report_group(const ReportSource& source, const LifeGroup& group, const Opinion& opinion,
                         ReportStack stack) {
  HandleGroup report;
  report.type = source.text(group.shown_type);
  report.call = source.text(group.call);
  report.count = group.outstanding();
  report.created = group.created();
  report.closed = group.closed();
  report.at_exit = group.closed_by[static_cast<size_t>(HowClosed::exit)];
  std::copy(std::begin(group.created_by), std::end(group.created_by), report.created_by);
  std::copy(std::begin(group.closed_by), std::end(group.closed_by), report.closed_by);
  report.how_created = most_frequent_creation(group);
  report.how_closed = report.at_exit * 2 > report.count ? HowClosed::exit : HowClosed::still_open;
  if (report.count == 0) {
    report.how_closed = static_cast<HowClosed>(
        std::max_element(std::begin(group.closed_by), std::end(group.closed_by)) - std::begin(group.closed_by));
  }
  report.verdict = opinion.verdict;
  report.leak = opinion.leak;
  report.evidence = opinion.evidence;
  report.rate = opinion.rate;
  report.first_created = source.seconds(group.first);
  report.last_created = source.seconds(group.last);
  fill_series(source, group, report);
  report.creating = counts_of(source, group.creating);
  report.owning = owners_of(source, group);
  report.closing = counts_of(source, group.closing);
  report.processes = group.shares.size();
  const DurationHistogram& lived = group.lifetimes;
  report.lifetimes = {lived.count(), static_cast<double>(lived.quantile(0.5)) / 1e9,
                      static_cast<double>(lived.quantile(0.9)) / 1e9, static_cast<double>(lived.longest()) / 1e9};
  for (const HandleLife& life : group.examples) {
    report.examples.push_back(example_of(source, life));
  }
  report.stack = std::move(stack);
  return report;
}

UnknownHandle report_unknown(const ReportSource& source, const HandleLife& life) {
  const ProcessCount owner = source.process(life.owning);
  return {life.value, source.text(life.type),       source.text(life.name), owner.name,
          owner.pid,  source.seconds(life.created), life.how_closed};
}

std::vector<TypeTotal> report_types(const ReportSource& source) {
  std::vector<TypeTotal> types;
  for (const auto& [type, totals] : source.leaks.types()) {
    types.push_back({source.text(type), totals.created, totals.closed, totals.outstanding});
  }
  std::sort(types.begin(), types.end(), [](const TypeTotal& a, const TypeTotal& b) {
    return std::tuple(b.outstanding, b.created, std::string_view(a.type)) <
           std::tuple(a.outstanding, a.created, std::string_view(b.type));
  });
  return types;
}

std::vector<ProcessReport> report_processes(const ReportSource& source, const std::vector<double>& leak_growth) {
  const std::vector<ProcessFacts>& all = source.lifetimes.processes();
  std::vector<size_t> order;
  for (size_t i = 1; i < all.size(); ++i) {
    if (all[i].seen) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return all[a].start < all[b].start; });
  std::vector<ProcessReport> reports;
  for (size_t i : order) {
    const ProcessFacts& facts = all[i];
    const Process& process = source.tables.process(id_at<ProcessId>(i));
    ProcessReport& report = reports.emplace_back();
    report.name = process.name;
    report.command = process.command;
    report.pid = process.pid;
    report.parent_pid = source.process(facts.parent).pid;
    report.started = source.seconds(facts.start);
    if (facts.ended) report.ended = source.seconds(facts.stop);
    report.end = facts.end;
    report.status = facts.status;
    report.sight = process.sight;
    report.sight_reason = process.sight_reason;
    report.created = facts.created;
    report.inherited = facts.inherited;
    report.closed = facts.closed;
    report.failed_closes = facts.failed_closes;
    report.open_at_end = facts.open_at_end;
    report.most_open = facts.most_open;
    report.limit = facts.limit;
    if (i < leak_growth.size()) report.time_left = time_left(facts.limit, facts.open_at_end, leak_growth[i]);
  }
  return reports;
}

}  // namespace culprit
