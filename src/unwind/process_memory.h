// Memory of a live process, read in slices: the words an unwinder asks for lie close together. Which of them is known
// is forgotten by forget(), to be called whenever the process may have run.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "model/memory_reader.h"

namespace culprit {

class ProcessMemory final : public MemoryReader {
 public:
  // Needs the right to ptrace the process or thread.
  explicit ProcessMemory(uint32_t pid, size_t slice = most_slice_bytes)
      : pid_(pid), slice_bytes_(std::min(slice, most_slice_bytes)) {}

  bool read(uint64_t address, std::span<std::byte> into) override;
  void forget() { size_ = 0; }

 private:
  size_t fetch(uint64_t address, std::span<std::byte> into) const;

  static constexpr size_t most_slice_bytes = 16384;
  uint32_t pid_;
  size_t slice_bytes_;
  uint64_t start_ = 0;
  size_t size_ = 0;
  alignas(8) std::array<std::byte, most_slice_bytes> slice_;
};

}  // namespace culprit
