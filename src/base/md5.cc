#include "base/md5.h"

#include <bit>
#include <cmath>
#include <vector>

namespace culprit {
namespace {

using State = std::array<uint32_t, 4>;

// RFC 1321, 3.4: the integer part of 4294967296 times abs(sin(i)).
const std::array<uint32_t, 64>& sines() {
  static const auto table = [] {
    std::array<uint32_t, 64> values{};
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<uint32_t>(std::floor(std::fabs(std::sin(static_cast<double>(i + 1))) * 4294967296.0));
    return values;
  }();
  return table;
}

constexpr uint8_t rotations[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

void add_block(State& state, Bytes block) {
  std::array<uint32_t, 16> words{};
  std::memcpy(words.data(), block.data(), sizeof words);
  auto [a, b, c, d] = state;
  for (unsigned i = 0; i < 64; ++i) {
    unsigned round = i / 16;
    uint32_t mixed = 0;
    unsigned word = 0;
    if (round == 0) mixed = (b & c) | (~b & d), word = i;
    if (round == 1) mixed = (d & b) | (~d & c), word = 5 * i + 1;
    if (round == 2) mixed = b ^ c ^ d, word = 3 * i + 5;
    if (round == 3) mixed = c ^ (b | ~d), word = 7 * i;
    uint32_t sum = a + mixed + sines()[i] + words[word % 16];
    a = d;
    d = c;
    c = b;
    b += std::rotl(sum, rotations[round][i % 4]);
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
}

}  // namespace

std::array<uint8_t, 16> md5(Bytes message) {
  std::vector<std::byte> padded(message.begin(), message.end());
  padded.push_back(std::byte{0x80});
  while (padded.size() % 64 != 56) padded.push_back(std::byte{0});
  uint64_t bits = message.size() * 8;
  for (unsigned i = 0; i < 8; ++i) padded.push_back(static_cast<std::byte>(bits >> (8 * i) & 0xff));
  State state{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  for (size_t at = 0; at < padded.size(); at += 64) add_block(state, Bytes(padded).subspan(at, 64));
  std::array<uint8_t, 16> digest{};
  std::memcpy(digest.data(), state.data(), digest.size());
  return digest;
}

}  // namespace culprit
