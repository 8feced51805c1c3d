// The file a recording is written to: its names, its lock, and blocks that are appended wholly or not at all. A
// circular one ends where it was told to: then the newest block takes the place of the oldest ones.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "trace/ring_space.h"

namespace culprit {

class RecordingFile {
 public:
  // path.partial, locked. Fails when another recorder holds the lock.
  static Result<RecordingFile> create(const std::string& path);
  static Result<RecordingFile> create_temporary();

  // The file header, at the very beginning. Fails when it cannot be written.
  Result<void> write_header(std::string_view header);

  // From here on blocks are kept within so many bytes of file, the newest ones. After the header was written.
  void make_circular(uint64_t bytes) { ring_ = RingSpace(size_, bytes); }
  const std::optional<RingSpace>& ring() const { return ring_; }

  // Appends a sealed block, or keeps it to be tried again with the next one when the write fails. What is kept is
  // bounded: beyond that the block is dropped and counted.
  void append(std::string block);
  // Tries the kept blocks again. False: some are still waiting.
  bool write_waiting();
  // Gives up the kept blocks and counts them as dropped.
  void drop_waiting();

  // Syncs and renames path.partial to path; a temporary file has nothing to be renamed.
  Result<void> complete();

  // Takes the file away, as if nothing had been recorded.
  void remove();

  uint64_t size() const { return size_; }  // of what is known to be written
  uint64_t blocks_written() const { return sequence_; }
  uint64_t blocks_dropped() const { return dropped_; }
  uint64_t blocks_waiting() const { return waiting_.size(); }
  uint64_t bytes_waiting() const { return waiting_bytes_; }
  const std::string& last_failure() const { return last_failure_; }  // a sentence; empty: no write failed
  int fd() const { return fd_.get(); }
  const std::string& name() const { return name_; }  // for errors

 private:
  RecordingFile(Fd fd, std::string path, std::string name)
      : fd_(std::move(fd)), path_(std::move(path)), name_(std::move(name)) {}

  Result<void> write_at(uint64_t offset, std::string_view bytes);
  Result<void> write_block(std::string_view block);
  Result<void> write_into_ring(std::string_view block);

  Fd fd_;
  std::string path_;  // the final one; empty: temporary
  std::string name_;
  uint64_t size_ = 0;
  std::optional<RingSpace> ring_;
  uint64_t sequence_ = 0;
  std::deque<std::string> waiting_;
  size_t waiting_bytes_ = 0;
  uint64_t dropped_ = 0;
  std::string last_failure_;
};

}  // namespace culprit
