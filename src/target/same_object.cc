#include "target/same_object.h"

#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/syscall.h"

namespace culprit {

Result<std::vector<int64_t>> same_objects(uint32_t pid, int64_t value, std::span<const int64_t> candidates) {
  constexpr size_t most = 1000;
  std::vector<int64_t> same;
  for (int64_t candidate : candidates.first(std::min(candidates.size(), most))) {
    auto order = checked("cannot compare handles", [&] {
      return syscall(SYS_kcmp, pid, pid, KCMP_FILE, static_cast<unsigned long>(value),
                     static_cast<unsigned long>(candidate));
    });
    if (!order) return tl::unexpected<Error>(std::move(order).error());
    if (*order == 0) same.push_back(candidate);
  }
  return same;
}

}  // namespace culprit
