#include "capture/bpf_program.h"

#include <bpf/bpf.h>
#include <bpf/handles.skel.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/syscall.h"

namespace culprit {
namespace {

// Handle events leave this share of the ring to events about processes, without which the others mean little.
constexpr uint64_t reserved_share = 8;
constexpr uint32_t cached_stacks_per_processor = 4096;
constexpr uint64_t cached_stacks_bytes = 32 << 20;  // on machines with many processors

struct Log {
  std::string text;
};
thread_local Log log_of_libbpf;

int keep_log(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  char line[4096];
  int length = vsnprintf(line, sizeof(line), format, arguments);
  if (log_of_libbpf.text.size() < 65536 && length > 0) log_of_libbpf.text += line;
  return length;
}

// Of what the verifier and libbpf said, what a person can act on: the last line.
std::string last_words() {
  std::string_view text = log_of_libbpf.text;
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return std::string(text.substr(text.rfind('\n') + 1));
}

Error load_error(int error) {
  if (error == -EPERM || error == -EACCES) {
    return {ErrorKind::no_access,
            "the kernel does not let this user load BPF programs; run as root, or grant CAP_BPF and CAP_PERFMON"};
  }
  if (access("/sys/kernel/btf/vmlinux", R_OK) != 0)
    return {ErrorKind::unsupported,
            "this kernel has no type information (/sys/kernel/btf/vmlinux, CONFIG_DEBUG_INFO_BTF)"};
  return {ErrorKind::unsupported,
          fmt::format("the kernel refused the BPF program ({}): {}", strerror(-error), last_words())};
}

uint32_t processors() { return std::bit_ceil(static_cast<uint32_t>(std::max(libbpf_num_possible_cpus(), 1))); }

uint32_t stacks_per_processor() {
  uint64_t room = cached_stacks_bytes / sizeof(culprit_bpf_cached_stack) / processors();
  return std::clamp(std::bit_floor(static_cast<uint32_t>(room)), 64u, cached_stacks_per_processor);
}

class MapMemory {
 public:
  ~MapMemory() {
    if (address_ != MAP_FAILED) munmap(address_, size_);
  }
  bool map(int fd, size_t size) {
    size_ = size;
    address_ = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return address_ != MAP_FAILED;
  }
  template <typename Item>
  std::span<Item> items() const {
    return {static_cast<Item*>(address_), size_ / sizeof(Item)};
  }

 private:
  void* address_ = MAP_FAILED;
  size_t size_ = 0;
};

}  // namespace

struct BpfProgram::State {
  handles* skeleton = nullptr;
  ring_buffer* ring = nullptr;
  MapMemory rows, pages, ranges;
  const std::function<bool(Bytes)>* take = nullptr;
  size_t taken = 0;

