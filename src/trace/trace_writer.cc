#include "trace/trace_writer.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "base/syscall.h"
#include "trace/block.h"
#include "trace/definitions_writer.h"
#include "trace/event_encoder.h"
#include "trace/info_record.h"
#include "trace/losses.h"
#include "trace/open_recording.h"
#include "trace/recording_file.h"

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

}  // namespace

struct TraceWriter::State {
  State(RecordingFile recording, const TraceTables& all_tables)
      : file(std::move(recording)), tables(all_tables), definitions(all_tables), events(definitions) {}

  template <typename Event>
  void add(const Event& event) {
    events.add(event);
    if (events.size() + definitions.size() >= full_block_bytes || events.count() >= full_block_events) close_block();
  }
  void lose(const Loss& loss) {
    add_loss(new_losses, loss);
    add_loss(all_losses, loss);
  }
  void close_block();
  void close_end_block(const TraceInfo& final);
  std::string seal(BlockKind kind, std::string_view info);
  std::vector<Loss> losses_without_end_block() const;

  RecordingFile file;
  const TraceTables& tables;
  DefinitionsWriter definitions;
  EventEncoder events;
  std::vector<Loss> new_losses;  // since the last block
  std::vector<Loss> all_losses;  // what the end block says; blocks may get lost, and their losses with them
  bool finished = false;
};

std::string TraceWriter::State::seal(BlockKind kind, std::string_view info) {
  BlockHeader facts{.kind = static_cast<uint16_t>(kind),
                    .version = block_version,
                    .first_time = events.first_time(),
                    .last_time = events.last_time(),
                    .event_count = events.count()};
  bool has_events = events.count() > 0;
  std::string raw_events = events.take();
  if (!has_events) raw_events.clear();
  if (definitions.names_cut() > 0) {
    lose({.kind = LossKind::name_truncated,
          .count = definitions.names_cut(),
          .detail = "names left out of one very large block"});
  }
  std::string raw_definitions = definitions.take(kind == BlockKind::end ? all_losses : new_losses, info);
  if (raw_events.size() > max_raw_size || raw_definitions.size() > max_raw_size) {
    lose({.kind = LossKind::memory_limit,
          .count = facts.event_count,
          .detail = "events of a block too large to be recorded"});
    return {};
  }
  new_losses.clear();
  return seal_block(facts, raw_definitions, raw_events);
}

void TraceWriter::State::close_block() {
  if (events.count() == 0 && new_losses.empty()) return;
  std::string block = seal(BlockKind::events, {});
  if (!block.empty()) file.append(std::move(block));
}

// The end block has no events. It defines every process once more, as it was in the end.
void TraceWriter::State::close_end_block(const TraceInfo& final) {
  if (file.blocks_dropped() > 0) {
    lose({.kind = LossKind::write_failed, .count = file.blocks_dropped(), .detail = file.last_failure()});
  }
  for (size_t i = 1; i < tables.processes.size(); ++i) definitions.local(id_at<ProcessId>(i));
  std::string block = seal(BlockKind::end, encode_info(final));
  if (!block.empty()) file.append(std::move(block));
}

TraceWriter::TraceWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}

TraceWriter::~TraceWriter() {
  if (!state_->finished) flush();
}

Result<std::unique_ptr<TraceWriter>> TraceWriter::create(const std::string& path, const TraceTables& tables,
                                                         const TraceInfo& info) {
  auto file = RecordingFile::create(path);
  if (!file) return tl::unexpected<Error>(std::move(file).error());
  CULPRIT_TRY(file->write_header(file_header(info)));
  return std::unique_ptr<TraceWriter>(new TraceWriter(std::make_unique<State>(std::move(*file), tables)));
}

Result<std::unique_ptr<TraceWriter>> TraceWriter::create_temporary(const TraceTables& tables, const TraceInfo& info) {
  auto file = RecordingFile::create_temporary();
  if (!file) return tl::unexpected<Error>(std::move(file).error());
  CULPRIT_TRY(file->write_header(file_header(info)));
  return std::unique_ptr<TraceWriter>(new TraceWriter(std::make_unique<State>(std::move(*file), tables)));
}

void TraceWriter::on_handle(const HandleEvent& event) { state_->add(event); }
void TraceWriter::on_process(const ProcessEvent& event) { state_->add(event); }
void TraceWriter::on_thread(const ThreadEvent& event) { state_->add(event); }
void TraceWriter::on_snapshot(const HandleSnapshot& snapshot) { state_->add(snapshot); }
void TraceWriter::on_mark(const Mark& mark) { state_->add(mark); }
void TraceWriter::on_loss(const Loss& loss) { state_->lose(loss); }

void TraceWriter::flush() {
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

// What the end block would say if it were written now.
std::vector<Loss> TraceWriter::State::losses_without_end_block() const {
  std::vector<Loss> losses = all_losses;
  if (uint64_t missing = file.blocks_dropped() + file.blocks_waiting(); missing > 0) {
    add_loss(losses, {.kind = LossKind::write_failed, .count = missing, .detail = file.last_failure()});
  }
  return losses;
}

Result<std::unique_ptr<Trace>> TraceWriter::reopen() {
  if (!state_->finished) flush();
  auto number =
      checked("cannot reopen " + state_->file.name(), [&] { return ::fcntl(state_->file.fd(), F_DUPFD_CLOEXEC, 3); });
  if (!number) return tl::unexpected<Error>(std::move(number).error());
  return open_own_recording(Fd(*number), state_->file.name(), state_->losses_without_end_block(), !state_->finished);
}

uint64_t TraceWriter::bytes_written() const { return state_->file.size(); }

}  // namespace culprit
