#include "analysis/wait_graph.h"

#include <algorithm>
#include <cstdint>

namespace culprit {

std::vector<bool> stuck_nodes(const WaitGraph& graph) {
  std::vector<bool> stuck(graph.size());
  std::vector<std::vector<size_t>> released_by(graph.size());
  std::vector<size_t> leaving;
  for (size_t node = 0; node < graph.size(); node++) {
    stuck[node] = graph[node].is_waiting && graph[node].are_all_known;
    if (!stuck[node]) leaving.push_back(node);
    for (size_t releaser : graph[node].releasers) released_by[releaser].push_back(node);
  }
  while (!leaving.empty()) {
    size_t gone = leaving.back();
    leaving.pop_back();
    for (size_t node : released_by[gone]) {
      if (!stuck[node]) continue;
      stuck[node] = false;
      leaving.push_back(node);
    }
  }
  return stuck;
}

std::vector<std::vector<size_t>> wait_cycles(const WaitGraph& graph, const std::vector<bool>& stuck) {
  constexpr size_t unseen = SIZE_MAX;
  std::vector<std::vector<size_t>> cycles;
  std::vector<size_t> seen_from(graph.size(), unseen);
  for (size_t start = 0; start < graph.size(); start++) {
    if (!stuck[start] || seen_from[start] != unseen) continue;
    std::vector<size_t> path;
    size_t node = start;
    while (seen_from[node] == unseen) {
      seen_from[node] = start;
      path.push_back(node);
      if (graph[node].releasers.empty()) break;
      node = graph[node].releasers.front();  // all of a stuck one's are stuck
    }
    auto first = std::ranges::find(path, node);
    if (seen_from[node] != start || first == path.end() || graph[node].releasers.empty()) continue;
    std::vector<size_t> cycle(first, path.end());
    std::ranges::rotate(cycle, std::ranges::min_element(cycle));
    cycles.push_back(std::move(cycle));
  }
  return cycles;
}

}  // namespace culprit
