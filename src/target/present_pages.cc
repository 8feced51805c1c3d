#include "target/present_pages.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <array>

#include "base/syscall.h"

namespace culprit {

namespace {

constexpr uint64_t page = 4096;
constexpr uint64_t is_present = uint64_t{1} << 63, is_swapped = uint64_t{1} << 62;

}  // namespace

PresentPages present_pages_of(uint32_t pid, uint64_t start, uint64_t end) {
  PresentPages all{.ranges = {{start, end}}};
  if (end - start > most_asked) return all;
  auto file = open_file(fmt::format("/proc/{}/pagemap", pid), O_RDONLY);
  if (!file) return all;
  PresentPages pages{.resident = 0};
  std::array<uint64_t, 4096> words;
  for (uint64_t at = start / page; at * page < end;) {
    const uint64_t count = std::min<uint64_t>(words.size(), (end + page - 1) / page - at);
    const ssize_t got = pread(file->get(), words.data(), count * 8, static_cast<off_t>(at * 8));
    if (got < 8) return all;
    for (size_t i = 0; i < static_cast<size_t>(got) / 8; ++i, ++at) {
      if ((words[i] & is_present) != 0) *pages.resident += page;
      if ((words[i] & (is_present | is_swapped)) == 0) continue;
      if (!pages.ranges.empty() && pages.ranges.back().end == at * page)
        pages.ranges.back().end += page;
      else
        pages.ranges.push_back({at * page, (at + 1) * page});
    }
  }
  return pages;
}

}  // namespace culprit
