#include "target/stack_copy.h"

#include <algorithm>
#include <cstring>

namespace culprit {
namespace {

constexpr uint64_t red_zone = 128;  // below the stack pointer, and in use (System V ABI)
constexpr uint64_t piece_bytes = 16384;
constexpr uint64_t most_bytes = 4 << 20;             // of one stopped thread
constexpr uint64_t unknown_stack_bytes = 256 << 10;  // where nobody knows where it ends

}  // namespace

const StackCopy::Piece* StackCopy::piece_with(uint64_t address, size_t size) const {
  for (const Piece& piece : pieces_) {
    uint64_t offset = address - piece.start;
    if (address >= piece.start && offset <= piece.bytes.size() && size <= piece.bytes.size() - offset) return &piece;
  }
  return nullptr;
}

void StackCopy::add(uint64_t start, uint64_t size) {
  Piece& piece = pieces_.emplace_back();
  piece.start = start;
  piece.bytes.resize(size);
  piece.bytes.resize(space_.memory().read_some(start, piece.bytes));
}

bool StackCopy::has_moved() {
  if (!has_moved_) has_moved_ = !still_stands(pid_, tid_, *standing_);
  return has_moved_;
}

bool StackCopy::copy_beginning(uint64_t sp) {
  add(sp - red_zone, piece_bytes);
  return !has_moved();
}

void StackCopy::copy_all(uint64_t sp) {
  standing_.reset();
  has_moved_ = false;
  pieces_.clear();
  const TargetMapping* mapping = space_.mapping_at(sp);
  uint64_t size = mapping != nullptr ? std::min(mapping->end - sp, most_bytes) : unknown_stack_bytes;
  add(sp - red_zone, size + red_zone);
}

bool StackCopy::read(uint64_t address, std::span<std::byte> into) {
  const Piece* piece = piece_with(address, into.size());
  if (piece == nullptr && standing_ && !has_moved_) {
    add(address, std::max<uint64_t>(into.size(), piece_bytes));
    if (!has_moved()) piece = piece_with(address, into.size());
  }
  if (piece != nullptr) {
    memcpy(into.data(), piece->bytes.data() + (address - piece->start), into.size());
    return true;
  }
  // Code does not change; what can be written may be another thing by now.
  const TargetMapping* mapping = space_.mapping_at(address);
  return mapping != nullptr && !mapping->is_writable && space_.memory().read(address, into);
}

}  // namespace culprit
