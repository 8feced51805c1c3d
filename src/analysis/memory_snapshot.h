// A copy of the memory of a target that may hold pointers, made while it stands still and looked at when it runs again.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/mapping.h"
#include "base/result.h"
#include "target/target.h"

namespace culprit {

// Whether pointers of the program's may lie there: what it may write, and what it could write before it was protected,
// as the loader protects what it has relocated (RELRO), and programs what they have set up: also what they have written
// into their own copy of a file. Not what is shared with a culprit that records it, which is full of addresses of its
// blocks.
bool may_hold_pointers(Target& target, const TargetMapping& mapping);

inline constexpr Time no_deadline = INT64_MAX;

class MemorySnapshot final : public MemoryReader {
 public:
  // Makes room before the target is stopped, so that it stands still only for the copying. limit: too little memory is
  // free for it.
  static Result<MemorySnapshot> make_room(Target& target);
  // A copy of these only, which ascend, now that the target stands still. limit: as above.
  static Result<MemorySnapshot> of(Target& target, std::span<const AddressRange> ranges);

  // While the target stands still, until `deadline` (monotonic_now()). What does not fit, as it has grown meanwhile, or
  // cannot be read, is left out. False: there was no time for all; copy_rest() goes on.
  bool copy(Target& target, Time deadline = no_deadline);
  void copy_rest(Target& target);

  // Of one piece.
  bool read(uint64_t address, std::span<std::byte> into) override;
  // What lies from an address on, up to the end of its piece; empty: nothing does.
  Bytes at(uint64_t address) const;

  struct Piece {
    uint64_t start = 0;
    Bytes bytes;

    uint64_t end() const { return start + bytes.size(); }
  };
  const std::vector<Piece>& pieces() const { return pieces_; }  // ascending
  uint64_t bytes_left_out() const { return left_out_; }

 private:
  static Result<MemorySnapshot> with_room(uint64_t bytes);
  void copy_range(Target& target, AddressRange range, Time deadline);
  void copy_piece(MemoryReader& memory, AddressRange range);

  Mapping room_;
  uint64_t used_ = 0, left_out_ = 0;
  std::vector<Piece> pieces_;
  std::vector<AddressRange> rest_;  // ascending
};

}  // namespace culprit
