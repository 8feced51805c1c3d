#include "base/syscall.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <string>

namespace culprit {
namespace {

std::string path_of(const Fd& file) { return "/proc/self/fd/" + std::to_string(file.get()); }

TEST(ReadWholeFile, HasAllOfIt) {
  const Fd file(memfd_create("whole", MFD_CLOEXEC));
  for (size_t size : {0u, 1u, 4095u, 4096u, 4097u, 100'000u}) {
    ASSERT_EQ(ftruncate(file.get(), 0), 0);
    ASSERT_EQ(lseek(file.get(), 0, SEEK_SET), 0);
    std::string content(size, 'x');
    if (size != 0) content.back() = 'y';
    ASSERT_TRUE(write_all(file.get(), content));
    EXPECT_EQ(read_whole_file(path_of(file)).value(), content) << size;
  }
}

TEST(ReadWholeFile, EndsAtTheLimit) {
  const Fd file(memfd_create("limited", MFD_CLOEXEC));
  ASSERT_TRUE(write_all(file.get(), std::string(10'000, 'x')));
  for (size_t limit : {0u, 1u, 4096u, 5000u, 9999u, 10'000u, 10'001u})
    EXPECT_EQ(read_whole_file(path_of(file), limit).value().size(), std::min<size_t>(limit, 10'000)) << limit;
}

// Such a file gives a page at most, whatever is asked for: there are many more reads than doublings.
TEST(ReadWholeFile, ComesInSmallPiecesFromTheKernel) {
  constexpr size_t page = 4096, pages = 2000;
  auto* start = static_cast<char*>(mmap(nullptr, pages * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(start, MAP_FAILED);
  for (size_t i = 0; i < pages; i += 2) ASSERT_EQ(mprotect(start + i * page, page, PROT_READ | PROT_WRITE), 0);
  const std::string maps = read_whole_file("/proc/self/maps").value();
  munmap(start, pages * page);
  EXPECT_GE(std::count(maps.begin(), maps.end(), '\n'), static_cast<ptrdiff_t>(pages));
  EXPECT_EQ(maps.back(), '\n');
}

}  // namespace
}  // namespace culprit
