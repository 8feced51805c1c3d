#include "analysis/crash_report.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>

#include "analysis/blame.h"
#include "analysis/crash_address.h"
#include "analysis/crash_advice.h"
#include "analysis/crash_bucket.h"
#include "analysis/trace_words.h"
#include "model/signals.h"
#include "symbols/function_name.h"

namespace culprit {
namespace {

// The one that died; else the first.
const TargetThread* thread_of(const std::vector<TargetThread>& threads, uint32_t tid) {
  auto found = std::ranges::find(threads, tid, &TargetThread::tid);
  if (found != threads.end()) return &*found;
  return threads.empty() ? nullptr : &threads.front();
}

CrashFault fault_of(CrashScene& scene) {
  const TargetInfo& info = scene.info();
  CrashFault fault{.signal = info.signal, .code = info.signal_code, .address = scene.address};
  fault.tid = scene.thread.tid;
  fault.thread_name = scene.thread.name;
  fault.known = scene.thread.known;
  fault.registers = scene.registers();
  if (scene.address) fault.address_words = describe_address(scene.target, scene.names, *scene.address);
  return fault;
}

std::optional<CrashOperand> operand_of(const CrashScene& scene) {
  const MemoryOperand* operand = scene.failed_operand();
  if (operand == nullptr) return {};
  CrashOperand found{operand->text, operand->reads, operand->writes, operand->size, {}};
  for (auto reg : {operand->base, operand->index})
    if (reg) found.registers.push_back({std::string(register_name(*reg)), value_of(scene.registers(), *reg)});
  return found;
}

// Its end was its handler's choice: then what came before is what the page is about.
bool ended_by_choice(CrashCause cause) {
  return cause == CrashCause::abort_call || cause == CrashCause::raised || cause == CrashCause::terminate;
}

bool is_fatal(int32_t signal) {
  return signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL || signal == SIGTRAP ||
         signal == SIGABRT || signal == SIGSYS;
}

std::string place_words(const ReportStack& stack) {
  return stack.frames.empty() ? "an unknown place" : frame_words(stack.frames[stack.blamed.value_or(0)]);
}

// What returns to the kernel's trampoline, which returns to what was interrupted. Empty: a handler whose last call is a
// jump, as to raise(), has left its place on the stack to that.
std::string handler_words(const CrashScene& scene) {
  size_t interrupted = scene.handled->frame;
  if (interrupted < 2) return {};
  auto [from, to] = report_frames(scene.stack, interrupted - 2, 1);
  bool is_it = from < to && scene.stack.frames[to - 1].skipped_by.empty();
  return is_it ? fmt::format(", {},", frame_words(scene.stack.frames[to - 1])) : "";
}

// A handler that did not ask for its signal's information leaves the last fault alone: it is what the signal was for if
// the instruction that was interrupted makes such a fault.
bool is_signal_known(const CrashScene& before, const HandledSignal& handled) {
  if (!handled.is_by_trap) return handled.signal != 0;
  if (handled.is_fetch) return before.registers().rip == handled.address;
  bool is_address_known = handled.code == SI_KERNEL && before.instruction && before.address;
  return makes_fault(before) || is_address_known;
}

// The scene that the page is about, of a thread that stands in a signal's handler.
CrashScene look_behind_handler(CrashScene scene, CrashVerdict& verdict, TargetStacks& stacks) {
  CrashScene before = scene_of_handled(scene, stacks);
  // An instruction too new to be looked at does not speak against what the handler says.
  bool is_said =
      !before.instruction && verdict.cause == CrashCause::raised && before.info().signal == scene.info().signal;
  bool is_known = is_said || is_signal_known(before, *scene.handled);
  std::string handler = is_known ? "handler of " + signal_name(before.info().signal) : "signal handler";
  if (!is_known || !ended_by_choice(verdict.cause) || !is_fatal(before.info().signal)) {
    verdict.evidence.push_back(
        fmt::format("this was in a {}, which had come in {}", handler, place_words(before.stack)));
    return scene;
  }
  CrashVerdict found = find_cause(before);
  if (is_said) found.confidence = std::min(found.confidence, Confidence::likely);
  found.evidence.push_back(
      fmt::format("the program's {}{} then ended it: {}", handler, handler_words(scene), verdict.what));
  verdict = std::move(found);
  return before;
}

void tell_object(CrashReport& report) {
  CrashVerdict& verdict = report.verdict;
  std::string words;
  if (report.object) words = object_words(*report.object, verdict.cause, report.fault.address.value_or(0));
  if (words.empty()) report.object.reset();
  if (report.object) verdict.evidence.push_back(report.object->evidence);
  verdict.what += words.empty() ? verdict.offset_words : words;
}

void take_stack(CrashReport& report, CrashScene& scene) {
  for (const WalkedFrame& frame : scene.walked.frames) report.addresses.push_back(frame.address);
  report.depth = scene.depth;
  if (scene.recursion) {
    auto [from, to] = report_frames(scene.stack, scene.recursion->first, scene.recursion->frames);
    report.recursion = Recursion{from, to - from, scene.recursion->rounds};
  }
  report.stack = std::move(scene.stack);
}

void blame(CrashReport& report) {
  report.culprit = report.verdict.frame ? report.verdict.frame : report.stack.blamed;
  const std::vector<ReportFrame>& frames = report.stack.frames;
  // Where no code is, nobody wrote any.
  bool is_nowhere =
      report.culprit && frames[*report.culprit].function.empty() && frames[*report.culprit].module.empty();
  if (is_nowhere) report.culprit.reset();
  const BlameRule *rule = nullptr, *owner = nullptr;
  for (size_t i = 0; i < frames.size() && i < report.culprit.value_or(0); ++i)
    if (const BlameRule* skipping = skipping_rule(blame_rules(), frames[i])) rule = skipping;
  if (report.culprit && !report.verdict.frame) owner = rule_of(blame_rules(), frames[*report.culprit]);
  if (rule != nullptr) report.rule = rule->name, report.rule_reason = rule->reason;
  if (owner != nullptr) report.owner = owner->name, report.owner_reason = owner->reason;
  const ReportFrame* frame = report.culprit ? &report.stack.frames[*report.culprit] : nullptr;
  if (frame == nullptr && !report.stack.frames.empty()) frame = &report.stack.frames.front();
  report.bucket = crash_bucket(report.verdict.cause, report.fault.signal, frame);
  report.hash = bucket_hash(report.bucket);
}

void remove_thread(ThreadReport& report, uint32_t tid) {
  for (ThreadGroup& group : report.groups)
    std::erase_if(group.threads, [&](size_t index) { return report.threads[index].tid == tid; });
  std::erase_if(report.groups, [](const ThreadGroup& group) { return group.threads.empty(); });
  std::erase_if(report.unknown, [&](size_t index) { return report.threads[index].tid == tid; });
}

bool is_stuck(const LockVerdict& verdict) {
  return verdict.kind == LockVerdictKind::deadlock || verdict.kind == LockVerdictKind::self_deadlock ||
         verdict.kind == LockVerdictKind::owner_gone;
}

// Locks are worth telling of where somebody is stuck, or waits for the thread that died.
bool is_worth_telling(const LockReport& locks, uint32_t tid) {
  return std::ranges::any_of(locks.verdicts, [&](const LockVerdict& verdict) {
    bool is_holder = std::ranges::any_of(verdict.steps, [&](const LockStep& step) {
      return step.thread.tid == tid && step.thread.pid == 0 && step.holds;
    });
    return verdict.kind != LockVerdictKind::waiting_for_one || is_holder;
  });
}

// Who ended a process that hangs did not crash it.
bool may_be_hang(CrashCause cause) {
  return cause == CrashCause::none || cause == CrashCause::killed || cause == CrashCause::abort_call ||
         cause == CrashCause::raised;
}

void look_at_locks(CrashReport& report, Target& target, const LockHelpers& helpers) {
  auto locks = examine_locks(target, {}, helpers);
  if (!locks) return;
  if (may_be_hang(report.verdict.cause)) {
    auto stuck = std::ranges::find_if(locks->verdicts, is_stuck);
    if (stuck != locks->verdicts.end()) {
      std::string end = report.fault.signal == 0 ? "nobody has ended it" : report.verdict.what + ", after that";
      report.verdict.evidence = {"the locks, below: each of these threads waits for one that does not come free", end};
      report.verdict.confidence = report.fault.signal == 0 ? Confidence::certain : Confidence::likely;
      report.verdict.cause = CrashCause::hang;
      report.verdict.what = stuck->kind == LockVerdictKind::deadlock
                                ? fmt::format("Hangs: {} threads wait for each other for ever", stuck->steps.size())
                            : stuck->kind == LockVerdictKind::self_deadlock
                                ? "Hangs: a thread waits for a lock that it holds itself"
                                : "Hangs: a thread waits for a lock whose owner has ended";
    }
  }
  if (is_worth_telling(*locks, report.fault.tid)) report.locks = std::move(*locks);
}

// The thread of a deadlock, always the same one of them, in place of the one that happened to get the signal.
void tell_of_hang(CrashReport& report, std::vector<TargetThread>& threads) {
  if (report.verdict.cause != CrashCause::hang || !report.locks) return;
  const LockStep* chosen = nullptr;
  auto name_of_step = [](const LockStep& step) {
    return step.where.blamed ? step.where.frames[*step.where.blamed].function : std::string();
  };
  for (const LockVerdict& verdict : report.locks->verdicts) {
    if (!is_stuck(verdict)) continue;
    for (const LockStep& step : verdict.steps)
      if (step.thread.pid == 0 && !step.where.frames.empty() &&
          (chosen == nullptr || name_of_step(step) < name_of_step(*chosen)))
        chosen = &step;
    break;
  }
  if (chosen == nullptr) return;
  auto thread = std::ranges::find(threads, chosen->thread.tid, &TargetThread::tid);
  if (thread == threads.end()) return;
  report.fault.tid = thread->tid;
  report.fault.thread_name = thread->name;
  report.fault.known = thread->known;
  report.fault.registers = thread->registers;
  report.stack = chosen->where;
  report.addresses.clear();
  report.recursion.reset();
  report.depth = report.stack.frames.size();
  report.verdict.frame.reset();
  report.code = {};
  report.operand.reset();
}

// 0: not known.
int64_t changed_at(const std::string& path) {
  struct stat status {};
  return !path.empty() && ::stat(path.c_str(), &status) == 0 ? status.st_mtime : 0;
}

void add_modules(CrashReport& report, Target& target, const CrashHelpers& helpers) {
  auto add = [&](const TargetModule& module) {
    if (std::ranges::any_of(report.modules, [&](const CrashModule& each) { return each.module == module.module; }))
      return;
    CrashModule& added = report.modules.emplace_back(CrashModule{.module = module.module});
    added.changed = changed_at(module.opened_path);
    if (!helpers.symbols || module.opened_path.empty()) return;
    ModuleSymbols symbols = helpers.symbols(openable(module));
    added.symbols = symbols.best;
    added.note = symbols.note;
  };
  for (const TargetModule& module : target.modules())
    if (module.module.path == report.executable) add(module);
  for (uint64_t address : report.addresses)
    if (const TargetModule* module = target.module_at(address == 0 ? 0 : address - 1)) add(*module);
}

void take_losses(CrashReport& report) {
  report.losses = report.threads.losses;
  bool is_cut = report.stack.truncated && report.depth <= report.stack.frames.size();
  if (is_cut && std::ranges::none_of(report.losses,
                                     [](const MergedLoss& loss) { return loss.kind == LossKind::stack_truncated; }))
    report.losses.push_back({LossKind::stack_truncated, 1, {}});
  report.exact = is_exact(report.losses);
}

}  // namespace

Result<CrashReport> report_crash(Target& target, const CrashHelpers& helpers) {
  auto threads = target.threads(ThreadWish::registers);
  if (!threads) return tl::unexpected<Error>(threads.error());
  const TargetInfo& info = target.info();
  const TargetThread* thread = thread_of(*threads, info.signal_tid);
  if (thread == nullptr)
    return fail(ErrorKind::corrupt, info.name + " tells of no thread: nothing is known of its end");
  CrashReport report{.kind = info.kind, .target = info.name, .executable = info.executable, .command = info.command};
  report.pid = info.pid;
  TargetStacks stacks(target, helpers.lookup);
  CrashScene at_end = set_scene(target, helpers.names, stacks, *thread);
  report.verdict = find_cause(at_end);
  CrashScene scene =
      at_end.handled ? look_behind_handler(std::move(at_end), report.verdict, stacks) : std::move(at_end);
  report.heap = look_at_heap(scene, *threads, report.verdict);
  report.fault = fault_of(scene);
  report.code = read_crash_code(scene);
  report.operand = operand_of(scene);
  report.object = find_object(scene, helpers.objects);
  tell_object(report);
  take_stack(report, scene);
  look_at_locks(report, target, helpers.locks);
  tell_of_hang(report, *threads);
  blame(report);
  auto others = report_threads(target, stacks, {});
  if (!others) return tl::unexpected<Error>(others.error());
  report.threads = std::move(*others);
  remove_thread(report.threads, report.fault.tid);
  if (info.kind == TargetKind::live) report.use = look_at_use(info.pid);
  if (info.cpu_time) report.cpu_time = static_cast<double>(*info.cpu_time) / 1e9;
  if (info.kind == TargetKind::core) report.written = changed_at(info.name);
  add_modules(report, target, helpers);
  take_losses(report);
  report.next = crash_advice(report);
  return report;
}

}  // namespace culprit
