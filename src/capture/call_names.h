// What system calls are called, for events.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "model/trace.h"

namespace culprit {

// Interned once.
class CallNames {
 public:
  struct Entry {
    StringId call, type, name;
  };
  explicit CallNames(TraceTables& tables) : tables_(tables) {}
  const Entry& of(uint16_t number, uint64_t extra);

 private:
  TraceTables& tables_;
  std::unordered_map<uint64_t, Entry> entries_;
};

}  // namespace culprit
