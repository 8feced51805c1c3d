// Which stack of the trace a stack of the kernel side is: it sends the frames once, then only their hash.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>

#include "capture/code_map.h"
#include "model/trace.h"
#include "unwind/unwinder.h"

namespace culprit {

class BpfStacks {
 public:
  // `limit`: how many stacks are remembered.
  BpfStacks(TraceTables& tables, size_t limit) : tables_(tables), limit_(limit) {}

  struct Stack {
    StackId id = StackId::none;
    bool is_truncated = false;
  };
  Stack define(uint64_t hash, std::span<const uint64_t> frames, bool is_truncated, const CodeMap& code);
  // One that was walked here.
  StackId intern(const WalkedStack& walked, const CodeMap& code);
  // Not known: its definition was lost, or it was forgotten.
  const Stack* find(uint64_t hash) const;

  // More stacks than the limit: the kernel side has to begin a new epoch, after which old ones are forgotten.
  bool is_full() const { return current_.size() >= limit_; }
  void begin_epoch();

 private:
  TraceTables& tables_;
  size_t limit_;
  std::unordered_map<uint64_t, Stack> current_, before_;
};

}  // namespace culprit
