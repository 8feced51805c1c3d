#include "analysis/trace_words.h"

#include <fmt/format.h>

#include <algorithm>

namespace culprit {

namespace {

constexpr size_t detail_limit = 5;

}  // namespace

std::string TraceWords::text(StringId id) const {
  return index_of(id) < tables.strings.size() ? std::string(tables.text(id)) : std::string();
}

ProcessCount TraceWords::process(ProcessId id, uint64_t count) const {
  if (index_of(id) >= tables.processes.size()) return {{}, 0, count};
  const Process& process = tables.process(id);
  return {process.name, process.pid, count};
}

HandleExample example_of(const TraceWords& words, const HandleLife& life) {
  const ProcessCount owner = words.process(life.owning);
  return {life.value, words.text(life.name),       owner.name,
          owner.pid,  words.seconds(life.created), static_cast<double>(life.closed - life.created) / 1e9};
}

ReportHandle report_handle(const TraceWords& words, const HandleLife& life) {
  ReportHandle report;
  report.value = life.value;
  report.type = words.text(life.type);
  report.name = words.text(life.name);
  report.object = life.object;
  report.inode = life.inode;
  report.how_created = life.how_created;
  report.how_closed = life.how_closed;
  report.creating = words.process(life.creating);
  report.owning = words.process(life.owning);
  report.closing = words.process(life.closing);
  report.created_tid = life.created_tid;
  report.closed_tid = life.closed_tid;
  report.created_call = words.text(life.created_call);
  report.closed_call = words.text(life.closed_call);
  report.created = words.seconds(life.created);
  report.closed = words.seconds(life.closed);
  return report;
}

std::vector<MergedLoss> merge_losses(const TraceWords& words, const std::vector<Loss>& losses) {
  std::vector<MergedLoss> merged;
  for (const Loss& loss : losses) {
    if (static_cast<size_t>(loss.kind) >= loss_kind_count || loss.count == 0) continue;
    auto place = std::lower_bound(merged.begin(), merged.end(), loss.kind,
                                  [](const MergedLoss& entry, LossKind kind) { return entry.kind < kind; });
    if (place == merged.end() || place->kind != loss.kind) place = merged.insert(place, {loss.kind, 0, {}});
    place->count += loss.count;
    std::string detail = loss.detail;
    const ProcessCount process = words.process(loss.process);
    if (detail.empty() && process.pid != 0) detail = fmt::format("{} ({})", process.name, process.pid);
    auto& details = place->details;
    if (detail.empty() || details.size() >= detail_limit) continue;
    if (std::find(details.begin(), details.end(), detail) == details.end()) details.push_back(std::move(detail));
  }
  return merged;
}

std::vector<MergedLoss> losses_of_both(std::vector<MergedLoss> losses, const std::vector<MergedLoss>& others) {
  for (const MergedLoss& other : others) {
    auto place = std::find_if(losses.begin(), losses.end(), [&](const auto& loss) { return loss.kind >= other.kind; });
    if (place == losses.end() || place->kind != other.kind) place = losses.insert(place, {other.kind, 0, {}});
    place->count += other.count;
    for (const std::string& detail : other.details)
      if (std::find(place->details.begin(), place->details.end(), detail) == place->details.end())
        place->details.push_back(detail);
  }
  return losses;
}

bool is_exact(const std::vector<MergedLoss>& losses) {
  return std::none_of(losses.begin(), losses.end(),
                      [](const MergedLoss& loss) { return meaning_of(loss.kind).makes_partial; });
}

uint64_t nameless_frames(const ReportStack& stack) {
  return static_cast<uint64_t>(std::count_if(stack.frames.begin(), stack.frames.end(), [](const ReportFrame& frame) {
    return frame.function.empty() && !frame.module.empty();
  }));
}

}  // namespace culprit
