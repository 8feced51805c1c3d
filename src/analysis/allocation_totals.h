// Works out, from a recording's allocations in one pass, what each stack (or size) has allocated, what of it lives at
// the end, what lived when most memory was in use, and what was temporary.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "analysis/live_blocks.h"
#include "analysis/memory_ledger.h"
#include "model/event_sink.h"

namespace culprit {

enum class AllocationKey : uint8_t { stack, size };

// A recording has handles, too; losses of these say nothing about memory.
bool is_about_handles(LossKind kind);

class AllocationTotals final : public EventSink {
 public:
  // `tables` must outlive it. Events must come in order of time.
  AllocationTotals(const TraceTables& tables, AllocationKey key, const MemoryLedger::Window& window);

  void on_allocation(const AllocationEvent& event) override;
  void on_allocations(std::span<const AllocationEvent> events) override;
  void on_process(const ProcessEvent& event) override;
  void on_handle(const HandleEvent&) override {}
  void on_thread(const ThreadEvent&) override {}
  void on_snapshot(const HandleSnapshot&) override {}
  void on_mark(const Mark&) override {}
  void on_unreachable(const UnreachableBlocks& unreachable) override;
  void on_loss(const Loss& loss) override { losses_.push_back(loss); }

  // Once, after the last event.
  void finish();

  const MemoryLedger& ledger() const { return ledger_; }
  const std::vector<Loss>& losses() const { return losses_; }
  uint64_t samples() const { return samples_; }  // blocks of the recording that the estimates are from

 private:
  struct Thread {
    uint32_t made = 0;
  };

  void fetch(const AllocationEvent& event) const;
  void enter(const AllocationEvent& event);
  void allocate(const AllocationEvent& event);
  void release(const AllocationEvent& event);
  void forget(const LiveBlock& block, ProcessMemory& process);
  void leave_all(ProcessId process);
  void count_unreachable(ProcessId process);
  uint32_t total_of(const AllocationEvent& event);
  BlockCount weight_of(uint64_t size) const;

  MemoryLedger ledger_;
  AllocationKey key_;
  std::vector<uint32_t> by_stack_;                  // index: StackId; 0: none yet, else 1 + index of a total
  std::unordered_map<uint64_t, uint32_t> by_size_;  // index of a total
  std::vector<LiveBlocks> live_;                    // index: ProcessId
  std::unordered_map<ProcessId, std::vector<UnreachableBlocks::Block>> unreachable_;
  std::vector<Thread> threads_;
  std::unordered_map<uint64_t, uint32_t> thread_index_;  // by process and tid
  uint64_t last_thread_key_ = 0;
  uint32_t thread_ = 0;
  uint64_t samples_ = 0;
  std::vector<Loss> losses_;
};

}  // namespace culprit
