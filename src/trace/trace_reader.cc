#include "trace/trace_reader.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/syscall.h"
#include "trace/block_scan.h"
#include "trace/losses.h"
#include "trace/open_recording.h"
#include "trace/replay.h"

namespace culprit {

namespace {

// What the process that still holds the writer knows better than the file.
struct RecorderKnows {
  std::vector<Loss> losses;
  bool being_recorded = false;
};

class Recording : public Trace {
 public:
  explicit Recording(RecordingBytes bytes) : bytes_(std::move(bytes)), definitions_(tables_) {}

  Result<void> open(const std::string& name, Checksums checksums, const RecorderKnows* recorder);

  const TraceInfo& info() const override { return info_; }
  const TraceTables& tables() const override { return tables_; }
  Result<void> replay(EventSink& sink) override;

 private:
  void note_incomplete();
  void note_damage(const BlockScan& scan);
  void note_window(ScannedWindow& window);

  RecordingBytes bytes_;
  TraceTables tables_;
  DefinitionsReader definitions_;
  TraceInfo info_;
  std::vector<ScannedBlock> checkpoint_;  // what was open when the window of a circular recording began
  std::vector<ScannedBlock> blocks_;      // in order of their first events
  std::vector<Loss> losses_;
};

Result<void> Recording::open(const std::string& name, Checksums checksums, const RecorderKnows* recorder) {
  bool locked = recorder == nullptr && bytes_.locked();  // asked first: it may finish while we read
  auto header = read_file_header(bytes_, name, checksums);
  if (!header) return tl::unexpected<Error>(std::move(header).error());
  auto scan_all = header->info.circular != 0 ? scan_ring : scan_blocks;
  BlockScan scan = scan_all(bytes_, header->end, definitions_, checksums);

  info_ = scan.has_end ? *definitions_.final_info() : header->info;
  info_.complete = scan.has_end;
  info_.being_recorded = !scan.has_end && (recorder != nullptr ? recorder->being_recorded : locked);
  losses_ = definitions_.losses();
  if (recorder != nullptr && !scan.has_end) {
    losses_.clear();
    for (Loss loss : recorder->losses) {
      loss.process = definitions_.process_recorded_as(index_of(loss.process));
      add_loss(losses_, loss);
    }
  }
  note_damage(scan);
  if (scan.window) note_window(*scan.window);
  blocks_ = std::move(scan.blocks);
  if (!scan.has_end) note_incomplete();
  // Blocks are taken up in this order during replay; among equals the one recorded first.
  for (uint32_t i = 0; i < blocks_.size(); ++i) blocks_[i].recorded = i;
  std::stable_sort(blocks_.begin(), blocks_.end(), [](const ScannedBlock& a, const ScannedBlock& b) {
    return a.header.first_time < b.header.first_time;
  });
  return {};
}

void Recording::note_damage(const BlockScan& scan) {
  if (scan.damaged > 0) {
    add_loss(losses_, {.kind = LossKind::block_damaged,
                       .count = scan.damaged,
                       .detail = fmt::format("the first at offset {}", scan.first_damage)});
  }
  if (scan.unknown > 0) {
    add_loss(losses_, {.kind = LossKind::block_damaged,
                       .count = scan.unknown,
                       .detail = "made by a newer culprit, unknown to this one"});
  }
  if (scan.over_limit > 0) {
    add_loss(losses_, {.kind = LossKind::memory_limit,
                       .count = scan.over_limit,
                       .detail = "blocks of the recording that define too much"});
  }
}

// As unsigned: both are claims, and their difference may be anything.
double seconds_between(Time from, Time to) {
  return static_cast<double>(static_cast<uint64_t>(to) - static_cast<uint64_t>(from)) / 1e9;
}

void Recording::note_window(ScannedWindow& window) {
  info_.complete_from = window.complete_from;
  checkpoint_ = std::move(window.checkpoint);
  std::string detail = fmt::format("it is complete from {:.3f} s after its start on; ",
                                   seconds_between(info_.started, window.complete_from));
  detail += checkpoint_.empty() ? "what was open then is not known"
                                : "of what was before, the handles that were open then are known";
  add_loss(losses_, {.kind = LossKind::window_moved_on, .count = window.events_before, .detail = std::move(detail)});
}

void Recording::note_incomplete() {
  // The header is as old as the recording, and memory may have been recorded only later.
  const auto of_allocations = static_cast<uint16_t>(trace_format::BlockKind::allocations);
  if (info_.allocations == 0 &&
      std::ranges::any_of(blocks_, [&](const ScannedBlock& block) { return block.header.kind == of_allocations; }))
    info_.allocations = 1;
  Time known_until = info_.started;
  for (const ScannedBlock& block : blocks_) known_until = std::max(known_until, block.header.last_time);
  info_.ended = known_until;
  double seconds = seconds_between(info_.started, known_until);
  std::string until = blocks_.empty() ? std::string("there are no events yet")
                                      : fmt::format("events are known up to {:.3f} s after its start", seconds);
  add_loss(losses_, {.kind = LossKind::recording_incomplete,
                     .count = 1,
                     .detail = info_.being_recorded ? "it is still being recorded; " + until
                                                    : "its recorder did not finish, or the end was cut off; " + until});
}

Result<void> Recording::replay(EventSink& sink) {
  ReplayLosses carried = replay_carried(bytes_, checkpoint_, sink);
  ReplayLosses found = replay_blocks(bytes_, blocks_, sink);
  found.damaged += carried.damaged;
  found.overwritten += carried.overwritten;
  std::vector<Loss> losses = losses_;
  if (found.overwritten > 0) {
    add_loss(losses, {.kind = LossKind::window_moved_on,
                      .count = found.overwritten,
                      .detail = "blocks of events that the recorder overwrote while they were read"});
  }
  if (found.damaged > 0) {
    add_loss(losses,
             {.kind = LossKind::block_damaged, .count = found.damaged, .detail = "their events contradict the format"});
  }
  if (found.unknown > 0) {
    add_loss(losses, {.kind = LossKind::block_damaged,
                      .count = found.unknown,
                      .detail = "events made by a newer culprit, of a kind unknown to this one"});
  }
  if (found.over_limit > 0) {
    add_loss(losses, {.kind = LossKind::memory_limit,
                      .count = found.over_limit,
                      .detail = "blocks of the recording that overlap too many others"});
  }
  for (const Loss& loss : losses) sink.on_loss(loss);
  return {};
}

Result<std::unique_ptr<Trace>> open_bytes(RecordingBytes bytes, const std::string& name, Checksums checksums,
                                          const RecorderKnows* recorder) {
  auto recording = std::make_unique<Recording>(std::move(bytes));
  CULPRIT_TRY(recording->open(name, checksums, recorder));
  return recording;
}

}  // namespace

Result<std::unique_ptr<Trace>> open_trace(const std::string& path) {
  // Without O_NONBLOCK, opening a FIFO would wait for its writer.
  auto file = open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file) return tl::unexpected<Error>(std::move(file).error());
  auto bytes = RecordingBytes::of_file(std::move(*file), path);
  if (!bytes) return tl::unexpected<Error>(std::move(bytes).error());
  return open_bytes(std::move(*bytes), path, Checksums::verify, nullptr);
}

Result<std::unique_ptr<Trace>> open_trace_in_memory(Bytes recording, const std::string& name, Checksums checksums) {
  return open_bytes(RecordingBytes(recording), name, checksums, nullptr);
}

Result<std::unique_ptr<Trace>> open_own_recording(Fd fd, const std::string& name, const std::vector<Loss>& losses,
                                                  bool being_recorded) {
  auto bytes = RecordingBytes::of_file(std::move(fd), name);
  if (!bytes) return tl::unexpected<Error>(std::move(bytes).error());
  RecorderKnows recorder{losses, being_recorded};
  return open_bytes(std::move(*bytes), name, Checksums::verify, &recorder);
}

}  // namespace culprit
