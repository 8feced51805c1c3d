#include "analysis/wait_graph.h"

#include <gmock/gmock.h>

namespace culprit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

WaitNode waits_for(std::vector<size_t> releasers) { return {true, std::move(releasers), true}; }
WaitNode waits_for_somebody() { return {true, {}, false}; }
WaitNode runs() { return {}; }

std::vector<std::vector<size_t>> cycles_of(const WaitGraph& graph) { return wait_cycles(graph, stuck_nodes(graph)); }

TEST(WaitGraph, FindsACircleOfTwoAndThoseBehindIt) {
  WaitGraph graph{waits_for({1}), waits_for({2}), waits_for({1}), waits_for({0}), runs(), waits_for({4})};
  EXPECT_THAT(stuck_nodes(graph), ElementsAre(true, true, true, true, false, false));
  EXPECT_THAT(cycles_of(graph), ElementsAre(ElementsAre(1, 2)));
}

TEST(WaitGraph, FindsOneThatWaitsForItself) { EXPECT_THAT(cycles_of({waits_for({0})}), ElementsAre(ElementsAre(0))); }

TEST(WaitGraph, FindsEachOfSeveralCirclesOnce) {
  WaitGraph graph{waits_for({1}), waits_for({0}), waits_for({3}), waits_for({4}), waits_for({2}), waits_for({0})};
  EXPECT_THAT(cycles_of(graph), ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3, 4)));
}

TEST(WaitGraph, AChainThatEndsAtARunningThreadIsNotStuck) {
  WaitGraph graph{waits_for({1}), waits_for({2}), runs()};
  EXPECT_THAT(stuck_nodes(graph), ElementsAre(false, false, false));
  EXPECT_THAT(cycles_of(graph), IsEmpty());
}

TEST(WaitGraph, OneOtherReleaserIsEnoughToGoOn) {
  EXPECT_THAT(stuck_nodes({waits_for({1, 2}), waits_for({0}), runs()}), ElementsAre(false, false, false));
  EXPECT_THAT(stuck_nodes({waits_for({1, 2}), waits_for({0}), waits_for({0})}), ElementsAre(true, true, true));
  EXPECT_THAT(stuck_nodes({waits_for({1}), waits_for({0}), waits_for_somebody()}), ElementsAre(true, true, false));
  EXPECT_THAT(stuck_nodes({waits_for({1}), waits_for_somebody()}), ElementsAre(false, false));
}

TEST(WaitGraph, WhoWaitsForNobodyIsStuckWithoutACircle) {
  WaitGraph graph{waits_for({}), waits_for({0})};
  EXPECT_THAT(stuck_nodes(graph), ElementsAre(true, true));
  EXPECT_THAT(cycles_of(graph), IsEmpty());
}

TEST(WaitGraph, ARingOfManyIsFoundAtOnce) {
  WaitGraph graph;
  for (size_t i = 0; i < 100'000; i++) graph.push_back(waits_for({(i + 1) % 100'000}));
  EXPECT_EQ(cycles_of(graph).at(0).size(), 100'000u);
}

}  // namespace
}  // namespace culprit
