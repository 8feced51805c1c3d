// Recording the allocations of processes that run already.
#ifdef CULPRIT_PROGRAMS
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <thread>

#include "attached_programs.h"
#include "base/syscall.h"
#include "format/procfs.h"

namespace culprit {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t first_size = 7001, ways = 10, blocks_a_way = 20;

std::string memory_victim() { return CULPRIT_PROGRAMS "/memory_victim"; }

WatchRequest memory_alone(const BlockSizes& sizes = {}) {
  WatchRequest request;
  request.handles = false;
  request.memory = sizes;
  return request;
}

// One step of `memory_victim steps`.
void step(VictimProgram& victim, AgentAtWork& agent) {
  victim.tell();
  agent.until_heard(victim);
  EXPECT_EQ(victim.hear(), "done");
  agent.recorder->round();
}

bool is_of_steps(const AllocationEvent& event) {
  return event.action == AllocationAction::allocate && event.size >= first_size && event.size < first_size + ways;
}

std::map<uint64_t, uint64_t> made_by_size(const CollectedEvents& events) {
  std::map<uint64_t, uint64_t> made;
  for (const AllocationEvent& event : events.allocations)
    if (is_of_steps(event)) made[event.size]++;
  return made;
}

std::map<uint64_t, uint64_t> each(uint64_t blocks) {
  std::map<uint64_t, uint64_t> made;
  for (uint64_t way = 0; way < ways; way++) made[first_size + way] = blocks;
  return made;
}

// Releases of blocks that were seen to be made.
uint64_t seen_to_end(const CollectedEvents& events) {
  std::map<uint64_t, bool> alive;
  uint64_t ended = 0;
  for (const AllocationEvent& event : events.allocations) {
    if (is_of_steps(event)) alive[event.address] = true;
    if (event.action == AllocationAction::release && std::exchange(alive[event.address], false)) ended++;
  }
  return ended;
}

TEST(MemoryAttach, SeesEveryWayToAllocateFromNowOnWithItsStackAndEveryRelease) {
  VictimProgram victim({memory_victim(), "steps"});
  ASSERT_EQ(victim.hear(), "ready");
  attached_to(victim.pid(), [&](AgentAtWork& agent) {
    step(victim, agent);
    step(victim, agent);
    EXPECT_THAT(agent.events.allocations, ::testing::IsEmpty()) << "nobody asked for it";
    ASSERT_TRUE(agent.recorder->record_memory({}));
    step(victim, agent);
    EXPECT_EQ(made_by_size(agent.events), each(blocks_a_way));
    for (const AllocationEvent& event : agent.events.allocations) {
      if (!is_of_steps(event)) continue;
      std::vector<std::string> stack = agent.stack(event.stack);
      ASSERT_GE(stack.size(), 4u);
      EXPECT_THAT(stack[0], HasSubstr(event.size == first_size + 9 ? "libstdc++" : "memory_victim"));
      EXPECT_THAT(stack.back(), HasSubstr("memory_victim")) << "to its outer end";
    }
    step(victim, agent);
    EXPECT_EQ(seen_to_end(agent.events), ways * blocks_a_way);
  });
  EXPECT_EQ(victim.end(), "fine");
}

TEST(MemoryAttach, GoesOffAndOnAgainAndLeavesTheCodeAsItWas) {
  VictimProgram victim({memory_victim(), "steps"});
  ASSERT_EQ(victim.hear(), "ready");
  ProcessLook before = look_at(victim.pid());
  {
    AgentAtWork agent(victim.pid(), memory_alone());
    ASSERT_NE(agent.recorder, nullptr) << agent.error.what;
    step(victim, agent);
    EXPECT_EQ(made_by_size(agent.events), each(blocks_a_way));
    ASSERT_TRUE(agent.recorder->leave_memory());
    step(victim, agent);
    step(victim, agent);
    EXPECT_EQ(made_by_size(agent.events), each(blocks_a_way));
    ASSERT_TRUE(agent.recorder->record_memory({}));
    step(victim, agent);
    step(victim, agent);
    agent.recorder->finish();
    EXPECT_EQ(made_by_size(agent.events), each(2 * blocks_a_way));
    EXPECT_EQ(agent.recorder->status().left_behind, "");
    EXPECT_THAT(agent.events.handles, ::testing::IsEmpty());
    EXPECT_THAT(agent.events.snapshots, ::testing::IsEmpty());
  }
  ProcessLook after = look_at(victim.pid());
  EXPECT_TRUE(after.is_code_as_in_file);
  EXPECT_EQ(after.handles, before.handles);
  EXPECT_THAT(after.maps, ::testing::Not(HasSubstr("culprit")));
  EXPECT_EQ(victim.end(), "fine");
}

TEST(MemoryAttach, OfOneSizeTellsOfThatSizeAlone) {
  VictimProgram victim({memory_victim(), "steps"});
  ASSERT_EQ(victim.hear(), "ready");
  AgentAtWork agent(victim.pid(), memory_alone({first_size + 3, first_size + 3}));
  ASSERT_NE(agent.recorder, nullptr) << agent.error.what;
  for (int time = 0; time < 4; time++) step(victim, agent);
  agent.recorder->finish();
  EXPECT_EQ(made_by_size(agent.events), (std::map<uint64_t, uint64_t>{{first_size + 3, 2 * blocks_a_way}}));
  EXPECT_EQ(seen_to_end(agent.events), 2 * blocks_a_way);
  EXPECT_LT(agent.events.allocations.size(), 8 * blocks_a_way) << "others pass by";
  EXPECT_EQ(victim.end(), "fine");
}

// Attached and left again and again while threads are anywhere in the allocator.
// The agent's variables in that process, as far as they can hold pointers. What it shares with us is not among them.
std::vector<uint64_t> words_of_agent(uint32_t pid) {
  std::vector<uint64_t> words;
  const std::string maps = read_whole_file("/proc/" + std::to_string(pid) + "/maps").value_or("");
  const auto memory = open_file("/proc/" + std::to_string(pid) + "/mem", O_RDONLY);
  uint64_t end_of_agent = 0;
  for (const MapsEntry& entry : parse_maps(maps)) {
    const bool is_file = entry.path.find("libculprit_agent") != std::string::npos;
    const bool is_behind = entry.path.empty() && entry.start == end_of_agent;
    if (is_file || is_behind) end_of_agent = entry.end;
    if ((!is_file && !is_behind) || !entry.is_writable) continue;
    const size_t before = words.size();
    words.resize(before + (entry.end - entry.start) / 8);
    EXPECT_EQ(pread(memory->get(), &words[before], entry.end - entry.start, static_cast<off_t>(entry.start)),
              static_cast<ssize_t>(entry.end - entry.start));
  }
  return words;
}

// Or no leak could be found while it is there.
TEST(MemoryAttach, WhatTheAgentNotesOfBlocksPointsToNoneOfThem) {
  VictimProgram victim({memory_victim(), "steps"});
  ASSERT_EQ(victim.hear(), "ready");
  AgentAtWork agent(victim.pid(), memory_alone({first_size + 3, first_size + 3}));
  ASSERT_NE(agent.recorder, nullptr) << agent.error.what;
  step(victim, agent);
  const std::vector<uint64_t> words = words_of_agent(victim.pid());
  ASSERT_GT(words.size(), size_t{1} << 16) << "the table of noted blocks is among them";
  uint64_t found = 0, noted = 0;
  for (const AllocationEvent& event : agent.events.allocations) {
    if (!is_of_steps(event)) continue;
    found += std::ranges::count(words, event.address);
    noted += std::ranges::count(words, ~event.address);
  }
  EXPECT_EQ(found, 0u);
  EXPECT_EQ(noted, blocks_a_way);
  agent.recorder->finish();
}

TEST(MemoryAttach, ThreadsThatAllocateAtFullSpeedGoOnAsIfNothingHadBeen) {
  VictimProgram victim({memory_victim(), "churn", "3"});
  ASSERT_EQ(victim.hear(), "ready");
  for (int time = 0; time < 20; time++) {
    AgentAtWork agent(victim.pid(), memory_alone());
    ASSERT_NE(agent.recorder, nullptr) << agent.error.what;
    agent.until([&] { return agent.events.allocations.size() > 20'000; });
    agent.recorder->finish();
    EXPECT_EQ(agent.recorder->status().left_behind, "");
    ASSERT_TRUE(victim.is_running());
  }
  EXPECT_TRUE(look_at(victim.pid()).is_code_as_in_file);
  EXPECT_EQ(victim.end(), "fine");
}

TEST(MemoryAttach, SignalHandlersThatInterruptTheAllocatorGoBackToWhereItWas) {
  VictimProgram victim({memory_victim(), "handler"});
  ASSERT_EQ(victim.hear(), "ready");
  for (int time = 0; time < 10; time++) {
    AgentAtWork agent(victim.pid(), memory_alone());
    ASSERT_NE(agent.recorder, nullptr) << agent.error.what;
    agent.until([&] { return agent.events.allocations.size() > 2'000; });
    agent.recorder->finish();
    ASSERT_TRUE(victim.is_running());
  }
  EXPECT_EQ(victim.end(), "fine");
}

TEST(MemoryAttach, WhenCulpritIsKilledAtAnyMomentTheProcessGoesOnAndCanBeAttachedToAgain) {
  VictimProgram victim({memory_victim(), "churn", "2"});
  ASSERT_EQ(victim.hear(), "ready");
  for (int time = 0; time < 20; time++) {
    pid_t culprit = fork();
    if (culprit == 0) {
      for (;;) {
        AgentAtWork agent(victim.pid(), memory_alone());
        if (agent.recorder == nullptr) _exit(0);
        for (int round = 0; round < 5; round++) agent.recorder->round();
        agent.recorder->finish();
      }
    }
    usleep(static_cast<useconds_t>(time * 7'300 % 150'000));
    kill(culprit, SIGKILL);
    waitpid(culprit, nullptr, 0);
    ASSERT_TRUE(victim.is_running()) << "after " << time;
  }
  AgentAtWork agent(victim.pid(), memory_alone());
  ASSERT_NE(agent.recorder, nullptr) << agent.error.what;
  agent.until([&] { return agent.events.allocations.size() > 1'000; });
  agent.recorder->finish();
  EXPECT_TRUE(look_at(victim.pid()).is_code_as_in_file);
  EXPECT_EQ(victim.end(), "fine");
}

TEST(MemoryAttach, AProcessThatEndsMeanwhileIsNoError) {
  for (int time = 0; time < 10; time++) {
    VictimProgram victim({memory_victim(), "churn", "2"});
    ASSERT_EQ(victim.hear(), "ready");
    std::thread killer([&] {
      usleep(static_cast<useconds_t>(time) * 8'000);
      kill(static_cast<pid_t>(victim.pid()), SIGKILL);
    });
    AgentAtWork agent(victim.pid(), memory_alone());
    killer.join();
    if (agent.recorder != nullptr) {
      agent.until([] { return false; });
      agent.recorder->finish();
    }
  }
}

TEST(MemoryAttach, AChildIsRecordedByTheAgentAndElsewhereToldToBeLeftOut) {
  for (bool alone : {false, true}) {
    VictimProgram victim({memory_victim(), "fork"});
    ASSERT_EQ(victim.hear(), "ready");
    AgentAtWork agent(victim.pid(), alone ? memory_alone() : WatchRequest{});
    ASSERT_NE(agent.recorder, nullptr) << agent.error.what;
    ASSERT_TRUE(alone || agent.recorder->record_memory({}));
    step(victim, agent);
    agent.recorder->finish();
    agent.recorder->hand_on_losses();
    EXPECT_EQ(made_by_size(agent.events), alone ? (std::map<uint64_t, uint64_t>{}) : each(blocks_a_way));
    EXPECT_EQ(agent.events.lost(LossKind::process_not_followed), alone ? 1u : 0u);
    EXPECT_EQ(victim.end(), "fine");
  }
}

// Its functions begin otherwise, and call each other otherwise. (Not all have all of malloc's family.)
TEST(MemoryAttach, FollowsAnAllocatorThatWasPreloaded) {
  std::string preload;
  for (const char* name : {"libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2"}) {
    const std::string path = std::string("/usr/lib/x86_64-linux-gnu/") + name;
    if (access(path.c_str(), R_OK) != 0) continue;
    SCOPED_TRACE(path);
    VictimProgram victim({"/usr/bin/env", "LD_PRELOAD=" + path, memory_victim(), "steps", "7"});
    ASSERT_EQ(victim.hear(), "ready");
    AgentAtWork agent(victim.pid(), memory_alone());
    if (agent.recorder == nullptr) {
      EXPECT_THAT(agent.error.what, HasSubstr("cannot be watched"));
      continue;
    }
    step(victim, agent);
    step(victim, agent);
    agent.recorder->finish();
    std::map<uint64_t, uint64_t> made = made_by_size(agent.events);
    for (uint64_t way = 0; way < 7; way++) EXPECT_EQ(made[first_size + way], blocks_a_way) << "way " << way;
    EXPECT_EQ(victim.end(), "fine");
    preload += name;
  }
  if (preload.empty()) GTEST_SKIP() << "no jemalloc, tcmalloc or mimalloc here that can be followed";
}

}  // namespace
}  // namespace culprit
#endif
