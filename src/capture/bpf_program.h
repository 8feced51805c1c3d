// The kernel side of the bpf back end (src/bpf), loaded: its tables, its events. The only file that knows libbpf.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/bpf_events.h"
#include "wire/unwind_rows.h"

namespace culprit {

struct BpfFilter {
  bool all = false;
  bool own_children = false;  // what culprit itself launches
  std::vector<uint32_t> users;
  std::vector<std::string> names;  // the first 15 bytes count
  struct Cgroup {
    uint64_t id = 0;     // inode number of its folder
    uint32_t level = 0;  // below the root of the hierarchy
  };
  std::vector<Cgroup> cgroups;
};
inline constexpr size_t bpf_filter_limit = 8;  // of each kind

// Powers of two.
struct BpfSizes {
  uint64_t ring_bytes = 16 << 20;
  uint32_t rows = 4 << 20;     // 8 bytes each
  uint32_t pages = 1 << 20;    // 4 bytes each
  uint32_t ranges = 64 << 10;  // 48 bytes each
  uint64_t memory() const;     // of all maps, about
};

class BpfProgram {
 public:
  // Loads without attaching. Errors: no_access (names the capability), unsupported (no BTF, refused by the kernel).
  static Result<std::unique_ptr<BpfProgram>> load(const BpfFilter& filter, const BpfSizes& sizes);
  ~BpfProgram();  // nothing of it stays in the kernel

  // From now on events come.
  Result<void> attach();
  // The known bits of all tables there are. Once, after attach() and watch().
  Result<void> begin_tables();
  void detach();

  Result<void> watch(uint32_t pid);
  void unwatch(uint32_t pid);

  std::span<culprit_unwind_row> rows() const;
  std::span<uint32_t> pages() const;
  std::span<culprit_bpf_range> ranges() const;

  // What is known of a process's code; nothing: it did not ask yet.
  std::optional<culprit_bpf_code> code(uint64_t key) const;
  void set_code(uint64_t key, const culprit_bpf_code& code);
  void forget_code(uint64_t key);
  // All keys there are.
  std::vector<uint64_t> code_keys() const;
  // Nothing cached counts any more; all stacks are sent again.
  void begin_epoch();

  const culprit_bpf_lost& lost() const;

  // Hands over the events there are until `take` returns false; the bytes are readable until it returns. How many.
  size_t take_events(const std::function<bool(Bytes)>& take);
  // Sleeps until the kernel side asks for something, at most `limit`.
  void wait(std::chrono::microseconds limit);

 private:
  struct State;
  explicit BpfProgram(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace culprit
