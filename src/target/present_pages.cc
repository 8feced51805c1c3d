#include "target/present_pages.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <array>

#include "base/syscall.h"
#include "target/ptrace_threads.h"

namespace culprit {

namespace {

constexpr uint64_t page = 4096;
constexpr uint64_t is_present = uint64_t{1} << 63, is_swapped = uint64_t{1} << 62,
                   is_of_file = uint64_t{1} << 61;  // or of memory shared with others

// The words of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst), with the page that each is of, as long as
// take(page, word) is true. False: they cannot be read.
template <typename Take>
bool for_each_page(int pagemap, uint64_t start, uint64_t end, Take take) {
  if (pagemap < 0 || end - start > most_asked) return false;
  std::array<uint64_t, 4096> words;
  for (uint64_t at = start / page; at * page < end;) {
    const uint64_t count = std::min<uint64_t>(words.size(), (end + page - 1) / page - at);
    const ssize_t got = pread(pagemap, words.data(), count * 8, static_cast<off_t>(at * 8));
    if (got < 8) return false;
    for (size_t i = 0; i < static_cast<size_t>(got) / 8; ++i, ++at)
      if (!take(at * page, words[i])) return true;
  }
  return true;
}

Fd pagemap_of(uint32_t pid) {
  auto file = open_file(fmt::format("/proc/{}/pagemap", pid), O_RDONLY);
  return file ? std::move(*file) : Fd();
}

}  // namespace

PageMap PageMap::of(uint32_t pid) { return PageMap(pagemap_of(pid)); }

PresentPages PageMap::present_in(AddressRange range) const {
  PresentPages pages{.resident = 0};
  const bool is_known =
      for_each_page(file_.get(), range.start, range.end, [&](uint64_t at, uint64_t word) {
        if ((word & is_present) != 0) *pages.resident += page;
        if ((word & (is_present | is_swapped)) == 0) return true;
        if (!pages.ranges.empty() && pages.ranges.back().end == at)
          pages.ranges.back().end += page;
        else
          pages.ranges.push_back({at, at + page});
        return true;
      });
  return is_known ? pages : PresentPages{.ranges = {range}};
}

bool was_written(Target& target, const TargetMapping& mapping) {
  if (target.info().kind == TargetKind::core) return target.memory().word(mapping.end - page).has_value();
  bool found = false;
  const Fd pagemap = pagemap_of(living_thread(target.info().pid));
  const bool is_known =
      for_each_page(pagemap.get(), mapping.start, mapping.end, [&](uint64_t, uint64_t word) {
        found = (word & (is_present | is_swapped)) != 0 && (word & is_of_file) == 0;
        return !found;
      });
  return found || !is_known;
}

}  // namespace culprit
