#include "capture/bpf_event.h"

#include <cstring>

namespace culprit {
namespace {

std::vector<uint64_t> words_at(Bytes bytes, size_t at, size_t count) {
  std::vector<uint64_t> words(count);
  if (count > 0) memcpy(words.data(), bytes.data() + at, count * sizeof(uint64_t));
  return words;
}

}  // namespace

std::optional<BpfEvent> parse_bpf_event(Bytes bytes) {
  BpfEvent event;
  if (bytes.size() < sizeof(event.header)) return std::nullopt;
  memcpy(&event.header, bytes.data(), sizeof(event.header));
  const culprit_bpf_event& header = event.header;
  size_t words = size_t{header.frame_count} + header.word_count;
  if (sizeof(header) + words * 8 + header.copy_bytes + header.name_bytes > bytes.size()) return std::nullopt;
  size_t at = sizeof(header);
  event.frames = words_at(bytes, at, header.frame_count);
  at += size_t{header.frame_count} * 8;
  event.words = words_at(bytes, at, header.word_count);
  at += size_t{header.word_count} * 8;
  constexpr size_t registers = 3;
  if (header.copy_bytes >= registers * 8) {
    std::vector<uint64_t> values = words_at(bytes, at, registers);
    Bytes stack = bytes.subspan(at + registers * 8, header.copy_bytes - registers * 8);
    event.copy = {values[0], values[1], values[2], {stack.begin(), stack.end()}};
  }
  at += header.copy_bytes;
  event.name = {reinterpret_cast<const char*>(bytes.data()) + at, header.name_bytes};
  return event;
}

}  // namespace culprit
