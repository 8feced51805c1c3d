#include "shell/run_control.h"

#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <csignal>

#include "analysis/target_stacks.h"
#include "base/text.h"
#include "model/clock.h"
#include "shell/console_session.h"
#include "shell/interrupts.h"
#include "target/moved_instruction.h"

namespace culprit {
namespace {

constexpr unsigned index_of_rsp = offsetof(Registers, rsp) / sizeof(uint64_t);

// @rsp > value: the function that was called, and all that it calls, have returned.
Expression stack_is_above(uint64_t value) {
  return {{ExpressionOp::register_value, register_part(index_of_rsp, 0, 64)},
          {ExpressionOp::constant, value},
          {ExpressionOp::greater}};
}

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", signal);
}

tl::unexpected<Error> no_breakpoint(uint32_t number) {
  return fail(ErrorKind::not_found, fmt::format("there is no breakpoint {}; bl lists them", number));
}

// As in WinDbg, a name that can be read as a number is one.
std::string hint_about_number(const std::string& where) {
  const bool looks_like_name = where.find_first_of("abcdefABCDEF") == 0 &&
                               where.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
  return looks_like_name ? fmt::format(": {0} is a number here, the function of that name is MODULE!{0}", where) : "";
}

}  // namespace

Result<Debuggee*> RunControl::debuggee() {
  if (target_.debuggee() == nullptr) CULPRIT_TRY(target_.attach());
  return target_.debuggee();
}

Result<void> RunControl::detach() {
  breakpoints_.clear();
  library_watch_ = until_ = 0;
  return target_.detach();
}

// ---- breakpoints

// A name alone that nothing has yet is one that may come: not_found.
Result<uint64_t> RunControl::address_of(const std::string& where) {
  auto place = parse_expression(where, session_.expression_names(), session_.radix());
  auto address = place ? session_.value_of(*place) : tl::unexpected<Error>(std::move(place).error());
  constexpr std::string_view operators = " @()+*/%<>=&|^";
  if (!address && where.find_first_of(operators) == std::string::npos)
    return fail(ErrorKind::not_found, std::move(address).error().what);
  return address;
}

Result<void> RunControl::bind(ConsoleBreakpoint& breakpoint) {
  auto debugged = debuggee();
  if (!debugged) return tl::unexpected<Error>(std::move(debugged).error());
  if (breakpoint.address == 0) {
    auto address = address_of(breakpoint.line.where);
    if (!address) return tl::unexpected<Error>(std::move(address).error());
    breakpoint.address = *address;
  }
  auto decision = decision_of(breakpoint.line.commands, session_.expression_names(), session_.radix());
  if (!decision) return tl::unexpected<Error>(std::move(decision).error());
  BreakpointRequest request{
      .address = breakpoint.address,
      .tid = breakpoint.line.tid,
      .is_one_shot = breakpoint.line.is_one_shot ? 1u : 0u,
      .passes = breakpoint.line.passes - std::min(breakpoint.line.passes - 1, breakpoint.earlier_matches)};
  Expression condition;
  if (*decision) {
    condition = (*decision)->condition;
    request.stops_if = (*decision)->stops_if ? 1 : 0;
  }
  auto id = (*debugged)->set_breakpoint(request, condition);
  // A place without code is nothing that will come with a library.
  if (!id && id.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::usage, id.error().what + hint_about_number(breakpoint.line.where));
  if (!id) return tl::unexpected<Error>(std::move(id).error());
  breakpoint.id = *id;
  breakpoint.name = session_.words()(breakpoint.address);
  return {};
}

// ld.so calls this function before and after it maps libraries: it is there for debuggers.
Result<void> RunControl::watch_for_libraries() {
  if (library_watch_ != 0) return {};
  auto found = session_.names().find("ld*", "_dl_debug_state", 1, [] { return true; });
  if (found.symbols.empty())
    return fail(ErrorKind::unsupported, "the program has no dynamic loader that would tell of new libraries");
  auto id = (*debuggee())->set_breakpoint({.address = found.symbols.front().address, .is_hidden = 1});
  if (!id) return tl::unexpected<Error>(std::move(id).error());
  library_watch_ = *id;
  return {};
}

