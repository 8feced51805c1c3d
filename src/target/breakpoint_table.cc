#include "target/breakpoint_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "base/syscall.h"
#include "format/procfs.h"
#include "target/moved_instruction.h"
#include "target/ptrace_threads.h"

namespace culprit {
namespace {

constexpr std::byte int3{0xcc};

Bytes one(const std::byte& byte) { return {&byte, 1}; }

}  // namespace

// A byte of a file's mapping that is shared would be changed in the file.
Result<void> BreakpointTable::check_place(uint64_t address) {
  auto text = read_whole_file(fmt::format("/proc/{}/maps", living_thread(pid_)));
  if (!text) return fail(ErrorKind::gone, fmt::format("process {} has ended", pid_));
  for (const MapsEntry& entry : parse_maps(*text)) {
    if (address < entry.start || address >= entry.end) continue;
    if (!entry.is_executable) break;
    if (!entry.is_shared) return {};
    return fail(ErrorKind::unsupported,
                fmt::format("{:#x} lies in memory that is shared with others, who would meet the breakpoint", address),
                address);
  }
  return fail(ErrorKind::not_found, fmt::format("there is no code at {:#x}", address), address);
}

Result<void> BreakpointTable::insert(Breakpoint& breakpoint, uint32_t helper) {
  uint64_t address = breakpoint.request.address;
  std::vector<uint32_t> others;
  if (auto known = sites_.find(address); known != sites_.end()) {
    known->second.breakpoints.push_back(breakpoint.id);
    if (lies_at(address, int3)) return {};
    others = std::move(known->second.breakpoints);
    sites_.erase(known);  // the library with our byte has gone, and other code lies there now
  }
  CULPRIT_TRY(check_place(address));
  CULPRIT_TRY(SafetyNet::check_filters(pid_));
  BreakpointSite site;
  size_t readable = site.code.size();
  while (readable > 0 && !memory_.read(address, std::span(site.code).first(readable))) readable--;
  // What others have replaced in it is put right, so that the instruction is whole.
  for (size_t i = 0; i < readable; i++) {
    if (auto other = sites_.find(address + i); other != sites_.end()) site.code[i] = other->second.code[0];
  }
  if (readable == 0 || site.code[0] == int3)
    return fail(ErrorKind::unsupported, fmt::format("at {:#x} the program has a breakpoint of its own", address));
  if (!net_ && helper != 0) {
    if (auto net = SafetyNet::spread(pid_, helper, memory_)) net_ = std::move(*net);
  }
  if (net_ && helper != 0) {
    if (auto slot = net_->add(address, Bytes(site.code).first(readable), helper)) site.slot = *slot;
  }
  if (!memory_.write(address, one(int3)))
    return fail(ErrorKind::no_access, fmt::format("the code at {:#x} cannot be changed", address), address);
  site.breakpoints = std::move(others);
  if (site.breakpoints.empty()) site.breakpoints.push_back(breakpoint.id);
  sites_.emplace(address, std::move(site));
  return {};
}

void BreakpointTable::take_out(const Breakpoint& breakpoint) {
  auto site = sites_.find(breakpoint.request.address);
  if (site == sites_.end()) return;
  std::erase(site->second.breakpoints, breakpoint.id);
  if (!site->second.breakpoints.empty()) return;
  lift(site->first);
  sites_.erase(site);
}

Result<uint32_t> BreakpointTable::set(const BreakpointRequest& request, const Expression& condition, uint32_t helper) {
  if (breakpoints_.size() >= most_breakpoints)
    return fail(ErrorKind::limit, fmt::format("there are {} breakpoints already", most_breakpoints));
  Breakpoint breakpoint{.id = next_id_, .request = request, .condition = condition};
  CULPRIT_TRY(insert(breakpoint, helper));
  breakpoints_.emplace(next_id_, std::move(breakpoint));
  return next_id_++;
}

bool BreakpointTable::remove(uint32_t id) {
  auto found = breakpoints_.find(id);
  if (found == breakpoints_.end()) return false;
  if (found->second.is_enabled) take_out(found->second);
  breakpoints_.erase(found);
  return true;
}

bool BreakpointTable::enable(uint32_t id, bool is_enabled, uint32_t helper) {
  auto found = breakpoints_.find(id);
  if (found == breakpoints_.end()) return false;
  Breakpoint& breakpoint = found->second;
  if (breakpoint.is_enabled == is_enabled) return true;
  if (is_enabled && !insert(breakpoint, helper)) return false;
  if (!is_enabled) take_out(breakpoint);
  breakpoint.is_enabled = is_enabled;
  return true;
}

void BreakpointTable::spend(uint32_t id) {
  auto found = breakpoints_.find(id);
  if (found != breakpoints_.end() && found->second.request.is_one_shot != 0) remove(id);
}

std::vector<BreakpointState> BreakpointTable::states() const {
  std::vector<BreakpointState> states;
  for (const auto& [id, breakpoint] : breakpoints_) {
    if (breakpoint.request.is_hidden == 0)
      states.push_back(
          {id, breakpoint.is_enabled ? 1u : 0u, breakpoint.request.address, breakpoint.hits, breakpoint.matches});
  }
  return states;
}

BreakpointSite* BreakpointTable::site_at(uint64_t address) {
  auto found = sites_.find(address);
  return found == sites_.end() ? nullptr : &found->second;
}

std::optional<BreakpointTable::Verdict> BreakpointTable::verdict(Breakpoint& breakpoint, uint32_t tid,
                                                                 const Registers& registers) {
  breakpoint.hits++;
  bool is_unknown = false;
  if (!breakpoint.condition.empty()) {
    auto value = evaluate(breakpoint.condition, {&registers, &memory_, pid_, tid});
    is_unknown = !value;
    if (value && (*value != 0) != (breakpoint.request.stops_if != 0)) return {};
  }
  if (++breakpoint.matches < breakpoint.request.passes) return {};
  return Verdict{breakpoint.id, is_unknown};
}

std::optional<BreakpointTable::Verdict> BreakpointTable::hit(BreakpointSite& site, uint32_t tid,
                                                             const Registers& registers) {
  std::optional<Verdict> stops;
  bool is_of_step = false;
  for (uint32_t id : site.breakpoints) {
    Breakpoint& breakpoint = breakpoints_.at(id);
    if (breakpoint.request.tid != 0 && breakpoint.request.tid != tid) continue;
    auto found = verdict(breakpoint, tid, registers);
    if (!found) continue;
    // A breakpoint that somebody set is worth more words than the end of a step.
    if (!stops || is_of_step) stops = found, is_of_step = breakpoint.request.is_hidden != 0;
  }
  return stops;
}

bool BreakpointTable::lies_at(uint64_t address, std::byte byte) {
  std::byte now{};
  return memory_.read(address, {&now, 1}) && now == byte;
}

bool BreakpointTable::is_foreign_trap(uint64_t address) {
  return site_at(address) == nullptr && lies_at(address, int3);
}

const MovedPlace* BreakpointTable::shown_place(Registers& registers) const {
  const MovedPlace* place = net_ ? net_->place_of(registers.rip) : nullptr;
  if (place == nullptr) return nullptr;
  registers.rip = place->address;
  registers.rsp += place->pushed;
  return place;
}

void BreakpointTable::lift(uint64_t address) {
  BreakpointSite* site = site_at(address);
  if (site != nullptr && lies_at(address, int3)) memory_.write(address, one(site->code[0]));
}

void BreakpointTable::put_back(uint64_t address) {
  BreakpointSite* site = site_at(address);
  if (site != nullptr && lies_at(address, site->code[0])) memory_.write(address, one(int3));
}

void BreakpointTable::restore_all(VictimMemory& memory) const {
  for (const auto& [address, site] : sites_) {
    std::byte byte{};
    if (memory.read(address, {&byte, 1}) && byte == int3) memory.write(address, one(site.code[0]));
  }
}

void BreakpointTable::forget_all() {
  breakpoints_.clear();
  sites_.clear();
  net_.reset();
  if (auto memory = VictimMemory::open(pid_)) memory_ = std::move(*memory);
}

}  // namespace culprit
