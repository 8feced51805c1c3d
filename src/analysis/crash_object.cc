#include "analysis/crash_object.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "analysis/function_code.h"
#include "base/glob.h"

namespace culprit {
namespace {

constexpr uint8_t machine_rbp = 5;
constexpr size_t most_hops = 8;  // from register to register

// What is asked about: an instruction, and what of it.
struct Use {
  uint64_t address = 0;                    // of the instruction
  const MemoryOperand* operand = nullptr;  // null: it was the register
  std::optional<uint8_t> reg;
  size_t frame = 0;  // of the walked ones: which it stands in
  uint64_t rsp = 0;
};

// Where the search has got to, back from the use: an instruction at which a register had the value.
struct Spot {
  uint64_t address = 0;
  uint8_t reg = 0;
};

class ObjectFinder {
 public:
  ObjectFinder(CrashScene& scene, const ObjectLookup& lookup, Disassembler& disassembler, const Use& use)
      : scene_(scene), lookup_(lookup), disassembler_(disassembler), use_(use) {}

  std::optional<CrashObject> find() {
    question_.rbp = scene_.registers().rbp;
    stand_in(use_.frame, use_.address, use_.rsp);
    if (use_.operand == nullptr) return of_register({use_.address, *use_.reg});
    const MemoryOperand& operand = *use_.operand;
    auto address = operand.address(scene_.registers());
    if (!address || operand.by_fs || operand.by_gs) return {};
    bool may_be_variable = !operand.base || is_of_frame(*operand.base);
    if (may_be_variable)
      if (auto object = of_word(use_.address, *address, "")) return object;
    if (!operand.base || *operand.base == machine_rsp) return {};
    question_.is_indexed = operand.index.has_value();
    push_offset(static_cast<int64_t>(*address - value_of(scene_.registers(), *operand.base)));
    return of_register({use_.address, *operand.base});
  }

 private:
  static bool is_of_frame(uint8_t reg) { return reg == machine_rsp || reg == machine_rbp; }

  // From here on: what is asked is asked of that frame.
  void stand_in(size_t frame, uint64_t address, uint64_t rsp) {
    frame_ = frame;
    module_ = scene_.target.module_at(address);
    if (module_ == nullptr) return;
    openable_ = openable(*module_);
    question_.bias = module_->bias;
    question_.seen_from = address - module_->bias;
    question_.rsp = rsp;
    question_.frame = frame + 1 < scene_.walked.frames.size() ? scene_.walked.frames[frame + 1].sp : 0;
  }

  void push_offset(int64_t offset) {
    std::copy_backward(question_.offsets.begin(), question_.offsets.end() - 1, question_.offsets.end());
    question_.offsets[0] = offset;
    ++question_.steps;
  }

  std::optional<CrashObject> ask(uint64_t address) {
    if (module_ == nullptr) return {};
    question_.pc = address - module_->bias;
    auto named = lookup_(openable_, question_);
    if (!named) return {};
    return CrashObject{*named, question_.steps == 0 ? 0 : question_.offsets[question_.steps - 1], ""};
  }

  std::optional<CrashObject> of_word(uint64_t at, uint64_t address, std::string_view how) {
    question_.slot = address;
    question_.reg = ObjectQuestion::no_register;
    auto object = ask(at);
    if (object) object->evidence = fmt::format("by debug info {} lies at {:#x}{}", object->named.anchor, address, how);
    return object;
  }

  std::optional<CrashObject> of_held(const Spot& spot) {
    question_.reg = spot.reg;
    auto object = ask(spot.address);
    if (!object) return {};
    object->evidence = fmt::format("by debug info {} holds {}", register_name(spot.reg), object->named.anchor);
    if (spot.address != use_.address)
      object->evidence += fmt::format(" at {:#x}, where the value came from", spot.address);
    return object;
  }

  // The variable that the register held, or where its value came from.
  std::optional<CrashObject> of_register(Spot spot) {
    std::optional<FunctionCode> function = read_function(scene_.target, scene_.names, disassembler_, spot.address);
    size_t at = function ? function->at : 0;
    for (size_t hop = 0; hop < most_hops; ++hop) {
      if (auto object = of_held(spot)) return object;
      if (!function) return {};
      LastWrite write = last_write(*function, at, spot.reg);
      if (!write.is_known) return {};
      if (!write.instruction) return as_argument(*function, spot.reg);
      at = *write.instruction;
      spot.address = function->instructions[at].address;
      if (is_call(function->instructions[at])) return {};
      if (auto source = function->instructions[at].source) {
        spot.reg = *source;
        continue;
      }
      auto load = load_at(*function, at);
      if (!load) return {};
      if (auto object = loaded_from_variable(*function, at, *load)) return object;
      if (!load->base || *load->base == machine_rsp || question_.steps == ObjectQuestion::most_steps) return {};
      push_offset(static_cast<int64_t>(load->displacement));
      spot.reg = *load->base;
    }
    return {};
  }

