#include "capture/patch_sites.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "arch/instructions.h"
#include "format/eh_frame.h"

namespace culprit {

namespace {

constexpr size_t jump_size = 5;  // of the jump that replaces the first bytes
constexpr size_t longest_site = sizeof(culprit_site::original);
constexpr size_t mov_size = 5;  // of `mov $nr,%eax`
constexpr std::byte mov_to_eax{0xb8};
constexpr std::byte syscall_bytes[] = {std::byte{0x0f}, std::byte{0x05}};

constexpr uint16_t call_read = 0, call_ioctl = 16, call_exit = 60, call_exit_group = 231;

// Calls of which it is enough to see the result. All others must be seen before they are made: they close, fork, exec
// or unmap.
constexpr uint16_t visible_afterwards[] = {call_read, call_ioctl};

// Code that is one function as far as can be told, with whatever follows up to the next one: clone()'s FDE ends before
// its system call, so that nobody unwinds past it.
struct Region {
  uint64_t start = 0;
  Bytes code;
};

std::vector<uint64_t> function_starts(const ElfFile& elf) {
  std::vector<uint64_t> starts;
  EhFrame frame = parse_eh_frame(find_eh_frame(elf));
  // A signal trampoline's FDE begins one byte early, as unwinders look up return addresses minus one.
  for (const Fde& fde : frame.fdes) starts.push_back(fde.start + (frame.cies[fde.cie].is_signal_frame ? 1 : 0));
  if (starts.empty())
    for (const ElfSymbol& symbol : elf.function_symbols()) starts.push_back(symbol.address);
  std::ranges::sort(starts);
  auto repeated = std::ranges::unique(starts);
  starts.erase(repeated.begin(), repeated.end());
  return starts;
}

// Whether there may be a wanted system call: disassembling is slow, and most calls say their number in the instruction
// before.
bool is_worth_reading(Bytes code, const std::vector<bool>& wanted) {
  const std::byte* begin = code.data();
  for (size_t at = 0; at < code.size(); at += 2) {
    const void* found = memmem(begin + at, code.size() - at, syscall_bytes, sizeof syscall_bytes);
    if (found == nullptr) return false;
    at = static_cast<size_t>(static_cast<const std::byte*>(found) - begin);
    if (at < mov_size || code[at - mov_size] != mov_to_eax) return true;
    bool has_prefix = at > mov_size && (code[at - mov_size - 1] & std::byte{0xf0}) == std::byte{0x40};
    if (has_prefix) return true;  // perhaps `mov $imm,%r8d`
    auto number = ByteReader(code, at - mov_size + 1).take<uint32_t>();
    if (number > UINT16_MAX || wanted[number]) return true;
  }
  return false;
}

// The functions with a wanted system call in them.
std::vector<Region> regions_of(const ElfFile& elf, const std::vector<bool>& wanted) {
  std::vector<Region> regions;
  std::vector<uint64_t> starts = function_starts(elf);
  for (const ElfSegment& segment : elf.segments) {
    if (!segment.is_code()) continue;
    Bytes code = elf.data_of(segment);
    if (segment.address > UINT32_MAX || code.size() > UINT32_MAX - segment.address) continue;
    auto start = std::ranges::lower_bound(starts, segment.address);
    while (start != starts.end() && *start < segment.address + code.size()) {
      auto next = std::next(start);
      uint64_t end = next == starts.end() ? UINT64_MAX : *next;
      end = std::min(end, segment.address + code.size());
      Bytes body = code.subspan(*start - segment.address, end - *start);
      if (is_worth_reading(body, wanted)) regions.push_back({*start, body});
      start = next;
    }
  }
  return regions;
}

// What is known about the number of one system call.
struct CallNumber {
  std::optional<uint16_t> number;
  size_t set_at = 0;  // index of the instruction that sets eax
  size_t constant_at =
      0;  // of the one that sets the number: the same, or the `mov $nr,%reg` of a register copied to eax
  bool is_adjacent = false;  // between set_at and the call everything is movable
  bool is_certain = false;   // on every way to the call the number comes from constant_at
};

std::optional<uint16_t> as_number(std::optional<uint32_t> constant) {
  return constant && *constant <= UINT16_MAX ? std::optional(static_cast<uint16_t>(*constant)) : std::nullopt;
}

struct Fit {
  std::optional<culprit_site> site;
  std::string_view reason;  // why not
};

class RegionReader {
 public:
  RegionReader(const std::vector<Instruction>& instructions, const std::vector<bool>& wanted, PatchSites& result)
      : instructions_(instructions), wanted_(wanted), result_(result) {}