Result<uint32_t> RunControl::add(ConsoleBreakpoint breakpoint) {
  auto debugged = debuggee();
  if (!debugged) return tl::unexpected<Error>(std::move(debugged).error());
  auto bound = bind(breakpoint);
  bool is_waited_for = breakpoint.is_by_name && (bound || bound.error().kind == ErrorKind::not_found);
  if (!bound && !is_waited_for) return tl::unexpected<Error>(std::move(bound).error());
  if (is_waited_for) {
    auto watched = watch_for_libraries();
    if (!watched && !bound) return tl::unexpected<Error>(std::move(watched).error());
  }
  breakpoint.number = next_number_++;
  breakpoints_.push_back(std::move(breakpoint));
  return breakpoints_.back().number;
}

Result<void> RunControl::remove(uint32_t number) {
  auto found = std::ranges::find(breakpoints_, number, &ConsoleBreakpoint::number);
  if (found == breakpoints_.end()) return no_breakpoint(number);
  if (Debuggee* debugged = target_.debuggee(); debugged != nullptr && found->id != 0)
    debugged->remove_breakpoint(found->id);
  breakpoints_.erase(found);
  return {};
}

Result<void> RunControl::enable(uint32_t number, bool is_enabled) {
  auto found = std::ranges::find(breakpoints_, number, &ConsoleBreakpoint::number);
  if (found == breakpoints_.end()) return no_breakpoint(number);
  found->is_enabled = is_enabled;
  if (Debuggee* debugged = target_.debuggee(); debugged != nullptr && found->id != 0)
    CULPRIT_TRY(debugged->enable_breakpoint(found->id, is_enabled));
  return {};
}

Result<std::vector<BreakpointState>> RunControl::states() {
  if (Debuggee* debugged = target_.debuggee()) return debugged->breakpoints();
  return std::vector<BreakpointState>();
}

// Its library has gone: it waits for the next one.
Result<void> RunControl::unbind(ConsoleBreakpoint& breakpoint) {
  auto known = states();
  if (!known) return tl::unexpected<Error>(std::move(known).error());
  if (auto state = std::ranges::find(*known, breakpoint.id, &BreakpointState::id); state != known->end()) {
    breakpoint.earlier_hits += state->hits;
    breakpoint.earlier_matches += state->matches;
  }
  breakpoint.address = 0;
  return target_.debuggee()->remove_breakpoint(std::exchange(breakpoint.id, 0));
}

Result<void> RunControl::follow_library(ConsoleBreakpoint& breakpoint) {
  auto address = address_of(breakpoint.line.where);
  if (breakpoint.id != 0 && address && *address == breakpoint.address) return {};
  if (breakpoint.id != 0) CULPRIT_TRY(unbind(breakpoint));
  if (!address) return {};
  CULPRIT_TRY(bind(breakpoint));
  return breakpoint.is_enabled ? Result<void>() : enable(breakpoint.number, false);
}

// Libraries have come or gone.
Result<void> RunControl::follow_libraries() {
  auto looked = session_.threads(ThreadWish::names_and_waits);  // which looks at the modules, too
  if (!looked) return tl::unexpected<Error>(std::move(looked).error());
  for (ConsoleBreakpoint& breakpoint : breakpoints_)
    if (breakpoint.is_by_name) CULPRIT_TRY(follow_library(breakpoint));
  return {};
}

// ---- what happened

std::string RunControl::about_thread(uint32_t tid) {
  auto thread = session_.thread(tid);
  std::string name = thread && !thread->name.empty() ? fmt::format(" \"{}\"", printable(thread->name)) : "";
  auto number = session_.number_of(tid);
  return number ? fmt::format("thread {} (tid {}){}", *number, tid, name) : fmt::format("tid {}{}", tid, name);
}

