// Writes a recording (docs/trace-format.md). What an outsider can observe of x.culprit while one is written:
//
//   x.culprit.partial, locked (flock)   being recorded; readable up to its last whole block
//   x.culprit.partial, not locked       its recorder died; readable up to its last whole block
//   x.culprit                           complete: the end block was synced to the disk before the file got this name
//
// An x.culprit that exists keeps its old content until finish() replaces it in one step. A left-over x.culprit.partial
// without lock is overwritten; one with a lock makes create() fail.
//
// A write that fails (disk full, quota, I/O error) is not the caller's concern: the block is kept and tried again with
// the next one, up to a bound; what goes beyond the bound is counted as Loss write_failed.
//
// Bounds (WriterLimits): with `max_size` the recording is full at some point: what comes later is refused, and counted
// as size_limit. With `circular` the newest blocks take the place of the oldest; the file is never larger than that.
//
// Not thread-safe: one thread calls everything, and nobody changes the tables during a call.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/event_sink.h"
#include "model/open_handle_source.h"
#include "model/trace.h"

namespace culprit {

class RecordingFile;

struct WriterLimits {
  uint64_t max_size = 0;                     // bytes; 0: none. At least trace_format::smallest_recording, as is:
  uint64_t circular = 0;                     // bytes; 0: not circular
  OpenHandleSource* open_handles = nullptr;  // of a circular recording; must outlive the writer
};

class TraceWriter : public EventSink {
 public:
  // `tables` must outlive the writer; events name things by the ids of these tables. `info` is what is known at the
  // start.
  static Result<std::unique_ptr<TraceWriter>> create(const std::string& path, const TraceTables& tables,
                                                     const TraceInfo& info, const WriterLimits& limits = {});
  // A recording without a name, gone with the last use: in $TMPDIR (or /tmp), in memory where that cannot be had.
  static Result<std::unique_ptr<TraceWriter>> create_temporary(const TraceTables& tables, const TraceInfo& info,
                                                               const WriterLimits& limits = {});

  // Without finish(), what was recorded stays in the .partial file up to the last flush().
  ~TraceWriter() override;

  // Events may come in any order of time; equal times keep the order of these calls.
  void on_handle(const HandleEvent& event) override;
  void on_process(const ProcessEvent& event) override;
  void on_thread(const ThreadEvent& event) override;
  void on_snapshot(const HandleSnapshot& snapshot) override;
  void on_mark(const Mark& mark) override;
  void on_allocation(const AllocationEvent& event) override;
  void on_mapping(const MappingEvent& mapping) override;
  void on_unreachable(const UnreachableBlocks& unreachable) override;
  void on_loss(const Loss& loss) override;

  // Everything up to here survives the end of this process. Costs a block's worth of definitions: about once a second.
  void flush();

  // The recording has its full size: everything is refused from now on.
  bool is_full() const;
  // From when on a circular recording is complete, as far as the writer can tell; 0: from its beginning.
  Time complete_from() const;
  // A sentence about the last write that failed; empty: there was none. And whether blocks are waiting for room now.
  const std::string& last_failure() const;
  bool is_waiting_for_room() const;
  uint64_t blocks_lost() const;  // that were given up, as they could not be written

  // Writes the end block, syncs, and gives the file its name. After an error the .partial file stays as it is.
  // Nothing may be recorded afterwards.
  Result<void> finish(const TraceInfo& final);

  // Takes the file away, as if nothing had been recorded. Nothing may be called afterwards.
  void discard();

  // The recording as written so far, through the file that is open here: works for a temporary one, and when finish()
  // failed, or the directory is gone. Includes the losses that could not be written. Usually after finish().
  Result<std::unique_ptr<Trace>> reopen();

  uint64_t bytes_written() const;

 private:
  struct State;
  static Result<std::unique_ptr<TraceWriter>> begin(Result<RecordingFile> file, const TraceTables& tables,
                                                    const TraceInfo& info, const WriterLimits& limits);
  explicit TraceWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace culprit