  void read() {
    collect_jumps();
    for (size_t i = 0; i < instructions_.size(); ++i)
      if (instructions_[i].is_syscall()) read_call(i);
  }

 private:
  void collect_jumps() {
    for (size_t i = 0; i < instructions_.size(); ++i)
      if (instructions_[i].target) jumps_.push_back({*instructions_[i].target, i});
    std::ranges::sort(jumps_, {}, &Jump::target);
  }

  bool is_entered(uint64_t after, uint64_t before) const {  // by a jump to after < target < before
    auto found = std::ranges::upper_bound(jumps_, after, {}, &Jump::target);
    return found != jumps_.end() && found->target < before;
  }

  // Whether the value that instruction `first` gives to `reg` is what it holds at `last`, on every way there.
  bool is_kept(uint8_t reg, size_t first, size_t last) const {
    constexpr size_t farthest = 256;
    size_t end = first + 1;  // of the instructions which the value certainly reaches in a straight line
    while (end < instructions_.size() && end - first < farthest && !instructions_[end].writes(reg)) ++end;
    if (last >= end) return false;
    auto jump = std::ranges::upper_bound(jumps_, instructions_[first].address, {}, &Jump::target);
    for (; jump != jumps_.end() && jump->target <= instructions_[last].address; ++jump)
      if (jump->source <= first || jump->source >= end) return false;
    return true;
  }

  std::optional<size_t> last_write(uint8_t reg, size_t before) const {
    constexpr size_t farthest = 64;
    for (size_t i = before; i-- > 0 && before - i <= farthest;)
      if (instructions_[i].writes(reg)) return i;
    return {};
  }

  CallNumber number_of(size_t call) const {
    CallNumber found;
    auto set_at = last_write(machine_rax, call);
    if (!set_at) return found;
    found.set_at = found.constant_at = *set_at;
    auto between = std::span(instructions_).subspan(*set_at, call - *set_at);
    found.is_adjacent = std::ranges::all_of(between, &Instruction::is_movable);
    uint8_t holder = machine_rax;
    if (auto source = instructions_[*set_at].source) {
      auto constant_at = last_write(*source, *set_at);
      if (!constant_at) return found;
      found.constant_at = *constant_at;
      holder = *source;
    }
    found.number = as_number(instructions_[found.constant_at].constant);
    found.is_certain = is_kept(machine_rax, found.set_at, call) && is_kept(holder, found.constant_at, found.set_at);
    return found;
  }

  // The replaced bytes end with the `syscall` and begin at `first`.
  Fit fit_up_to_call(size_t first, size_t call) const {
    uint64_t start = instructions_[first].address, end = instructions_[call].end();
    if (end - start > longest_site) return {.reason = "the instructions before it are too long"};
    if (end - start < jump_size) return {.reason = "there is no room for a jump"};
    // The `syscall` stays where it is if the jump fits before it; who jumps to it makes the call unseen, but nothing
    // breaks.
    bool keeps_call = instructions_[call].address - start >= jump_size;
    if (is_entered(start, keeps_call ? instructions_[call].address : end))
      return {.reason = "a jump enters the bytes to replace"};
    culprit_site site = site_at(start, end);
    site.kind = CULPRIT_SITE_CALL;
    site.syscall_offset = static_cast<uint8_t>(instructions_[call].address - start);
    return {.site = site, .reason = {}};
  }

  Fit fit_call(size_t call, const CallNumber& number) const {
    bool is_direct = number.set_at == number.constant_at;
    if (!number.is_adjacent || (!is_direct && !number.is_certain)) return {.reason = "its number is set too far away"};
    size_t first = number.set_at;
    while (instructions_[call].end() - instructions_[first].address < jump_size && first > 0 &&
           instructions_[first - 1].is_movable)
      --first;
    return fit_up_to_call(first, call);
  }