// The current thread's place and its next instruction.
std::string RunControl::about_place() {
  auto thread = session_.current_thread();
  if (!thread || thread->known != RegistersKnown::all) return "";
  std::vector<std::byte> code(most_instruction_bytes);
  uint64_t at = thread->registers.rip;
  while (!code.empty() && !session_.target()->memory().read(at, code)) code.pop_back();
  auto disassembler = session_.disassembler();
  if (!disassembler) return "";
  auto texts = (*disassembler)->as_text(code, at, 1);
  if (texts.empty()) return fmt::format("{:016x}\n", at);
  return code_text(texts, Bytes(code).first(texts.front().size), session_.words());
}

std::string RunControl::about(const DebugStop& stop) {
  switch (stop.kind) {
    case DebugStopKind::broken_in:
      return "broken in: all threads stand; g lets them run on\n";
    case DebugStopKind::exited:
      return fmt::format("the process has exited with status {}\n", stop.status);
    case DebugStopKind::killed:
      return fmt::format("the process has died of {}\n", signal_name(stop.signal));
    case DebugStopKind::lost:
      return "the process is gone\n";
    case DebugStopKind::signal: {
      std::string how = stop.sender != 0 ? fmt::format(", sent by process {}", stop.sender) : "";
      bool has_address = stop.sender == 0 && (stop.signal == SIGSEGV || stop.signal == SIGBUS);
      if (has_address) how = fmt::format(" at address {:#x}", stop.fault_address);
      return fmt::format("{}{}, first chance, in {}: g delivers it, gh does not\n", signal_name(stop.signal), how,
                         about_thread(stop.tid));
    }
    default:
      return "";
  }
}

void RunControl::execed(Console& console) {
  for (ConsoleBreakpoint& breakpoint : breakpoints_) breakpoint.id = 0;
  bool watched = std::exchange(library_watch_, 0) != 0;
  until_ = 0;
  session_.reload();
  std::string lost;
  for (ConsoleBreakpoint& breakpoint : breakpoints_) {
    // An address means something else in another program.
    bool has_name = breakpoint.is_by_name ||
                    breakpoint.line.where.find_first_not_of("0123456789abcdefABCDEFx`") != std::string::npos;
    breakpoint.address = 0;
    auto bound = has_name ? bind(breakpoint) : Result<void>();
    if (has_name && !bound && bound.error().kind == ErrorKind::not_found) breakpoint.is_by_name = watched = true;
    if (breakpoint.id == 0 && !breakpoint.is_by_name) lost += fmt::format(" {}", breakpoint.number);
    if (breakpoint.id != 0 && !breakpoint.is_enabled) enable(breakpoint.number, false);
  }
  std::erase_if(breakpoints_, [](const ConsoleBreakpoint& each) { return each.id == 0 && !each.is_by_name; });
  if (watched) watch_for_libraries();
  std::string gone = lost.empty() ? "" : fmt::format("; breakpoints gone:{}", lost);
  console.print(fmt::format("the process executes another program now{}\n", gone));
}

bool RunControl::breakpoint_met(Console& console, const DebugStop& stop) {
  if (stop.breakpoint == library_watch_ && library_watch_ != 0) {
    if (auto followed = follow_libraries(); !followed) console.complain(followed.error());
    return true;
  }
  auto found = std::ranges::find(breakpoints_, stop.breakpoint, &ConsoleBreakpoint::id);
  if (found == breakpoints_.end() || stop.breakpoint == until_) {
    console.print(about_place());
    return false;
  }
  ConsoleBreakpoint met = *found;  // its commands may remove it
  if (met.line.is_one_shot) breakpoints_.erase(found);
  if (stop.is_unknown != 0)
    console.complain(
        {ErrorKind::not_found, fmt::format("the condition of breakpoint {} cannot be worked out here", met.number)});
  if (met.line.commands.empty() || stop.is_unknown != 0) {
    console.print(fmt::format("Breakpoint {} hit in {}\n{}", met.number, about_thread(stop.tid), about_place()));
    return false;
  }
  is_in_commands_ = true, goes_on_ = false;
  console.execute(met.line.commands);
  is_in_commands_ = false;
  return goes_on_ && !console.has_ended();
}

bool RunControl::go_on_after_commands() {
  if (is_in_commands_) goes_on_ = true;
  return is_in_commands_;
}

