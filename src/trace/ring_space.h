// Where the next block of a circular recording goes: behind the last one, or at the beginning again. Blocks are
// written from lower offsets to higher ones and never wrap, so what a new block overwrites is always the oldest.
#pragma once

#include <algorithm>
#include <cstdint>

namespace culprit {

class RingSpace {
 public:
  // Blocks may take the bytes from `begin` to `end`, the latter not included.
  RingSpace(uint64_t begin, uint64_t end) : begin_(begin), end_(end), next_(begin), wrapped_at_(end) {}

  bool fits(uint64_t size) const { return size <= largest_block(); }
  // A larger block would leave too little of the past beside it.
  uint64_t largest_block() const { return (end_ - begin_) / 4; }

  struct Place {
    uint64_t offset = 0;
    bool starts_lap = false;  // what lies behind the last block is older than all else: the file must end there first
  };
  Place place_for(uint64_t size) const {
    bool over_the_end = size > end_ - next_;
    return over_the_end ? Place{begin_, true} : Place{next_, false};
  }
  void written(const Place& place, uint64_t size) {
    if (place.starts_lap) {
      wrapped_at_ = next_;
      ++lap_;
    }
    next_ = place.offset + size;
  }

  uint64_t next() const { return next_; }
  uint64_t begin() const { return begin_; }
  uint64_t lap() const { return lap_; }
  // What is kept at least, as the last lap showed: less than there is room for when the disk is full.
  uint64_t capacity() const { return wrapped_at_ - begin_; }
  // Whether a block that was written there in that lap is still whole.
  bool survives(uint64_t lap, uint64_t offset) const { return lap == lap_ || (lap + 1 == lap_ && offset >= next_); }

 private:
  uint64_t begin_, end_;
  uint64_t next_;
  uint64_t wrapped_at_;
  uint64_t lap_ = 0;
};

}  // namespace culprit