  // The comparison with -4095 that follows most system calls.
  Fit fit_after(size_t call, const CallNumber& number) const {
    if (!number.is_certain || call + 1 >= instructions_.size()) return {};
    const Instruction& next = instructions_[call + 1];
    auto byte = [&](size_t i) { return static_cast<unsigned>(next.bytes[i]); };
    bool is_comparison = next.bytes.size() == 6 && byte(0) == 0x48 && byte(1) == 0x3d &&
                         (byte(2) == 0 || byte(2) == 1) && byte(3) == 0xf0 && byte(4) == 0xff && byte(5) == 0xff;
    // Not even its start may be jumped to: the hook believes that the call was just made.
    if (!is_comparison || is_entered(next.address - 1, next.end())) return {};
    culprit_site site = site_at(next.address, next.end());
    site.kind = CULPRIT_SITE_AFTER;
    return {.site = site, .reason = {}};
  }

  // A number of exit or exit_group that is put into a register shortly before a loop around the call.
  Fit fit_exit(size_t call, const CallNumber& number) const {
    constexpr uint64_t shortly = 64;
    const Instruction& constant = instructions_[number.constant_at];
    bool is_near = instructions_[call].address - constant.address < shortly;
    if (number.constant_at == number.set_at || !number.is_certain || !is_near) return {};
    if (constant.bytes.size() != jump_size || is_entered(constant.address, constant.end())) return {};
    culprit_site site = site_at(constant.address, constant.end());
    site.kind = CULPRIT_SITE_BEFORE_EXIT;
    return {.site = site, .reason = {}};
  }

  // syscall(): the number comes as the first argument; the last thing it does is to fetch the seventh.
  Fit fit_any_call(size_t call) const {
    constexpr unsigned char last_move[] = {0x4c, 0x8b, 0x4c, 0x24, 0x08}, first_move[] = {0x48, 0x89, 0xf8};
    auto is = [&](size_t i, std::span<const unsigned char> bytes) {
      return std::ranges::equal(std::as_bytes(bytes), instructions_[i].bytes);
    };
    if (call == 0 || !is(call - 1, last_move)) return {};
    for (size_t i = call; i-- > 0;) {
      if (!instructions_[i].writes(machine_rax)) continue;
      if (!is(i, first_move)) return {};
      Fit fit = fit_up_to_call(call - 1, call);
      if (fit.site) fit.site->kind = CULPRIT_SITE_ANY_CALL;
      return fit;
    }
    return {};
  }

  culprit_site site_at(uint64_t start, uint64_t end) const {
    culprit_site site{};
    site.start = static_cast<uint32_t>(start);
    site.length = static_cast<uint8_t>(end - start);
    auto first = std::ranges::lower_bound(instructions_, start, {}, &Instruction::address);
    site.first_length = static_cast<uint8_t>(first->bytes.size());
    std::memcpy(site.original, first->bytes.data(), site.length);  // the region's bytes follow each other
    return site;
  }

  void read_call(size_t call) {
    if (Fit any = fit_any_call(call); any.site) return accept(*any.site);
    CallNumber number = number_of(call);
    if (!number.number) {
      ++result_.unknown_numbers;
      return;
    }
    if (!wanted_[*number.number]) return;
    if (*number.number == call_exit && is_fallback_of_exit_group(call)) return;
    Fit fit;
    if (*number.number == call_exit || *number.number == call_exit_group) fit = fit_exit(call, number);
    if (!fit.site) fit = fit_call(call, number);
    if (!fit.site && std::ranges::count(visible_afterwards, *number.number) != 0)
      if (Fit after = fit_after(call, number); after.site) fit = after;
    if (!fit.site) return refuse(call, *number.number, fit.reason);
    fit.site->number = *number.number;
    accept(*fit.site);
  }

  // _exit() falls back on exit if exit_group should fail, which it cannot: that must not be taken for the end of the
  // thread.
  bool is_fallback_of_exit_group(size_t call) const {
    constexpr uint64_t nearby = 64;
    uint64_t address = instructions_[call].address;
    return std::ranges::any_of(instructions_, [&](const Instruction& instruction) {
      return instruction.constant == call_exit_group && instruction.address + nearby > address &&
             instruction.address < address + nearby;
    });
  }

