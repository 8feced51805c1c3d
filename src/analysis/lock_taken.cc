#include "analysis/lock_taken.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "analysis/blame.h"
#include "symbols/function_name.h"

namespace culprit {

namespace {

constexpr uint64_t longest_function = 1 << 20, largest_frame = 1 << 16;

template <typename Value>
Value value_at(std::span<const std::byte> bytes, size_t at) {
  Value value{};
  memcpy(&value, &bytes[at], sizeof value);
  return value;
}

// The code of a frame's function, from its beginning to where the frame stands.
struct CodeBefore {
  uint64_t start = 0;
  std::vector<std::byte> bytes;

  uint64_t relative_at(size_t at) const {  // what an operand there means that is relative to what follows it
    return start + at + 4 + static_cast<uint64_t>(int64_t{value_at<int32_t>(bytes, at)});
  }
  uint8_t byte(size_t at) const { return std::to_integer<uint8_t>(bytes[at]); }
};

class Search {
 public:
  Search(uint64_t lock, const LockOwner& owner, Target& target, TargetStacks& stacks, const FunctionAt& function_at)
      : lock_(lock), owner_(owner), target_(target), stacks_(stacks), function_at_(function_at) {}

  std::optional<TakenPlace> run() {
    std::optional<TakenPlace> by_code, by_pointer;
    const std::vector<WalkedFrame>& frames = owner_.stack.frames;
    // The outermost frame's end is not known, and it is no program's own.
    for (size_t at = 0; at + 1 < frames.size(); at++) {
      const TargetModule* module = target_.module_at(frames[at].address);
      if (module == nullptr || !is_own_module(module->module.path)) continue;
      const auto code = code_before(frames[at].address);
      if (!code) continue;
      if (!by_code || owner_.has_it_twice)
        if (auto found = named_by(*code)) by_code = std::move(found);
      if ((!by_pointer || owner_.has_it_twice) && has_pointer(frames[at].sp, frames[at + 1].sp))
        if (auto found = locked_by(*code)) by_pointer = std::move(found);
    }
    return by_code ? by_code : by_pointer;
  }

 private:
  std::optional<CodeBefore> code_before(uint64_t address) {
    auto function = function_at_(address - 1);
    if (!function || function->address >= address || address - function->address > longest_function) return {};
    CodeBefore code{function->address, std::vector<std::byte>(address - function->address)};
    if (!target_.memory().read(code.start, code.bytes)) return {};
    return code;
  }

  // An operand of four bytes: relative to the next instruction (lea, or a load from the table of addresses), or, in
  // programs at fixed addresses, the address itself.
  bool is_the_lock(const CodeBefore& code, size_t at) {
    if (code.relative_at(at) == lock_ || value_at<uint32_t>(code.bytes, at) == lock_) return true;
    constexpr uint8_t load = 0x8b, mode_mask = 0xc7, relative_mode = 0x05;
    if (at < 2 || code.byte(at - 2) != load || (code.byte(at - 1) & mode_mask) != relative_mode) return false;
    return target_.memory().word(code.relative_at(at)) == lock_;
  }

  // Not where it is given back.
  static bool releases(const ReportStack& place) {
    return std::ranges::any_of(place.frames, [](const ReportFrame& frame) {
      return frame.inlined &&
             (frame.function.find("unlock") != std::string::npos || frame.function.find('~') != std::string::npos);
    });
  }

  std::optional<TakenPlace> named_by(const CodeBefore& code) {
    std::optional<TakenPlace> last;
    for (size_t at = 0; at + 4 <= code.bytes.size(); at++) {
      if (!is_the_lock(code, at)) continue;
      ReportStack place = stacks_.place(code.start + at);
      if (!place.blamed || releases(place)) continue;
      last = TakenPlace{TakenEvidence::code, std::move(place.frames[*place.blamed])};
      if (owner_.has_it_twice) break;
    }
    return last;
  }

  bool has_pointer(uint64_t from, uint64_t to) {
    if (to <= from || to - from > largest_frame) return false;
    std::vector<std::byte> frame(to - from);
    if (!owner_.stack_memory.read(from, frame)) return false;
    for (size_t at = 0; at + 8 <= frame.size(); at += 8)
      if (value_at<uint64_t>(frame, at) == lock_) return true;
    return false;
  }

  // A call through a stub of the procedure linkage table leads to where the table of addresses says.
  uint64_t end_of_call(uint64_t callee) {
    std::array<std::byte, 16> stub;
    if (!target_.memory().read(callee, stub)) return callee;
    for (size_t at = 0; at + 6 <= stub.size() && at <= 5; at++) {  // behind endbr64 and bnd, if they are there
      if (stub[at] != std::byte{0xff} || stub[at + 1] != std::byte{0x25}) continue;
      const uint64_t slot = callee + at + 6 + static_cast<uint64_t>(int64_t{value_at<int32_t>(stub, at + 2)});
      return target_.memory().word(slot).value_or(callee);
    }
    return callee;
  }

  bool is_function_that_locks(uint64_t callee) {
    const uint64_t end = end_of_call(callee);
    auto function = function_at_(end);
    if (!function || function->address != end) return false;
    std::string name = qualified_name(function->name);
    std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
    if (name.ends_with("unlock") || name.ends_with("block") ||
        (name.ends_with("clock") && !name.ends_with("clocklock")))
      return false;
    return name.ends_with("lock") || name.ends_with("lock_guard") || name.ends_with("acquire");
  }

  // By a call before the one in which it stands; which one, if there are several, is not known.
  std::optional<TakenPlace> locked_by(const CodeBefore& code) {
    constexpr uint8_t call = 0xe8;
    std::vector<size_t> calls;
    for (size_t at = 1; at + 4 < code.bytes.size(); at++) {
      if (code.byte(at - 1) != call) continue;
      const uint64_t callee = code.relative_at(at);
      const TargetModule* module = target_.module_at(callee);
      if (module != nullptr && is_function_that_locks(callee)) calls.push_back(at);
    }
    if (calls.empty()) return {};
    ReportStack place = stacks_.place(code.start + calls.front());
    if (!place.blamed) return {};
    TakenPlace taken{TakenEvidence::pointer, std::move(place.frames[*place.blamed])};
    if (calls.size() != 1) taken.frame.line = 0;
    return taken;
  }

  const uint64_t lock_;
  const LockOwner& owner_;
  Target& target_;
  TargetStacks& stacks_;
  const FunctionAt& function_at_;
};

}  // namespace

std::optional<TakenPlace> place_where_taken(uint64_t lock, const LockOwner& owner, Target& target, TargetStacks& stacks,
                                            const FunctionAt& function_at) {
  return Search(lock, owner, target, stacks, function_at).run();
}

}  // namespace culprit