  // The memory that a plain mov takes a register's value from.
  std::optional<MemoryOperand> load_at(const FunctionCode& function, size_t at) {
    auto load = disassembler_.operands(function.bytes_of(function.instructions[at]), function.instructions[at].address);
    if (!load || load->text.operation != "mov" || load->memory.size() != 1 || !load->memory[0].reads) return {};
    const MemoryOperand& from = load->memory[0];
    bool is_plain = !from.index && from.is_computable && !from.by_fs && !from.by_gs;
    bool is_whole = question_.steps == 0 || from.size == sizeof(uint64_t);
    return is_plain && is_whole ? std::optional(from) : std::nullopt;
  }

  // A global one, or one of the frame, while the register that it is counted from has not been changed.
  std::optional<CrashObject> loaded_from_variable(const FunctionCode& function, size_t at, const MemoryOperand& from) {
    uint64_t address = from.displacement;
    if (from.base) {
      if (!is_of_frame(*from.base) || (*from.base == machine_rbp && question_.rbp == 0)) return {};
      for (size_t i = at + 1; i < function.at; ++i)
        if (!is_call(function.instructions[i]) && function.instructions[i].writes(*from.base)) return {};
      address += *from.base == machine_rsp ? question_.rsp : question_.rbp;
    }
    uint64_t load = function.instructions[at].address;
    return of_word(load, address, fmt::format(", from where it was loaded at {:#x}", load));
  }

  // Since the function began the register has not been changed: it has what was passed in it.
  std::optional<CrashObject> as_argument(const FunctionCode& function, uint8_t reg) {
    if (!is_changed_by_calls(reg)) return {};  // what it has belongs to a caller
    if (auto object = of_held({function.start, reg})) return object;
    if (frame_ != 0 || scene_.walked.frames.size() < 2) return {};
    auto call = call_to(function.start, scene_.walked.frames[1].address);
    if (!call) return {};
    LastWrite rbp = last_write(function, function.at, machine_rbp);
    if (!rbp.is_known || rbp.instruction) question_.rbp = 0;
    stand_in(1, *call, scene_.walked.frames[1].sp);
    return of_register({*call, reg});
  }

  // The address of the call that left this return address, if it led to that function and to none before it.
  std::optional<uint64_t> call_to(uint64_t start, uint64_t return_address) {
    auto caller = read_function(scene_.target, scene_.names, disassembler_, return_address);
    if (!caller || caller->at == 0) return {};
    const Instruction& before = caller->instructions[caller->at - 1];
    if (!is_call(before)) return {};
    auto call = disassembler_.operands(caller->bytes_of(before), before.address);
    if (!call) return {};
    auto goal = call->text.target ? call->text.target : word_of(*call);
    if (goal && *goal != start) goal = goal_of_stub(*goal);
    return goal == start ? std::optional(before.address) : std::nullopt;
  }

  // Of a call or jump through a fixed place in memory.
  std::optional<uint64_t> word_of(const InstructionOperands& instruction) {
    if (instruction.memory.empty() || instruction.memory.front().base || instruction.memory.front().index) return {};
    return scene_.target.memory().word(instruction.memory.front().displacement);
  }

  // Where the procedure linkage table's code at this address jumps to.
  std::optional<uint64_t> goal_of_stub(uint64_t address) {
    std::array<std::byte, 16> code;
    if (!scene_.target.memory().read(address, code)) return {};
    std::vector<Instruction> instructions;
    disassembler_.decode(code, address, instructions);
    for (const Instruction& each : instructions) {
      auto operands = disassembler_.operands(each.bytes, each.address);
      if (operands && operands->flow == Flow::jump) return word_of(*operands);
      if (!operands || operands->text.operation != "endbr64") return {};
    }
    return {};
  }

