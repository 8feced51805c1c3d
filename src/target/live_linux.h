// A live process as a target: /proc tells where its blocked threads stand; those that run are stopped for a moment.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "target/live_space.h"
#include "target/present_pages.h"
#include "target/stack_copy.h"
#include "target/target.h"

namespace culprit {

class LiveProcess final : public Target {
 public:
  static Result<std::unique_ptr<Target>> open(uint32_t pid);

  const TargetInfo& info() const override { return info_; }
  Result<std::vector<TargetThread>> threads(ThreadWish wish) override;
  Result<std::vector<TargetThread>> some_threads(ThreadWish wish, std::span<const uint32_t> tids) override;
  void complete(std::span<TargetThread* const> threads) override;
  Result<void> hold_still(const LookAtThreads& look) override;
  MemoryReader& stack_memory(const TargetThread& thread) override;
  MemoryReader& memory() override { return space_.memory(); }
  const std::vector<TargetMapping>& mappings() override { return space_.mappings(); }
  PresentPages present_pages(AddressRange of) override;
  const std::vector<TargetModule>& modules() override { return space_.modules(); }
  Time longest_stop() const override { return longest_stop_; }

 private:
  LiveProcess(TargetInfo info, uint64_t start_ticks, LiveSpace space)
      : info_(std::move(info)), start_ticks_(start_ticks), space_(std::move(space)) {}

  Result<void> check_it_lives() const;
  std::vector<TargetThread> look_at_threads(ThreadWish wish, std::span<const uint32_t> tids);
  void look_at_new_threads(ThreadWish wish, std::vector<TargetThread>& threads);
  Result<void> refresh();
  Result<std::vector<TargetThread>> with_space(std::vector<TargetThread> threads);
  TargetThread look(TargetThread thread, ThreadWish wish);
  Result<void> take_all(std::vector<TargetThread>& threads);
  void copy_stopped(const TargetThread& thread);

  TargetInfo info_;
  uint64_t start_ticks_;  // tells it from a later process of the same number
  LiveSpace space_;
  std::optional<PageMap> page_map_;       // of the space as it was last refreshed
  std::map<uint32_t, StackCopy> stacks_;  // by tid
  Time longest_stop_ = 0;
};

}  // namespace culprit
