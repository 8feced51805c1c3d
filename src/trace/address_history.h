// How addresses of blocks are told in a recording: by where an allocator is likely to have them from. Both sides go
// through the events of one thread in the same order and remember the same, so that most addresses are a small number:
//
//   a release is told by how many allocations of this thread back its block was made;
//   an allocation by which of the blocks of its size released last it got (allocators hand out what is warm).
//
// What does not fit is told as the difference to the last address told so. docs/trace-format.md has the rules.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "trace/byte_writer.h"

namespace culprit {

class AddressHistory {
 public:
  // Of a new thread, or a new block of events.
  void clear();

  // What to do when the next event is told to have this code; `reader` side. nullopt: it cannot be.
  std::optional<uint64_t> allocated(uint64_t code, uint64_t size) {
    const uint32_t size_class = class_of(size);
    uint64_t address = 0;
    if (code >= warm_count) {
      address = last_made_ = address_of(code - warm_count, last_made_);
    } else {
      if (size_class == 0) return {};
      Freed& freed = freed_of(size_class);
      if (code >= freed.size()) return {};
      const auto place = freed.end() - 1 - static_cast<ptrdiff_t>(code);
      address = *place;
      freed.erase(place);
    }
    made_.push_back({address, size_class});
    return address;
  }
  // `back` 0: none of this thread's; then the code of the difference follows.
  std::optional<uint64_t> released(uint64_t back) {
    if (back > made_.size()) return {};
    const Made made = made_[made_.size() - back];
    note_released(made);
    return made.address;
  }
  uint64_t released_elsewhere(uint64_t code) { return last_released_ = address_of(code, last_released_); }

 protected:
  struct Made {
    uint64_t address = 0;
    uint32_t size_class = 0;
  };
  using Freed = std::vector<uint64_t>;

  // As glibc does; that it is another allocator costs bytes only. 0: too large to be kept warm.
  static uint32_t class_of(uint64_t size) {
    constexpr uint64_t largest = class_count * 16 - 24;
    return size > largest ? 0 : size <= 24 ? 2 : static_cast<uint32_t>((size + 23) / 16);
  }
  Freed& freed_of(uint32_t size_class) { return freed_[size_class]; }
  void note_released(const Made& made) {
    if (made.size_class != 0) freed_of(made.size_class).push_back(made.address);
  }
  // The difference in steps of 16 bytes where that is possible: blocks lie so far apart in nearly all allocators.
  // No address of a program is so far from another that the bit which the lowest one takes the place of would be
  // needed.
  static uint64_t code_of(uint64_t address, uint64_t expected) {
    const int64_t apart = difference(static_cast<int64_t>(address), static_cast<int64_t>(expected));
    return apart % step == 0 ? zigzag(apart / step) << 1 : zigzag(apart) << 1 | 1;
  }
  static uint64_t address_of(uint64_t code, uint64_t expected) {
    const auto apart = static_cast<uint64_t>(unzigzag(code >> 1));
    return expected + ((code & 1) != 0 ? apart : apart * static_cast<uint64_t>(step));
  }

  static constexpr int64_t step = 16;
  static constexpr uint32_t class_count = 1024;
  static constexpr uint64_t warm_count = 8;  // of the blocks released last

  std::vector<Made> made_;
  uint64_t last_made_ = 0, last_released_ = 0;  // of those told by their difference

 private:
  std::vector<Freed> freed_ = std::vector<Freed>(class_count);  // by class; a stack
};

// The side that writes: finds out what is to be told.
class AddressEncoder : public AddressHistory {
 public:
  void clear();
  void put_allocated(ByteWriter& out, uint64_t address, uint64_t size);
  void put_released(ByteWriter& out, uint64_t address);

 private:
  struct Place {
    uint64_t address = 0;
    uint32_t clearing = 0;  // else it is free
    uint32_t made = 0;      // 1 + index into made_; 0: released
  };
  Place& place_of(uint64_t address);
  void grow();

  std::vector<Place> places_;  // a power of two, linear probing
  size_t used_ = 0;
  uint32_t clearing_ = 1;
};

}  // namespace culprit
