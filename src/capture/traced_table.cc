#include "capture/traced_table.h"

#include <dirent.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace culprit {

void TracedTable::note(int32_t first, int32_t last, bool is_open) {
  auto is_meant = [&](int64_t value) { return value >= first && value <= last; };
  if (!fanotify.empty()) std::erase_if(fanotify, is_meant);
  if (!is_compared || first < 0) return;
  std::erase_if(doubtful, [&](const Doubtful& found) { return is_meant(found.event.value); });
  auto begin = static_cast<size_t>(first), end = static_cast<size_t>(last) + 1;
  if (is_open && end > open.size()) open.resize(end);
  for (size_t number = begin; number < std::min(end, open.size()); number++) open[number] = is_open;
}

std::vector<int32_t> open_numbers(uint32_t tid) {
  std::vector<int32_t> numbers;
  DIR* directory = opendir(fmt::format("/proc/{}/fd", tid).c_str());
  if (directory == nullptr) return numbers;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') numbers.push_back(atoi(entry->d_name));
  }
  closedir(directory);
  std::ranges::sort(numbers);
  return numbers;
}

bool is_open(uint32_t tid, int32_t number) {
  char link[8];
  return readlink(fmt::format("/proc/{}/fd/{}", tid, number).c_str(), link, sizeof link) > 0;
}

}  // namespace culprit
