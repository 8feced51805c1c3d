// The stack of one thread of a live process, as it was where its registers say.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/memory_reader.h"
#include "target/live_space.h"
#include "target/thread_look.h"

namespace culprit {

// Of a thread that stands, more is copied when it is asked for, as long as it has not run. Of one that was stopped and
// runs again, everything was copied while it stood.
class StackCopy final : public MemoryReader {
 public:
  // `standing`: of a thread that was not stopped. `space` must outlive this.
  StackCopy(LiveSpace& space, uint32_t pid, uint32_t tid, std::optional<Standing> standing = {})
      : space_(space), pid_(pid), tid_(tid), standing_(std::move(standing)) {}

  // What lies at the stack pointer and above: of a standing thread the beginning, with false if it has run meanwhile.
  bool copy_beginning(uint64_t sp);
  void copy_all(uint64_t sp);

  bool read(uint64_t address, std::span<std::byte> into) override;

 private:
  struct Piece {
    uint64_t start = 0;
    std::vector<std::byte> bytes;
  };
  const Piece* piece_with(uint64_t address, size_t size) const;
  void add(uint64_t start, uint64_t size);
  bool has_moved();

  LiveSpace& space_;
  uint32_t pid_, tid_;
  std::optional<Standing> standing_;
  bool has_moved_ = false;
  std::vector<Piece> pieces_;
};

}  // namespace culprit