  CrashScene& scene_;
  const ObjectLookup& lookup_;
  Disassembler& disassembler_;
  const Use& use_;
  ObjectQuestion question_;
  size_t frame_ = 0;
  const TargetModule* module_ = nullptr;
  Module openable_;
};

// Functions of the C library that use no memory but what their first argument points to, in whatever machine code:
// theirs for the newest processors cannot be read.
constexpr std::string_view use_first_argument[] = {
    "strlen",      "__strlen_*",  "strnlen",       "__strnlen_*", "strchr",     "__strchr_*",
    "strrchr",     "__strrchr_*", "__strchrnul*",  "memchr",      "__memchr_*", "memrchr",
    "__memrchr_*", "rawmemchr",   "__rawmemchr_*", "wcslen",      "__wcslen_*"};

// What such a function was given, where it was nothing.
std::optional<Use> use_by_library(CrashScene& scene) {
  constexpr uint64_t near_null = 4096;
  constexpr uint8_t machine_rdi = 7;
  if (!scene.address || *scene.address >= near_null) return {};
  uint64_t rip = scene.registers().rip;
  TargetNames::Place place = scene.names.place_of(rip);
  if (place.module == nullptr || !place.symbol || place.symbol->kind != SymbolKind::function) return {};
  std::string_view path = place.module->module.path;
  bool is_libc = path.substr(path.rfind('/') + 1).starts_with("libc.so");
  auto matches = [&](std::string_view glob) { return glob_matches(glob, place.symbol->name); };
  if (!is_libc || std::ranges::none_of(use_first_argument, matches)) return {};
  return Use{.address = rip - place.offset, .reg = machine_rdi, .rsp = scene.registers().rsp};
}

std::optional<Use> use_of(CrashScene& scene) {
  uint64_t rsp = scene.registers().rsp;
  if (scene.caller_call) {  // no code was where it led to
    const InstructionOperands& call = *scene.caller_call;
    constexpr uint64_t return_address = 8;
    Use use{.address = call.text.address, .reg = call.flow_register, .frame = 1, .rsp = rsp + return_address};
    if (!use.reg && !call.memory.empty()) use.operand = &call.memory.front();
    return use.reg || use.operand != nullptr ? std::optional(use) : std::nullopt;
  }
  if (!scene.instruction) return use_by_library(scene);
  const InstructionOperands& instruction = *scene.instruction;
  Use use{.address = scene.registers().rip, .operand = scene.failed_operand(), .rsp = rsp};
  if (use.operand == nullptr && instruction.is_division) {
    use.reg = instruction.divisor;
    if (!use.reg && !instruction.memory.empty()) use.operand = &instruction.memory.front();
  } else if (use.operand == nullptr && instruction.flow != Flow::on) {
    use.reg = instruction.flow_register;
  }
  return use.reg || use.operand != nullptr ? std::optional(use) : std::nullopt;
}

std::string without_nameless(std::string text) {
  constexpr std::string_view nameless = "(anonymous namespace)::";
  for (size_t at = text.find(nameless); at != text.npos; at = text.find(nameless)) text.erase(at, nameless.size());
  return text;
}

bool is_of_null(CrashCause cause) {
  return cause == CrashCause::null_read || cause == CrashCause::null_write || cause == CrashCause::null_access;
}

bool has_words(CrashCause cause) {
  return is_of_null(cause) || cause == CrashCause::null_call || cause == CrashCause::wild_read ||
         cause == CrashCause::wild_write || cause == CrashCause::wild_access || cause == CrashCause::non_canonical ||
         cause == CrashCause::bad_jump || cause == CrashCause::data_execution || cause == CrashCause::read_only_write ||
         cause == CrashCause::protected_access || cause == CrashCause::misaligned ||
         cause == CrashCause::divide_by_zero || cause == CrashCause::use_after_free;
}

}  // namespace

std::optional<CrashObject> find_object(CrashScene& scene, const ObjectLookup& lookup) {
  // Repetitions are taken out of the frames.
  if (!lookup || scene.recursion || scene.thread.known != RegistersKnown::all) return {};
  auto use = use_of(scene);
  auto disassembler = Disassembler::make();
  return use && disassembler ? ObjectFinder(scene, lookup, *disassembler, *use).find() : std::nullopt;
}

std::string object_words(const CrashObject& object, CrashCause cause, uint64_t address) {
  if (!has_words(cause)) return {};
  const NamedObject& named = object.named;
  std::string what = without_nameless(named.object), pointer = without_nameless(named.pointer);
  std::string type = without_nameless(named.pointer_type);
  if (named.is_virtual_table && pointer.empty())
    return is_of_null(cause) ? fmt::format(": `{}` has no virtual table", what)
                             : fmt::format(": `{}`, by its virtual table", what);
  if (!is_of_null(cause) || pointer.empty()) {
    if (!what.empty()) return fmt::format(": `{}`", what);
    return fmt::format(": through `{}`, a `{}`", pointer, type);
  }
  uint64_t start = address - static_cast<uint64_t>(object.offset);
  std::string_view null = start == 0 ? "null" : "near-null";
  if (what.empty()) {
    if (object.offset == 0) return fmt::format(": `{}`, a {} `{}`", pointer, null, type);
    return fmt::format(": offset {} of `{}`, a {} `{}`", object.offset, pointer, null, type);
  }
  if (named.is_virtual_table)
    return fmt::format(": the virtual table of `{}` (`{}` is a {} `{}`)", what, pointer, null, type);
  if (object.offset == 0) return fmt::format(": `{}` (`{}` is a {} `{}`)", what, pointer, null, type);
  return fmt::format(": `{}` (offset {} of a {} `{}`)", what, object.offset, null, type);
}

}  // namespace culprit
