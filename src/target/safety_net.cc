#include "target/safety_net.h"

#include <fmt/core.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/syscall.h"
#include "target/ptrace_threads.h"

// safety_net_code.S
extern "C" {
extern const std::byte culprit_safety_net_begin[], culprit_safety_net_end[];
extern const std::byte culprit_safety_net_handler[], culprit_safety_net_restorer[];
}

namespace culprit {
namespace {

// What the handler reads.
struct Header {
  uint64_t entries = 0;
  uint64_t original_handler = 0;
  uint64_t reserved = 0;
  uint64_t may_restore = 1;
};
struct Entry {
  uint64_t address = 0;
  uint64_t slot = 0;  // 0: there is none, and the byte must be put back
  uint64_t original = 0;
};
static_assert(sizeof(Header) == 32 && sizeof(Entry) == 24);

constexpr uint64_t page = 4096;
constexpr uint64_t table_size = 32768;  // code, header and entries
constexpr size_t most_entries = 1024;
constexpr size_t slots_per_area = 1024;
constexpr uint64_t area_size = slots_per_area * moved_instruction_size;
constexpr uint64_t main_size = table_size + area_size + page;  // the last page is writable
constexpr uint64_t read_execute = PROT_READ | PROT_EXEC, anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
constexpr uint64_t no_file = ~uint64_t{0};
constexpr uint64_t fixed_or_not_at_all = 0x100000;  // MAP_FIXED_NOREPLACE
// What an instruction reaches relative to itself, less what lies around it.
constexpr uint64_t reach = (uint64_t{1} << 31) - (uint64_t{16} << 20);

uint64_t size_of_code() { return static_cast<uint64_t>(culprit_safety_net_end - culprit_safety_net_begin); }

std::vector<MapsEntry> maps_of(uint32_t pid) {
  auto text = read_whole_file(fmt::format("/proc/{}/maps", living_thread(pid)));
  return text ? parse_maps(*text) : std::vector<MapsEntry>();
}

// Room for an area that code at `address` reaches; 0: there is none.
uint64_t gap_near(const std::vector<MapsEntry>& maps, uint64_t address) {
  uint64_t best = 0, best_distance = reach, end = uint64_t{1} << 16;  // below it nothing may be mapped
  auto consider = [&](uint64_t start) {
    uint64_t distance = start > address ? start - address : address - start;
    if (distance < best_distance) best = start, best_distance = distance;
  };
  constexpr uint64_t margin = 16 * page;  // stacks and heaps grow
  for (const MapsEntry& entry : maps) {
    if (entry.start > end && entry.start - end >= area_size + 2 * margin && entry.path != "[stack]") {
      if (end > (uint64_t{1} << 16)) consider(end + margin);
      consider(entry.start - area_size - margin);
    }
    end = entry.end;
    if (entry.path == "[heap]") end += uint64_t{64} << 20;
  }
  return best;
}

}  // namespace

Result<void> SafetyNet::check_filters(uint32_t pid) {
  if (std::ranges::none_of(threads_of(pid), has_seccomp_filter)) return {};
  return fail(
      ErrorKind::unsupported,
      fmt::format("process {} has a seccomp filter, which may kill it for what would take breakpoints out of it "
                  "if culprit were killed: none is set",
                  pid));
}

Result<int64_t> SafetyNet::call(uint32_t tid, uint64_t number, const std::array<uint64_t, 6>& arguments) {
  if (has_seccomp_filter(tid)) CULPRIT_TRY(check_filters(pid_));  // it has got one since
  return call_in_thread(tid, *memory_, entries_, number, arguments);
}

uint64_t SafetyNet::handler() const {
  return start_ + static_cast<uint64_t>(culprit_safety_net_handler - culprit_safety_net_begin);
}
uint64_t SafetyNet::header() const { return start_ + size_of_code(); }

Result<SafetyNet> SafetyNet::spread(uint32_t pid, uint32_t tid, VictimMemory& memory) {
  auto entries = find_call_entries(maps_of(pid), memory);
  if (!entries)
    return fail(ErrorKind::unsupported, fmt::format("process {} has no code of the kind that calls the system", pid));
  SafetyNet net(pid, memory, *entries);
  CULPRIT_TRY(net.map_main(tid));
  CULPRIT_TRY(net.install_handler(tid));
  return net;
}

Result<void> SafetyNet::map_main(uint32_t tid) {
  auto mapped = call(tid, SYS_mmap, {0, main_size, read_execute, anonymous, no_file, 0});
  if (!mapped) return tl::unexpected<Error>(std::move(mapped).error());
  if (*mapped < 0) return fail(ErrorKind::limit, fmt::format("process {} has no memory left", pid_));
  start_ = static_cast<uint64_t>(*mapped);
  areas_.push_back({start_ + table_size, 0});
  bool is_written =
      memory_->write(start_, {culprit_safety_net_begin, size_of_code()}) && memory_->write_value(header(), Header{});
  if (!is_written) return fail(ErrorKind::gone, fmt::format("process {} ended meanwhile", pid_));
  scratch_ = start_ + main_size - page;
  auto writable = call(tid, SYS_mprotect, {scratch_, page, PROT_READ | PROT_WRITE});
  if (!writable) return tl::unexpected<Error>(std::move(writable).error());
  if (*writable != 0) return fail(ErrorKind::limit, fmt::format("process {} has no memory left", pid_));
  return {};
}

// What the kernel does at SIGTRAP now; nothing: it cannot be asked.
std::optional<SafetyNet::Action> SafetyNet::current_action(uint32_t tid) {
  Action action{};
  auto asked = call(tid, SYS_rt_sigaction, {SIGTRAP, 0, scratch_, sizeof(uint64_t), 0, 0});
  if (!asked || *asked != 0 || !memory_->read_value(scratch_, action)) return {};
  return action;
}

bool SafetyNet::set_action(uint32_t tid, const Action& action) {
  if (!memory_->write_value(scratch_, action)) return false;
  auto set = call(tid, SYS_rt_sigaction, {SIGTRAP, scratch_, 0, sizeof(uint64_t), 0, 0});
  return set && *set == 0;
}

SafetyNet::Action SafetyNet::own_action() const {
  constexpr uint64_t has_restorer = 0x04000000;
  uint64_t restorer = start_ + static_cast<uint64_t>(culprit_safety_net_restorer - culprit_safety_net_begin);
  return {handler(), SA_SIGINFO | SA_ONSTACK | has_restorer, restorer, 0};
}

Result<void> SafetyNet::install_handler(uint32_t tid) {
  auto original = current_action(tid);
  if (original) {
    original_action_ = *original;
    // Before the handler is there, it must know where to hand on what is not ours.
    memory_->write_value(header() + offsetof(Header, original_handler), original_action_.handler);
    if (set_action(tid, own_action())) return {};
  }
  return fail(ErrorKind::gone, fmt::format("process {} lets no handler of SIGTRAP be set", pid_));
}

void SafetyNet::renew_handler(uint32_t tid) {
  auto action = current_action(tid);
  if (action && action->handler == reinterpret_cast<uint64_t>(SIG_DFL)) set_action(tid, own_action());
}

void SafetyNet::take_out(uint32_t tid, bool is_unused) {
  auto action = current_action(tid);
  bool is_gone = action && action->handler != handler();
  if (action && !is_gone) is_gone = set_action(tid, original_action_);
  if (!is_gone || !is_unused) return;
  for (const Area& area : areas_) {
    if (area.start < start_ || area.start >= start_ + main_size) call(tid, SYS_munmap, {area.start, area_size});
  }
  call(tid, SYS_munmap, {start_, main_size});
}

Result<void> SafetyNet::map_near(uint64_t address, uint32_t tid) {
  uint64_t wanted = gap_near(maps_of(pid_), address);
  if (wanted != 0) {
    auto mapped = call(tid, SYS_mmap, {wanted, area_size, read_execute, anonymous | fixed_or_not_at_all, no_file, 0});
    if (!mapped) return tl::unexpected<Error>(std::move(mapped).error());
    if (*mapped > 0) {
      areas_.push_back({static_cast<uint64_t>(*mapped), 0});
      return {};
    }
  }
  return fail(ErrorKind::limit, fmt::format("process {} has no room within 2 GB of {:#x}", pid_, address), address);
}

Result<uint64_t> SafetyNet::free_slot(uint64_t address, bool must_be_near, uint32_t tid) {
  auto fits = [&](const Area& area) {
    uint64_t distance = area.start > address ? area.start - address : address - area.start;
    return area.used < slots_per_area && (!must_be_near || distance < reach);
  };
  auto area = std::ranges::find_if(areas_, fits);
  if (area == areas_.end()) {
    CULPRIT_TRY(map_near(address, tid));
    area = std::prev(areas_.end());
  }
  return area->start + moved_instruction_size * area->used++;
}

// The handler may be called at any moment: an entry is whole before it counts.
Result<size_t> SafetyNet::write_entry(std::optional<size_t> known, uint64_t address, uint64_t slot,
                                      std::byte original) {
  size_t index = known.value_or(entry_count_);
  if (index >= most_entries) return fail(ErrorKind::limit, "there are too many breakpoints");
  uint64_t at = header() + sizeof(Header) + index * sizeof(Entry);
  Entry entry{address, slot, static_cast<uint64_t>(original)};
  bool is_written = memory_->write_value(at, entry);
  if (!known) entry_count_++;
  if (!is_written || !memory_->write_value(header(), uint64_t{entry_count_}))
    return fail(ErrorKind::gone, fmt::format("process {} ended meanwhile", pid_));
  return index;
}

Result<uint64_t> SafetyNet::add(uint64_t address, Bytes code, uint32_t tid) {
  auto known = moved_.find(address);
  if (known != moved_.end() && std::ranges::equal(known->second.code, code)) return known->second.slot;
  std::optional<size_t> entry;
  if (known != moved_.end()) entry = known->second.entry;  // other code lies there now
  auto must_be_near = must_stay_near(code, address);
  Result<uint64_t> slot =
      must_be_near ? free_slot(address, *must_be_near, tid) : tl::unexpected<Error>(std::move(must_be_near).error());
  Result<MovedInstruction> moved =
      slot ? move_instruction(code, address, *slot) : tl::unexpected<Error>(std::move(slot).error());
  if (moved && !memory_->write(*slot, moved->code))
    moved = fail(ErrorKind::gone, fmt::format("process {} ended meanwhile", pid_));
  auto written = write_entry(entry, address, moved ? *slot : 0, code[0]);
  if (!written) return tl::unexpected<Error>(std::move(written).error());
  if (!moved) return tl::unexpected<Error>(std::move(moved).error());
  by_slot_[*slot] = address;
  moved_[address] = {*slot, *written, {code.begin(), code.end()}, std::move(*moved)};
  return *slot;
}

const MovedPlace* SafetyNet::place_of(uint64_t address) const {
  auto after = by_slot_.upper_bound(address);
  if (after == by_slot_.begin()) return nullptr;
  auto [slot, original] = *std::prev(after);
  if (address - slot >= moved_instruction_size) return nullptr;
  const auto moved = moved_.find(original);
  if (moved == moved_.end() || moved->second.slot != slot) return nullptr;
  for (const MovedPlace& place : moved->second.instruction.places) {
    if (slot + place.offset == address) return &place;
  }
  return nullptr;
}

}  // namespace culprit