bool RunControl::stopped(Console& console, const DebugStop& stop) {
  bool is_over = target_.debuggee() == nullptr;
  if (!is_over) {
    session_.threads(ThreadWish::names_and_waits);  // new ones get their numbers
    if (stop.tid != 0) session_.make_current(stop.tid);
  }
  switch (stop.kind) {
    case DebugStopKind::breakpoint:
      return breakpoint_met(console, stop);
    case DebugStopKind::executed:
      execed(console);
      return true;
    case DebugStopKind::stepped:
      return false;
    default:
      console.print(about(stop) + (is_over ? "" : about_place()));
      return false;
  }
}

// ---- running

void RunControl::go(Console& console, Time duration) {
  auto debugged = debuggee();
  if (!debugged) return console.complain(debugged.error());
  Time end = duration == 0 ? 0 : monotonic_now() + duration;
  for (bool goes = true; goes;) {
    RunBound bound{.duration = end == 0 ? 0 : std::max<Time>(end - monotonic_now(), 1),
                   .wants_break_in = [] { return was_interrupted(); }};
    auto stop = (*debugged)->go(bound);
    if (!stop) return console.complain(stop.error());
    // Ctrl-C has done what it was pressed for.
    bool was_asked = was_interrupted() || (end != 0 && monotonic_now() >= end);
    forget_interrupt();
    goes = stopped(console, *stop);
    if (was_asked && goes) {
      goes = false;
      console.print("broken in: all threads stand; g lets them run on\n");
    }
  }
}

void RunControl::run_until(Console& console, uint64_t address, uint32_t tid, uint64_t above_stack, Time duration) {
  auto debugged = debuggee();
  if (!debugged) return console.complain(debugged.error());
  Expression condition;
  if (above_stack != 0) condition = stack_is_above(above_stack);
  auto id = (*debugged)->set_breakpoint({.address = address, .tid = tid, .is_hidden = 1}, condition);
  if (!id) return console.complain(id.error());
  until_ = *id;
  go(console, duration);
  if (Debuggee* still = target_.debuggee(); still != nullptr && until_ != 0) still->remove_breakpoint(until_);
  until_ = 0;
}

void RunControl::go_to(Console& console, uint64_t address, Time duration) {
  run_until(console, address, 0, 0, duration);
}

void RunControl::go_up(Console& console, Time duration) {
  auto debugged = debuggee();
  if (!debugged) return console.complain(debugged.error());
  auto thread = session_.current_thread();
  if (!thread) return console.complain(thread.error());
  SymbolLookup no_names;
  WalkedStack stack = TargetStacks(*session_.target(), no_names).walk(*thread);
  if (stack.frames.size() < 2)
    return console.complain({ErrorKind::not_found, "the thread's function has no caller that can be found"});
  run_until(console, stack.frames[1].address, thread->tid, thread->registers.rsp, duration);
}

void RunControl::step(Console& console, bool over, uint64_t count) {
  auto debugged = debuggee();
  if (!debugged) return console.complain(debugged.error());
  uint32_t tid = session_.current_tid();
  for (uint64_t i = 0; i < count && !was_interrupted(); i++) {
    auto thread = (*debugged)->thread(tid);
    if (!thread) return console.complain(thread.error());
    std::vector<std::byte> code(most_instruction_bytes);
    while (!code.empty() && !(*debugged)->read_memory(thread->registers.rip, code)) code.pop_back();
    auto kind = instruction_kind(code, thread->registers.rip);
    if (over && kind && (kind->is_call || kind->is_repeated)) {
      // Right behind it, and not in a deeper round of the same function.
      run_until(console, thread->registers.rip + kind->length, tid, thread->registers.rsp - 1, 0);
    } else {
      auto stop = (*debugged)->step(tid, {.wants_break_in = [] { return was_interrupted(); }});
      if (!stop) return console.complain(stop.error());
      stopped(console, *stop);
      if (stop->kind == DebugStopKind::stepped) console.print(about_place());
    }
    if (target_.debuggee() == nullptr || session_.current_tid() != tid) return;
  }
}

}  // namespace culprit