  ~State() {
    ring_buffer__free(ring);
    handles__destroy(skeleton);
  }
};

namespace {

uint64_t array_size(uint64_t bytes) { return (bytes + 4095) / 4096 * 4096; }

void configure(handles& skeleton, const BpfFilter& filter, const BpfSizes& sizes) {
  auto& set = *skeleton.rodata;
  set.record_all = filter.all;
  set.record_children = filter.own_children;
  set.own_tgid = static_cast<uint32_t>(getpid());
  set.row_mask = sizes.rows - 1;
  set.page_mask = sizes.pages - 1;
  set.range_mask = sizes.ranges - 1;
  set.processor_mask = processors() - 1;
  set.cached_stack_mask = stacks_per_processor() - 1;
  set.ring_bytes = static_cast<uint32_t>(sizes.ring_bytes);
  set.ring_reserve = static_cast<uint32_t>(sizes.ring_bytes / reserved_share);
  for (uint32_t user : filter.users) set.filter_users[set.user_count++] = user;
  for (const auto& cgroup : filter.cgroups) {
    set.filter_cgroup_levels[set.cgroup_count] = cgroup.level;
    set.filter_cgroups[set.cgroup_count++] = cgroup.id;
  }
  for (const std::string& name : filter.names) {
    char* place = set.filter_names[set.name_count++];
    memcpy(place, name.data(), std::min<size_t>(name.size(), 15));
  }
  bpf_map__set_value_size(skeleton.maps.rows,
                          static_cast<uint32_t>(array_size(uint64_t{sizes.rows} * sizeof(culprit_unwind_row))));
  bpf_map__set_value_size(skeleton.maps.pages, static_cast<uint32_t>(array_size(uint64_t{sizes.pages} * 4)));
  bpf_map__set_value_size(skeleton.maps.ranges,
                          static_cast<uint32_t>(array_size(uint64_t{sizes.ranges} * sizeof(culprit_bpf_range))));
  bpf_map__set_value_size(skeleton.maps.cached_stacks, static_cast<uint32_t>(sizeof(culprit_bpf_cached_stack) *
                                                                             stacks_per_processor() * processors()));
  bpf_map__set_max_entries(skeleton.maps.events, static_cast<uint32_t>(sizes.ring_bytes));
}

}  // namespace

uint64_t BpfSizes::memory() const {
  return ring_bytes + uint64_t{rows} * sizeof(culprit_unwind_row) + uint64_t{pages} * 4 +
         uint64_t{ranges} * sizeof(culprit_bpf_range) +
         uint64_t{stacks_per_processor()} * processors() * sizeof(culprit_bpf_cached_stack);
}

BpfProgram::BpfProgram(std::unique_ptr<State> state) : state_(std::move(state)) {}
BpfProgram::~BpfProgram() = default;

Result<std::unique_ptr<BpfProgram>> BpfProgram::load(const BpfFilter& filter, const BpfSizes& sizes) {
  for (auto [count, what] : {std::pair(filter.users.size(), "users"), std::pair(filter.names.size(), "names"),
                             std::pair(filter.cgroups.size(), "cgroups")}) {
    if (count > bpf_filter_limit)
      return fail(ErrorKind::usage, fmt::format("at most {} {} can be recorded at a time", bpf_filter_limit, what));
  }
  libbpf_set_print(keep_log);
  log_of_libbpf.text.clear();
  auto state = std::make_unique<State>();
  state->skeleton = handles__open();
  if (state->skeleton == nullptr) return tl::unexpected<Error>(load_error(-errno));
  configure(*state->skeleton, filter, sizes);
  if (int error = handles__load(state->skeleton); error != 0) return tl::unexpected<Error>(load_error(error));

  auto& maps = state->skeleton->maps;
  bool is_mapped = state->rows.map(bpf_map__fd(maps.rows), bpf_map__value_size(maps.rows)) &&
                   state->pages.map(bpf_map__fd(maps.pages), bpf_map__value_size(maps.pages)) &&
                   state->ranges.map(bpf_map__fd(maps.ranges), bpf_map__value_size(maps.ranges));
  if (!is_mapped)
    return fail(ErrorKind::system, fmt::format("cannot map the BPF program's tables: {}", strerror(errno)));
  auto on_event = [](void* context, void* data, size_t size) {
    auto& self = *static_cast<State*>(context);
    self.taken++;
    return (*self.take)(Bytes(static_cast<const std::byte*>(data), size)) ? 0 : -ECANCELED;  // ends the consumption
  };
  state->ring = ring_buffer__new(bpf_map__fd(maps.events), on_event, state.get(), nullptr);
  if (state->ring == nullptr)
    return fail(ErrorKind::system, fmt::format("cannot map the BPF program's ring: {}", strerror(errno)));
  return std::unique_ptr<BpfProgram>(new BpfProgram(std::move(state)));
}

Result<void> BpfProgram::attach() {
  log_of_libbpf.text.clear();
  if (int error = handles__attach(state_->skeleton); error != 0) return tl::unexpected<Error>(load_error(error));
  return {};
}

Result<void> BpfProgram::begin_tables() {
  Fd iterator(bpf_iter_create(bpf_link__fd(state_->skeleton->links.begin_tables)));
  if (!iterator) return fail(ErrorKind::system, fmt::format("cannot look at all handle tables: {}", strerror(errno)));
  char nothing[64];
  while (read(iterator.get(), nothing, sizeof(nothing)) > 0) {
  }
  return {};
}

void BpfProgram::detach() { handles__detach(state_->skeleton); }

Result<void> BpfProgram::watch(uint32_t pid) {
  uint8_t one = 1;
  int error = bpf_map__update_elem(state_->skeleton->maps.watched, &pid, sizeof(pid), &one, sizeof(one), BPF_ANY);
  if (error != 0) return fail(ErrorKind::limit, fmt::format("cannot record process {}: too many processes", pid));
  return {};
}

void BpfProgram::unwatch(uint32_t pid) { bpf_map__delete_elem(state_->skeleton->maps.watched, &pid, sizeof(pid), 0); }

std::span<culprit_unwind_row> BpfProgram::rows() const { return state_->rows.items<culprit_unwind_row>(); }
std::span<uint32_t> BpfProgram::pages() const { return state_->pages.items<uint32_t>(); }
std::span<culprit_bpf_range> BpfProgram::ranges() const { return state_->ranges.items<culprit_bpf_range>(); }

std::optional<culprit_bpf_code> BpfProgram::code(uint64_t key) const {
  culprit_bpf_code code{};
  int error = bpf_map__lookup_elem(state_->skeleton->maps.codes, &key, sizeof(key), &code, sizeof(code), 0);
  return error == 0 ? std::optional(code) : std::nullopt;
}

void BpfProgram::set_code(uint64_t key, const culprit_bpf_code& code) {
  bpf_map__update_elem(state_->skeleton->maps.codes, &key, sizeof(key), &code, sizeof(code), BPF_ANY);
}

void BpfProgram::forget_code(uint64_t key) { bpf_map__delete_elem(state_->skeleton->maps.codes, &key, sizeof(key), 0); }

std::vector<uint64_t> BpfProgram::code_keys() const {
  std::vector<uint64_t> keys;
  uint64_t key = 0;
  const bpf_map* map = state_->skeleton->maps.codes;
  for (const void* last = nullptr; bpf_map__get_next_key(map, last, &key, sizeof(key)) == 0; last = &keys.back()) {
    keys.push_back(key);
  }
  return keys;
}

void BpfProgram::begin_epoch() { __atomic_fetch_add(&state_->skeleton->bss->table_epoch, 1, __ATOMIC_SEQ_CST); }

const culprit_bpf_lost& BpfProgram::lost() const { return state_->skeleton->bss->lost; }

size_t BpfProgram::take_events(const std::function<bool(Bytes)>& take) {
  state_->take = &take;
  state_->taken = 0;
  ring_buffer__consume(state_->ring);
  return state_->taken;
}

void BpfProgram::wait(std::chrono::microseconds limit) {
  epoll_event event{};
  timespec timeout{limit.count() / 1'000'000, limit.count() % 1'000'000 * 1000};
  epoll_pwait2(ring_buffer__epoll_fd(state_->ring), &event, 1, &timeout, nullptr);
}

}  // namespace culprit
