#include "trace/trace_writer.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "base/syscall.h"
#include "trace/block.h"
#include "trace/info_record.h"
#include "trace/open_recording.h"
#include "trace/writer_state.h"

namespace culprit {

using namespace trace_format;

namespace {

std::string file_header(const TraceInfo& info) {
  std::string record = encode_info(info);
  RawFileHeader raw{.magic = {},
                    .major = major_version,
                    .minor = minor_version,
                    .info_size = static_cast<uint32_t>(record.size()),
                    .checksum = 0};
  std::copy(file_magic.begin(), file_magic.end(), raw.magic.begin());
  ByteWriter out;
  out.put_raw(raw);
  std::string checked = std::string(out.view().substr(0, offsetof(RawFileHeader, checksum))) + record;
  raw.checksum = checksum_of(checked);
  out.clear();
  out.put_raw(raw);
  out.put_bytes(record);
  return std::string(out.view());
}

// A block of a bounded recording holds little of it, so that what falls out with it, or finds no room, is little.
constexpr uint64_t blocks_per_lap = 32;
// Room for the end block below max_size.
uint64_t end_reserve(uint64_t max_size) { return max_size / 16; }

// So that the end block has room where the file is bounded.
uint64_t end_block_processes(const WriterLimits& limits) {
  const uint64_t bytes = limits.max_size != 0 ? end_reserve(limits.max_size) : limits.circular / blocks_per_lap;
  return bytes == 0 ? UINT64_MAX : bytes / 256;
}

Result<void> check_limits(const WriterLimits& limits) {
  if (limits.max_size != 0 && limits.circular != 0)
    return fail(ErrorKind::usage, "a recording is either circular or ends at a size, not both");
  for (uint64_t bytes : {limits.max_size, limits.circular}) {
    if (bytes != 0 && bytes < smallest_recording)
      return fail(ErrorKind::usage, "a recording needs 1 MiB at least to be of use");
  }
  return {};
}

}  // namespace

TraceWriter::State::State(RecordingFile recording, const TraceTables& all_tables, const WriterLimits& bounds)
    : file(std::move(recording)),
      tables(all_tables),
      limits(bounds),
      definitions(all_tables),
      events(definitions),
      allocation_definitions(all_tables),
      allocations(allocation_definitions) {
  if (uint64_t bytes = std::max(limits.max_size, limits.circular); bytes != 0) {
    block_bytes = std::min<size_t>(full_block_bytes, bytes / blocks_per_lap);
    allocation_block_bytes = block_bytes;
  }
  if (limits.circular == 0) return;
  file.make_circular(limits.circular);
  if (limits.open_handles == nullptr) return;
  checkpoints.emplace(*limits.open_handles, definitions, [this](const CheckpointHead& head, std::string part) {
    return seal(
        definitions,
        {.kind = static_cast<uint16_t>(BlockKind::checkpoint), .first_time = head.as_of, .last_time = head.as_of},
        std::move(part), {});
  });
}

std::string TraceWriter::State::seal(DefinitionsWriter& of_block, BlockHeader facts, std::string raw_events,
                                     std::string_view info) {
  facts.version = block_version;
  const bool lists_all = limits.circular != 0 || facts.kind == static_cast<uint16_t>(BlockKind::end);
  if (of_block.names_cut() > 0) {
    lose({.kind = LossKind::name_truncated,
          .count = of_block.names_cut(),
          .detail = "names left out of one very large block"});
  }
  std::vector<Loss> losses = lists_all ? losses_so_far(file.blocks_dropped()) : new_losses;
  std::string raw_definitions =
      of_block.take({losses, limits.circular != 0 ? std::optional(past) : std::nullopt, info});
  if (raw_events.size() > max_raw_size || raw_definitions.size() > max_raw_size) {
    lose({.kind = LossKind::memory_limit,
          .count = facts.event_count,
          .detail = "events of a block too large to be recorded"});
    return {};
  }
  new_losses.clear();
  std::string block = seal_block(facts, raw_definitions, raw_events);
  if (facts.event_count > 0) {
    past.events += facts.event_count;
    past.newest = std::max(past.newest, facts.last_time);
  }
  return block;
}

template <typename Encoder>
std::string TraceWriter::State::seal_events(BlockKind kind, DefinitionsWriter& of_block, Encoder& encoder) {
  BlockHeader facts{.kind = static_cast<uint16_t>(kind),
                    .first_time = encoder.first_time(),
                    .last_time = encoder.last_time(),
                    .event_count = encoder.count()};
  bool has_events = encoder.count() > 0;
  std::string raw_events = encoder.take();
  if (!has_events) raw_events.clear();
  return seal(of_block, facts, std::move(raw_events), {});
}

void TraceWriter::State::append(std::string block, uint32_t event_count) {
  if (limits.max_size != 0 &&
      file.size() + file.bytes_waiting() + block.size() > limits.max_size - end_reserve(limits.max_size)) {
    full = true;
    refused += event_count;
    return;
  }
  if (file.ring() && !file.ring()->fits(block.size())) {
    lose({.kind = LossKind::size_limit,
          .count = event_count,
          .detail = "events of a block too large for this circular recording"});
    return;
  }
  uint64_t size = block.size();
  file.append(std::move(block));
  if (!checkpoints) return;
  if (uint64_t left_out = checkpoints->block_written(file, size); left_out > 0) {
    lose({.kind = LossKind::memory_limit,
          .count = left_out,
          .detail = "open handles whose creation the circular recording had no room to keep"});
  }
}

void TraceWriter::State::close_block() {
  if (full || (events.count() == 0 && new_losses.empty())) return;
  uint32_t event_count = events.count();
  std::string block = seal_events(BlockKind::events, definitions, events);
  if (!block.empty()) append(std::move(block), event_count);
}

void TraceWriter::State::close_allocation_block() {
  if (full || allocations.count() == 0) return;
  uint32_t event_count = allocations.count();
  std::string block = seal_events(BlockKind::allocations, allocation_definitions, allocations);
  if (!block.empty()) append(std::move(block), event_count);
}

// The end block has no events. It defines once more the processes that are not as their last block has them.
void TraceWriter::State::close_end_block(const TraceInfo& final) {
  TraceInfo info = final;
  info.circular = limits.circular;
  uint64_t room = end_block_processes(limits);
  for (size_t i = 1; i < tables.processes.size() && room > 0; ++i) {
    if (auto process = id_at<ProcessId>(i); !definitions.is_defined(process)) definitions.local(process), --room;
  }
  std::string block = seal(definitions, {.kind = static_cast<uint16_t>(BlockKind::end)}, {}, encode_info(info));
  if (!block.empty()) file.append(std::move(block));
}

TraceWriter::TraceWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}

