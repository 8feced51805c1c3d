// The functions that stand in front of the program's allocator, and what lies behind them.
#pragma once

#include <stdint.h>

namespace culprit::agent {

struct Front {
  const char* name;      // as the program knows it
  const void* function;  // ours
  void** real;           // where the address of the real one is kept
};

// malloc and its family, and behind them, in one array, operator new and delete in all forms.
inline constexpr uint32_t malloc_front_count = 9, new_front_count = 8, delete_front_count = 12;
inline constexpr uint32_t front_count = malloc_front_count + new_front_count + delete_front_count;
const Front* all_fronts();

}  // namespace culprit::agent
