#include "format/musl_heap.h"

namespace culprit {

namespace {

constexpr uint64_t area_alignment = 4096;
constexpr uint64_t end_of_user_space = uint64_t{1} << 47;

// Offsets in struct malloc_context.
constexpr size_t at_secret = 0, at_init_done = 8, at_first_area = 56, at_last_area = 64, read_of_it = 72;

template <typename Value>
Value value_at(Bytes bytes, size_t offset) {
  Value value{};
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

bool is_area(uint64_t address) { return address != 0 && address % area_alignment == 0 && address < end_of_user_space; }

}  // namespace

std::vector<MuslHeap> find_musl_heaps(Bytes bytes) {
  std::vector<MuslHeap> found;
  for (size_t at = 0; at + read_of_it <= bytes.size(); at += sizeof(uint64_t)) {
    const Bytes here = bytes.subspan(at);
    const MuslHeap heap{value_at<uint64_t>(here, at_secret), value_at<uint64_t>(here, at_first_area),
                        value_at<uint64_t>(here, at_last_area)};
    const bool fits = heap.secret != 0 && value_at<uint32_t>(here, at_init_done) == 1 && is_area(heap.first_area) &&
                      is_area(heap.last_area);
    if (fits) found.push_back(heap);
  }
  return found;
}

}  // namespace culprit