  void accept(const culprit_site& site) {
    if (!result_.sites.empty() && result_.sites.back().start + result_.sites.back().length > site.start) {
      result_.unfit.push_back({site.start, site.number, {}, "it overlaps another one"});
      return;
    }
    result_.sites.push_back(site);
  }
  void refuse(size_t call, uint16_t number, std::string_view reason) {
    result_.unfit.push_back({static_cast<uint32_t>(instructions_[call].address), number, {}, std::string(reason)});
  }

  struct Jump {
    uint64_t target;
    size_t source;  // index
  };

  const std::vector<Instruction>& instructions_;
  const std::vector<bool>& wanted_;
  PatchSites& result_;
  std::vector<Jump> jumps_;  // direct ones, ascending by target
};

// Calls `visit` with the target of everything in `code` that looks like a jump with a 32-bit distance.
template <typename Function>
void for_each_far_jump(Bytes code, uint64_t address, Function visit) {
  auto visit_at = [&](size_t distance_at) {
    auto distance = ByteReader(code, distance_at).take<int32_t>();
    visit(address + distance_at + sizeof distance + static_cast<uint64_t>(int64_t{distance}));
  };
  auto for_each_byte = [&](int wanted, auto found) {
    for (size_t i = 0; i + jump_size <= code.size(); ++i) {
      const void* at = std::memchr(code.data() + i, wanted, code.size() - jump_size + 1 - i);
      if (at == nullptr) return;
      i = static_cast<size_t>(static_cast<const std::byte*>(at) - code.data());
      found(i);
    }
  };
  for_each_byte(0xe9, [&](size_t i) { visit_at(i + 1); });
  for_each_byte(0x0f, [&](size_t i) {
    if ((code[i + 1] & std::byte{0xf0}) == std::byte{0x80}) visit_at(i + 2);
  });
}

// Jumps from elsewhere, such as a function's cold part.
void refuse_sites_entered_from_elsewhere(const ElfFile& elf, PatchSites& result) {
  if (result.sites.empty()) return;
  std::vector<bool> is_refused(result.sites.size());
  auto check = [&](uint64_t target) {
    auto site = std::ranges::lower_bound(result.sites, target, {}, &culprit_site::start);
    if (site == result.sites.begin()) return;
    --site;
    bool keeps_call = site->syscall_offset >= jump_size;
    uint64_t end = site->start + (keeps_call ? site->syscall_offset : site->length);
    if (target > site->start && target < end) is_refused[static_cast<size_t>(site - result.sites.begin())] = true;
  };
  for (const ElfSegment& segment : elf.segments)
    if (segment.is_code()) for_each_far_jump(elf.data_of(segment), segment.address, check);
  std::vector<culprit_site> kept;
  for (size_t i = 0; i < result.sites.size(); ++i) {
    const culprit_site& site = result.sites[i];
    if (is_refused[i])
      result.unfit.push_back({site.start, site.number, {}, "a jump from elsewhere enters the bytes to replace"});
    else
      kept.push_back(site);
  }
  result.sites = std::move(kept);
}

void name_functions(const ElfFile& elf, std::vector<UnfitSite>& unfit) {
  if (unfit.empty()) return;
  std::vector<ElfSymbol> symbols = elf.function_symbols();
  for (UnfitSite& site : unfit) {
    auto after = std::ranges::upper_bound(symbols, uint64_t{site.address}, {}, &ElfSymbol::address);
    if (after == symbols.begin()) continue;
    const ElfSymbol& symbol = *std::prev(after);
    if (site.address - symbol.address < symbol.size) site.function = symbol.name;
  }
}

}  // namespace

PatchSites find_patch_sites(const ElfFile& elf, std::span<const uint16_t> wanted) {
  PatchSites result;
  if (elf.machine != elf::machine_x86_64) return result;
  auto disassembler = Disassembler::make();
  if (!disassembler) return result;
  std::vector<bool> is_wanted(UINT16_MAX + 1);
  for (uint16_t number : wanted) is_wanted[number] = true;
  std::vector<Instruction> instructions;
  for (const Region& region : regions_of(elf, is_wanted)) {
    disassembler->decode(region.code, region.start, instructions);
    RegionReader(instructions, is_wanted, result).read();
  }
  std::ranges::sort(result.sites, {}, &culprit_site::start);
  refuse_sites_entered_from_elsewhere(elf, result);
  name_functions(elf, result.unfit);
  return result;
}

}  // namespace culprit
