// A process that is debugged, as a target: its threads with all registers where they stand, its memory without our
// breakpoints. While nothing is debugged it is the live process that it is made of.
#pragma once

#include <memory>

#include "target/debuggee.h"
#include "target/target.h"

namespace culprit {

class DebuggedTarget final : public Target {
 public:
  explicit DebuggedTarget(std::unique_ptr<Target> live) : live_(std::move(live)), memory_(*this) {}

  // All threads stand still afterwards. Errors: gone, no_access.
  Result<void> attach();
  // Null: it is not debugged, or no more.
  Debuggee* debuggee() { return debuggee_ && !debuggee_->is_over() ? debuggee_.get() : nullptr; }
  // It runs on as it was. Also for one that has ended.
  Result<void> detach();

  const TargetInfo& info() const override { return live_->info(); }
  Result<std::vector<TargetThread>> threads(ThreadWish wish) override;
  void complete(std::span<TargetThread* const> threads) override;
  Result<void> hold_still(const LookAtThreads& look) override;
  MemoryReader& stack_memory(const TargetThread& thread) override;
  MemoryReader& memory() override { return memory_; }
  const std::vector<TargetMapping>& mappings() override { return live_->mappings(); }
  PresentPages present_pages(AddressRange of) override { return live_->present_pages(of); }
  const std::vector<TargetModule>& modules() override { return live_->modules(); }
  Time longest_stop() const override { return live_->longest_stop(); }

 private:
  class Memory final : public MemoryReader {
   public:
    explicit Memory(DebuggedTarget& target) : target_(target) {}
    bool read(uint64_t address, std::span<std::byte> into) override;

   private:
    DebuggedTarget& target_;
  };

  std::unique_ptr<Target> live_;
  std::unique_ptr<Debuggee> debuggee_;
  Memory memory_;
};

}  // namespace culprit
