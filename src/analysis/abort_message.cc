#include "analysis/abort_message.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "analysis/memory_piece.h"
#include "format/fields.h"

namespace culprit {

std::string read_abort_message(Target& target, TargetNames& names) {
  constexpr size_t longest = 4096;
  auto variable = names.address_of("__abort_msg");
  auto message = variable ? target.memory().word(*variable) : std::nullopt;
  if (!message || *message == 0) return {};
  MemoryPiece piece = read_memory_piece(target.memory(), *message + sizeof(uint32_t), longest);
  std::string text;
  for (size_t i = 0; i < piece.bytes.size() && piece.known[i] && piece.bytes[i] != std::byte{0}; ++i)
    text += static_cast<char>(piece.bytes[i]);
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

std::optional<FailedAssertion> parse_assertion(std::string_view message) {
  constexpr std::string_view before = "Assertion `", behind = "' failed.";
  size_t from = message.find(before), to = message.rfind(behind);
  if (from == message.npos || to == message.npos || to < from + before.size()) return {};
  FailedAssertion found;
  found.expression = message.substr(from + before.size(), to - from - before.size());
  std::string_view place = message.substr(0, from);
  // Program, file and line, each with ": " behind it, and the function, if the compiler told it.
  size_t program = place.find(": ");
  if (program != place.npos) place.remove_prefix(program + 2);
  size_t end = place.find(": ");
  std::string_view file = place.substr(0, end);
  size_t colon = file.rfind(':');
  auto line = colon == file.npos ? std::nullopt : leading_number<uint32_t>(file.substr(colon + 1), 10);
  if (!line) return found;
  found.file = file.substr(0, colon);
  found.line = *line;
  if (end != place.npos) place.remove_prefix(end + 2);
  if (place.ends_with(": ")) found.function = place.substr(0, place.size() - 2);
  return found;
}

}  // namespace culprit
