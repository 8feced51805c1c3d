#include "analysis/mapping_totals.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace culprit {

MappingTotals::MappingTotals(const TraceTables& tables, AllocationKey key, const MemoryLedger::Window& window)
    : ledger_(tables, window), key_(key), processes_(tables.processes.size()) {}

uint32_t MappingTotals::total_of(const MappingEvent& event, MappingKind kind) {
  const uint64_t key = key_ == AllocationKey::size ? event.size : index_of(event.stack);
  auto [place, is_new] = total_of_.try_emplace(key * mapping_kind_count + static_cast<uint64_t>(kind), 0);
  if (is_new) {
    place->second = ledger_.new_total(key);
    ledger_.total(place->second).mapping = kind;
  }
  return place->second;
}

uint32_t MappingTotals::begin_mapping(const MappingEvent& event, MappingKind kind) {
  const Mapping mapping{.made = event.time,
                        .group = total_of(event, kind),
                        .kind = kind,
                        .is_counted = event.time >= ledger_.window().from};
  if (mapping.is_counted) {
    AllocationTotal& total = ledger_.total(mapping.group);
    total.smallest = std::min(total.smallest, event.size);
    total.largest = std::max(total.largest, event.size);
  }
  if (free_.empty()) {
    mappings_.push_back(mapping);
    return static_cast<uint32_t>(mappings_.size() - 1);
  }
  const uint32_t place = free_.back();
  free_.pop_back();
  mappings_[place] = mapping;
  return place;
}

void MappingTotals::gain(uint32_t number, uint64_t bytes, ProcessMemory& memory, Time time) {
  Mapping& mapping = mappings_[number];
  if (mapping.is_counted)
    ledger_.make(ledger_.total(mapping.group), memory, {mapping.bytes == 0 ? 1u : 0u, bytes}, time);
  mapping.bytes += bytes;
}

void MappingTotals::lose(uint32_t number, uint64_t bytes, ProcessMemory& memory) {
  Mapping& mapping = mappings_[number];
  mapping.bytes -= bytes;
  const bool is_last = mapping.bytes == 0;
  if (mapping.is_counted) {
    ledger_.end(ledger_.total(mapping.group), memory, {is_last ? 1u : 0u, bytes});
    memory.released += is_last ? 1 : 0;
  }
  if (is_last) free_.push_back(number);
}

void MappingTotals::drop(std::vector<Piece>& pieces, ProcessMemory& memory) {
  for (const Piece& piece : std::exchange(pieces, {})) lose(piece.mapping, piece.end - piece.start, memory);
}

void MappingTotals::map(const MappingEvent& event, Process& process) {
  ProcessMemory& memory = ledger_.process(event.process);
  const uint64_t end = event.address + event.size;
  process.ranges.take(event.address, end,
                      [&](uint64_t from, uint64_t to, uint32_t mapping) { lose(mapping, to - from, memory); });
  if (event.kind == MappingKind::moved) return arrive(event, process);
  const uint32_t mapping = begin_mapping(event, event.kind);
  process.ranges.put(event.address, end, mapping);
  gain(mapping, event.size, memory, event.time);
}

void MappingTotals::leave(const MappingEvent& event, Process& process) {
  std::vector<Piece>& moving = process.moving[event.tid];
  // Whatever took it away before has never arrived.
  drop(moving, ledger_.process(event.process));
  process.ranges.take(event.address, event.address + event.size, [&](uint64_t from, uint64_t to, uint32_t mapping) {
    moving.push_back({from - event.address, to - event.address, mapping});
  });
}

// What goes beyond what has left belongs to what lay last there.
void MappingTotals::arrive(const MappingEvent& event, Process& process) {
  ProcessMemory& memory = ledger_.process(event.process);
  std::vector<Piece> pieces = std::exchange(process.moving[event.tid], {});
  uint64_t covered = 0;
  std::optional<uint32_t> last;
  for (const Piece& piece : pieces) {
    const uint64_t end = std::clamp(event.size, piece.start, piece.end);
    if (end < piece.end) lose(piece.mapping, piece.end - end, memory);
    if (end == piece.start) continue;
    process.ranges.put(event.address + piece.start, event.address + end, piece.mapping);
    covered = end;
    last = piece.mapping;
  }
  if (covered == event.size) return;
  // Of a copy, or a mapping that nobody saw being made, it is not told what it is.
  const uint32_t mapping = last ? *last : begin_mapping(event, MappingKind::moved);
  process.ranges.put(event.address + covered, event.address + event.size, mapping);
  gain(mapping, event.size - covered, memory, event.time);
}

void MappingTotals::on_mapping(const MappingEvent& event) {
  if (!ledger_.covers(event.time, event.process)) return;
  if (event.size == 0 || event.size > UINT64_MAX - event.address) return;
  ledger_.go_to(event.time);
  Process& process = processes_[index_of(event.process)];
  ProcessMemory& memory = ledger_.process(event.process);
  memory.seen = true;
  switch (event.action) {
    case MappingAction::map:
      return map(event, process);
    case MappingAction::unmap:
      return process.ranges.take(
          event.address, event.address + event.size,
          [&](uint64_t from, uint64_t to, uint32_t mapping) { lose(mapping, to - from, memory); });
    case MappingAction::leave:
      return leave(event, process);
  }
}

template <typename Visit>
void MappingTotals::end_all(ProcessId id, Visit visit) {
  Process& process = processes_[index_of(id)];
  auto end = [&](uint64_t from, uint64_t to, uint32_t number) {
    Mapping& mapping = mappings_[number];
    mapping.bytes -= to - from;
    const bool is_last = mapping.bytes == 0;
    if (mapping.is_counted) visit(mapping, BlockCount{is_last ? 1u : 0u, to - from});
    if (is_last) free_.push_back(number);
  };
  process.ranges.look(0, UINT64_MAX, end);
  for (const auto& [tid, pieces] : process.moving)
    for (const Piece& piece : pieces) end(piece.start, piece.end, piece.mapping);
  process = {};
}

void MappingTotals::on_process(const ProcessEvent& event) {
  if (!ledger_.covers(event.time, event.process)) return;
  ledger_.go_to(event.time);
  ProcessMemory& memory = ledger_.process(event.process);
  switch (event.change) {
    case ProcessChange::forked:
    case ProcessChange::forked_sharing:
      memory.forked = true;
      break;
    case ProcessChange::executed:
      memory.gone_with_exec.add(memory.live);
      end_all(event.process, [&](const Mapping& mapping, const BlockCount& weight) {
        ledger_.end(ledger_.total(mapping.group), memory, weight);
      });
      memory.forked = false;
      break;
    case ProcessChange::exited:
    case ProcessChange::killed:
      end_all(event.process, [&](const Mapping& mapping, const BlockCount& weight) {
        ledger_.leave(ledger_.total(mapping.group), memory, weight, mapping.made);
      });
      break;
    case ProcessChange::launched:
      break;
  }
}

void MappingTotals::finish() {
  ledger_.go_to(INT64_MAX);
  for (size_t i = 1; i < processes_.size(); ++i) {
    ProcessMemory& memory = ledger_.process(id_at<ProcessId>(i));
    end_all(id_at<ProcessId>(i), [&](const Mapping& mapping, const BlockCount& weight) {
      ledger_.leave(ledger_.total(mapping.group), memory, weight, mapping.made);
    });
  }
  ledger_.finish();
}

}  // namespace culprit
