#include "view/json.h"

namespace culprit {

namespace {

// The length of the well-formed UTF-8 sequence that `text` begins with; 0: it begins with none (Unicode 15, table 3-7).
size_t sequence_length(std::string_view text) {
  auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
  unsigned char first = byte(0);
  if (first < 0x80) return 1;
  size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  unsigned char least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  unsigned char most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < least || byte(1) > most) return 0;
  for (size_t at = 2; at < length; ++at)
    if (byte(at) < 0x80 || byte(at) > 0xbf) return 0;
  return length;
}

}  // namespace

std::string utf8(std::string_view foreign) {
  std::string text;
  while (!foreign.empty()) {
    size_t length = sequence_length(foreign);
    text += length == 0 ? std::string_view("\xef\xbf\xbd") : foreign.substr(0, length);
    foreign.remove_prefix(length == 0 ? 1 : length);
  }
  return text;
}

std::string json_text(const Json& value) { return value.dump(2) + "\n"; }

}  // namespace culprit