TraceWriter::~TraceWriter() {
  if (!state_->finished) flush();
}

Result<std::unique_ptr<TraceWriter>> TraceWriter::create(const std::string& path, const TraceTables& tables,
                                                         const TraceInfo& info, const WriterLimits& limits) {
  CULPRIT_TRY(check_limits(limits));
  return begin(RecordingFile::create(path), tables, info, limits);
}

Result<std::unique_ptr<TraceWriter>> TraceWriter::create_temporary(const TraceTables& tables, const TraceInfo& info,
                                                                   const WriterLimits& limits) {
  CULPRIT_TRY(check_limits(limits));
  return begin(RecordingFile::create_temporary(), tables, info, limits);
}

Result<std::unique_ptr<TraceWriter>> TraceWriter::begin(Result<RecordingFile> file, const TraceTables& tables,
                                                        const TraceInfo& info, const WriterLimits& limits) {
  if (!file) return tl::unexpected<Error>(std::move(file).error());
  TraceInfo header = info;
  header.circular = limits.circular;
  CULPRIT_TRY(file->write_header(file_header(header)));
  return std::unique_ptr<TraceWriter>(new TraceWriter(std::make_unique<State>(std::move(*file), tables, limits)));
}

void TraceWriter::on_handle(const HandleEvent& event) { state_->add(event); }
void TraceWriter::on_process(const ProcessEvent& event) { state_->add(event); }
void TraceWriter::on_thread(const ThreadEvent& event) { state_->add(event); }
void TraceWriter::on_snapshot(const HandleSnapshot& snapshot) { state_->add(snapshot); }
void TraceWriter::on_mark(const Mark& mark) { state_->add(mark); }
void TraceWriter::on_allocation(const AllocationEvent& event) { state_->add_allocation(event); }
void TraceWriter::on_unreachable(const UnreachableBlocks& unreachable) { state_->add(unreachable); }
void TraceWriter::on_mapping(const MappingEvent& mapping) { state_->add(mapping); }
void TraceWriter::on_loss(const Loss& loss) { state_->lose(loss); }

void TraceWriter::flush() {
  state_->close_allocation_block();
  state_->close_block();
  state_->file.write_waiting();
}

Result<void> TraceWriter::finish(const TraceInfo& final) {
  if (std::exchange(state_->finished, true)) return fail(ErrorKind::usage, "the recording was finished before");
  flush();
  state_->file.drop_waiting();
  state_->close_end_block(final);
  if (!state_->file.write_waiting()) {
    return fail(ErrorKind::limit, "the recording is not complete: " + state_->file.last_failure());
  }
  return state_->file.complete();
}

std::vector<Loss> TraceWriter::State::losses_so_far(uint64_t blocks_missing) const {
  std::vector<Loss> losses = all_losses;
  if (refused > 0) add_loss(losses, {.kind = LossKind::size_limit, .count = refused, .detail = {}});
  if (blocks_missing > 0)
    add_loss(losses, {.kind = LossKind::write_failed, .count = blocks_missing, .detail = file.last_failure()});
  return losses;
}

void TraceWriter::discard() {
  state_->finished = true;
  state_->file.remove();
}

Result<std::unique_ptr<Trace>> TraceWriter::reopen() {
  if (!state_->finished) flush();
  auto number =
      checked("cannot reopen " + state_->file.name(), [&] { return ::fcntl(state_->file.fd(), F_DUPFD_CLOEXEC, 3); });
  if (!number) return tl::unexpected<Error>(std::move(number).error());
  // What the end block would say if it were written now.
  auto losses = state_->losses_so_far(state_->file.blocks_dropped() + state_->file.blocks_waiting());
  return open_own_recording(Fd(*number), state_->file.name(), losses, !state_->finished);
}

uint64_t TraceWriter::bytes_written() const { return state_->file.size(); }
bool TraceWriter::is_full() const { return state_->full; }
const std::string& TraceWriter::last_failure() const { return state_->file.last_failure(); }
uint64_t TraceWriter::blocks_lost() const { return state_->file.blocks_dropped(); }
bool TraceWriter::is_waiting_for_room() const { return state_->file.blocks_waiting() > 0; }

Time TraceWriter::complete_from() const {
  if (!state_->checkpoints) return 0;
  return state_->checkpoints->complete_from(*state_->file.ring()).value_or(0);
}

}  // namespace culprit
