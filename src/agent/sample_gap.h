// How far it is to the next sampled byte, where one of every so many is: exponentially distributed, so that a block is
// sampled with the chance 1 - exp(-size / mean), whatever was allocated before it. In whole numbers, as the agent may
// not touch the registers of others.
#pragma once

#include <stdint.h>

namespace culprit::agent {

// The next of a sequence that looks like chance (splitmix64, public domain).
inline uint64_t next_random(uint64_t& state) {
  uint64_t mixed = state += 0x9e3779b97f4a7c15ull;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ull;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebull;
  return mixed ^ (mixed >> 31);
}

// -log2(random / 2^64), in units of 2^-32. 0 counts as 1.
inline uint64_t minus_log2(uint64_t random) {
  random |= random == 0;
  int leading = __builtin_clzll(random);
  uint64_t mantissa = random << leading;  // in [1, 2), in units of 2^-63
  uint64_t fraction = 0;
  for (int bit = 31; bit >= 0; --bit) {  // squaring doubles the logarithm
    auto square = static_cast<unsigned __int128>(mantissa) * mantissa;
    bool is_two_or_more = (square >> 127) != 0;
    if (is_two_or_more) fraction |= uint64_t{1} << bit;
    mantissa = static_cast<uint64_t>(square >> (is_two_or_more ? 64 : 63));
  }
  return (static_cast<uint64_t>(leading + 1) << 32) - fraction;
}

inline uint64_t sample_gap(uint64_t random, uint64_t mean) {
  constexpr uint64_t ln2 = 0xb17217f7;  // in units of 2^-32
  auto nepers = static_cast<unsigned __int128>(minus_log2(random)) * ln2 >> 32;
  return static_cast<uint64_t>(nepers * mean >> 32);
}

}  // namespace culprit::agent
