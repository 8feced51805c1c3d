// The bytes of a recording, in a file or in memory. A file is read, not mapped: a recording that its recorder cuts back
// while we look (its disk is full) must not end us by SIGBUS. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"

namespace culprit {

class RecordingBytes {
 public:
  explicit RecordingBytes(Bytes memory) : memory_(memory), size_(memory.size()) {}
  // Fails for what is no regular file.
  static Result<RecordingBytes> of_file(Fd fd, const std::string& name);

  uint64_t size() const { return size_; }  // when it was opened

  // Exactly `count` bytes, which may be kept in `buffer`; nullopt where there are not as many, or they cannot be read.
  std::optional<Bytes> read(uint64_t offset, uint64_t count, std::string& buffer) const;
  // Where `text` begins at or after `offset`; size() when nowhere.
  uint64_t find(std::string_view text, uint64_t offset) const;
  // Another process holds the recorder's lock.
  bool locked() const;

 private:
  RecordingBytes(Fd fd, uint64_t size) : fd_(std::move(fd)), size_(size) {}

  Fd fd_;
  Bytes memory_;
  uint64_t size_ = 0;
};

}  // namespace culprit
