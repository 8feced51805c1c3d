// Memory of a live process, read in slices: the words an unwinder asks for lie close together. Which of them is known
// is forgotten by forget(), to be called whenever the process may have run.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "unwind/memory_reader.h"

namespace culprit {

class ProcessMemory final : public MemoryReader {
 public:
  // Needs the right to ptrace the process or thread.
  explicit ProcessMemory(uint32_t pid) : pid_(pid) {}

  bool read(uint64_t address, std::span<std::byte> into) override;
  void forget() { size_ = 0; }

 private:
  size_t fetch(uint64_t address, std::span<std::byte> into) const;

  uint32_t pid_;
  uint64_t start_ = 0;
  size_t size_ = 0;
  static constexpr size_t slice_bytes = 16384;
  alignas(8) std::array<std::byte, slice_bytes> slice_;
};

}  // namespace culprit
