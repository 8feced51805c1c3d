// Memory of a live process, also where the process itself may only read: /proc/PID/mem.
#pragma once

#include <cstdint>

#include "base/fd.h"
#include "base/result.h"
#include "model/memory_reader.h"

namespace culprit {

class VictimMemory final : public MemoryReader {
 public:
  // Stays the memory of the program that runs now: after an exec nothing can be read or written any more.
  static Result<VictimMemory> open(uint32_t pid);

  bool read(uint64_t address, std::span<std::byte> into) override;
  // From the beginning of `into` as much as is there: bytes.
  size_t read_some(uint64_t address, std::span<std::byte> into);
  bool write(uint64_t address, Bytes bytes);
  int descriptor() const { return fd_.get(); }
  template <typename Value>
  bool read_value(uint64_t address, Value& value) {
    return read(address, std::as_writable_bytes(std::span(&value, 1)));
  }
  template <typename Value>
  bool write_value(uint64_t address, const Value& value) {
    return write(address, std::as_bytes(std::span(&value, 1)));
  }

 private:
  explicit VictimMemory(Fd fd) : fd_(std::move(fd)) {}

  Fd fd_;
};

}  // namespace culprit
