// Who waits for whom, as a graph: which threads can never go on, and in which circles they wait.
#pragma once

#include <cstddef>
#include <vector>

namespace culprit {

struct WaitNode {
  bool is_waiting = false;
  // Any one of these can let it go on; there is nobody else. Empty while it waits: nobody can.
  std::vector<size_t> releasers;
  bool are_all_known = false;  // else somebody else might, and it is not stuck
};
using WaitGraph = std::vector<WaitNode>;

// Those which only others in the same plight could release, one by one index: a thread leaves the set as soon as one of
// its releasers is outside. What stays is stuck for good (deadlock of processes with alternatives, as in Coffman and
// others; with one releaser each it is: leads into a cycle, or to nobody).
std::vector<bool> stuck_nodes(const WaitGraph& graph);

// Circles among the stuck ones, each node's first stuck releaser being followed: each circle once, beginning with its
// lowest index.
std::vector<std::vector<size_t>> wait_cycles(const WaitGraph& graph, const std::vector<bool>& stuck);

}  // namespace culprit
