#include "analysis/block_history.h"

#include <algorithm>
#include <array>
#include <deque>
#include <unordered_map>

#include "analysis/life_replay.h"
#include "analysis/trace_words.h"

namespace culprit {

namespace {

class BlockFollower final : public EventSink {
 public:
  struct Life {
    AllocationEvent made;
    BlockEnd end = BlockEnd::alive;
    Time ended = 0;
    AllocatorFunction released_by = AllocatorFunction::free;
    uint32_t released_tid = 0;
    bool unreachable = false;
  };

  BlockFollower(uint64_t address, size_t kept) : address_(address), kept_(kept) {}

  void on_allocation(const AllocationEvent& event) override {
    last_time_ = std::max(last_time_, event.time);
    if (event.action == AllocationAction::release) return release(event);
    // An address given out again: what was thought to live there does not.
    if (Life* life = alive_in(event.process); life != nullptr && life->made.address == event.address)
      end(event.process, BlockEnd::unseen, event.time);
    if (address_ < event.address || address_ - event.address >= std::max<uint64_t>(event.size, 1)) return;
    end(event.process, BlockEnd::unseen, event.time);
    ++lives_in_all;
    lives.push_back({.made = event});
    alive_[event.process] = lives_in_all;
    if (lives.size() > kept_) lives.pop_front();
  }
  void on_process(const ProcessEvent& event) override {
    last_time_ = std::max(last_time_, event.time);
    const bool has_ended = event.change == ProcessChange::exited || event.change == ProcessChange::killed;
    if (event.change == ProcessChange::executed) end(event.process, BlockEnd::exec, event.time);
    if (has_ended) end(event.process, BlockEnd::alive, event.time);
  }
  void on_unreachable(const UnreachableBlocks& unreachable) override {
    Life* life = alive_in(unreachable.process);
    if (life == nullptr) return;
    life->unreachable |=
        std::ranges::binary_search(unreachable.blocks, life->made.address, {}, &UnreachableBlocks::Block::address);
  }
  void on_handle(const HandleEvent&) override {}
  void on_thread(const ThreadEvent&) override {}
  void on_snapshot(const HandleSnapshot&) override {}
  void on_mark(const Mark&) override {}
  void on_loss(const Loss& loss) override { losses.push_back(loss); }

  // Once, after the last event.
  void finish() {
    while (!alive_.empty()) end(alive_.begin()->first, BlockEnd::alive, last_time_);
  }

  std::deque<Life> lives;  // the newest
  uint64_t lives_in_all = 0;
  std::vector<Loss> losses;

 private:
  // Null: none lives there, or it is no more kept.
  Life* alive_in(ProcessId process) {
    auto found = alive_.find(process);
    if (found == alive_.end() || found->second + lives.size() <= lives_in_all) return nullptr;
    return &lives[found->second + lives.size() - lives_in_all - 1];
  }
  void release(const AllocationEvent& event) {
    Life* life = alive_in(event.process);
    if (life == nullptr || life->made.address != event.address) return;
    life->released_by = event.function;
    life->released_tid = event.tid;
    end(event.process, BlockEnd::released, event.time);
  }
  void end(ProcessId process, BlockEnd how, Time time) {
    if (Life* life = alive_in(process); life != nullptr) {
      life->end = how;
      life->ended = time;
    }
    alive_.erase(process);
  }

  uint64_t address_;
  size_t kept_;
  std::unordered_map<ProcessId, uint64_t> alive_;  // 1 + number of the life
  Time last_time_ = 0;
};

}  // namespace

std::string_view name_of(BlockEnd end) {
  constexpr std::array<std::string_view, 4> names = {"alive", "released", "exec", "unseen"};
  return names.at(static_cast<size_t>(end));
}

Result<BlockHistory> build_block_history(Trace& trace, const SymbolLookup& lookup, uint64_t address, size_t kept) {
  BlockFollower follower(address, std::max<size_t>(kept, 1));
  CULPRIT_TRY(trace.replay(follower));
  follower.finish();
  StackSymbols symbols(trace.tables(), lookup);
  std::vector<StackId> stacks;
  for (const auto& life : follower.lives) stacks.push_back(life.made.stack);
  symbols.prepare(stacks);

  const TraceWords words{trace.tables(), started_at(trace)};
  BlockHistory history{.address = address, .lives_in_all = follower.lives_in_all};
  uint64_t nameless = 0;
  for (const auto& life : follower.lives) {
    history.lives.push_back({.process = words.process(life.made.process),
                             .address = life.made.address,
                             .size = life.made.size,
                             .function = std::string(name_of(life.made.function)),
                             .tid = life.made.tid,
                             .made = words.seconds(life.made.time),
                             .end = life.end,
                             .ended = words.seconds(life.ended),
                             .released_by = std::string(life.released_tid == 0 ? "" : name_of(life.released_by)),
                             .released_tid = life.released_tid,
                             .unreachable = life.unreachable,
                             .stack = symbols.report_stack(life.made.stack)});
    nameless += nameless_frames(history.lives.back().stack);
  }
  follower.losses.push_back({LossKind::symbols_missing, nameless, ProcessId::none, {}});
  history.losses = merge_losses(words, follower.losses);
  history.exact = is_exact(history.losses);
  return history;
}

}  // namespace culprit
