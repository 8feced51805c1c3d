#include "capture/slot_decoder.h"

#include <fmt/core.h>
#include <sched.h>

#include <algorithm>

#include "base/syscall.h"
#include "capture/handle_calls.h"
#include "format/procfs.h"

namespace culprit {
namespace {

constexpr uint32_t window_limit = 1 << 20;
constexpr uint32_t gap_limit = 1 << 16;  // definitions lost in a full ring leave gaps
constexpr Time remap_interval = 5'000'000;

// Without others, nobody shared the table before.
bool has_other_threads(uint32_t pid) {
  auto text = read_whole_file(fmt::format("/proc/{}/status", pid), 16384);
  auto status = text ? parse_status(*text) : std::nullopt;
  return status && status->threads > 1;
}

}  // namespace

template <typename Value>
bool SlotDecoder::Window<Value>::put(uint32_t index, const Value& value) {
  if (index < first_ || index - first_ > values_.size() + gap_limit) return false;
  if (index - first_ >= values_.size()) values_.resize(index - first_ + 1);
  values_[index - first_] = value;
  if (values_.size() > 2 * window_limit) {
    values_.erase(values_.begin(), values_.begin() + window_limit);
    first_ += window_limit;
  }
  return true;
}

template <typename Value>
const Value* SlotDecoder::Window<Value>::find(uint32_t index) const {
  return index < first_ || index - first_ >= values_.size() ? nullptr : &values_[index - first_];
}

void SlotDecoder::on_string(uint32_t id, std::string_view text) {
  if (id == 0 || !strings_.put(id, shared_.tables.intern(text))) bad_records_++;
}

StringId SlotDecoder::string_of(uint32_t id) const {
  const StringId* found = strings_.find(id);
  return found == nullptr ? StringId::none : *found;
}

SlotDecoder::Stack SlotDecoder::stack_of(uint32_t node) const {
  const Stack* found = stacks_.find(node);
  return found == nullptr ? Stack{} : *found;
}

Frame SlotDecoder::frame_at(uint64_t address, uint8_t flags) {
  FoundBy found_by = (flags & CULPRIT_NODE_EXACT) != 0              ? FoundBy::registers
                     : (flags & CULPRIT_NODE_BY_FRAME_POINTER) != 0 ? FoundBy::frame_pointer
                                                                    : FoundBy::unwind_table;
  uint64_t inside = address_inside(address, found_by);
  const MappedCode* code = owner_.code.find(inside, generation_);
  if (code == nullptr && monotonic_now() - owner_.maps_read > remap_interval) {
    shared_.read_mappings(owner_, std::max(generation_, owner_.code.generation()));
    code = owner_.code.find(inside, generation_);
  }
  return frame_in(code, address, found_by);
}

void SlotDecoder::add_node(const culprit_record& record) {
  Stack parent = stack_of(record.argument);
  if (record.argument == 0 && (record.flags & CULPRIT_NODE_TRUNCATED_ROOT)) parent = {StackId::truncated, true};
  if (record.argument != 0 && parent.id == StackId::none)
    parent = {StackId::truncated, true};  // its definition was lost
  Stack stack{shared_.tables.stacks.intern(parent.id, frame_at(record.extra, record.flags)), parent.truncated};
  if (record.node == 0 || !stacks_.put(record.node, stack)) bad_records_++;
}

StringId SlotDecoder::type_of(StringId name, StringId call_type) {
  if (name == typed_name_ && call_type == typed_call_) return type_of_name_;
  typed_name_ = name;
  typed_call_ = call_type;
  type_of_name_ = shared_.tables.intern(type_by_path(shared_.tables.text(name), shared_.tables.text(call_type)));
  return type_of_name_;
}

void SlotDecoder::add_handle_event(const culprit_record& record, HandleAction action) {
  bool is_new_handle = action != HandleAction::close && action != HandleAction::close_range;
  if (record.value < 0 || (action == HandleAction::close_range && record.extra > INT32_MAX)) {
    bad_records_++;
    return;
  }
  if (has_own_table_) return;  // counted when it became so
  const CallNames::Entry& call = shared_.calls.of(record.call, action == HandleAction::open ? record.extra : 0);
  HandleEvent event;
  event.time = shared_.clock.time_of(record.tsc);
  event.action = action;
  event.value = record.value;
  event.process = acting_->id;
  event.tid = acting_ == &owner_ ? tid_ : acting_->pid;
  event.call = call.call;
  if (action == HandleAction::duplicate || action == HandleAction::close_range) {
    event.other = static_cast<int64_t>(record.extra & 0xffffffff);
  }
  if (action == HandleAction::open) {
    event.type = call.type;
    event.name = call.name;
    if (StringId given = string_of(record.argument); given != StringId::none) {
      event.name = given;
      event.type = type_of(given, call.type);
    }
  }
  Stack stack = stack_of(record.node);
  event.stack = stack.id;
  if (stack.id == StackId::none) shared_.losses.add(LossKind::stack_missing, 1, acting_->id);
  if (stack.truncated && is_new_handle) shared_.losses.add(LossKind::stack_truncated, 1, acting_->id);

  acting_->exec_at = acting_->exec_tid == event.tid ? 0 : acting_->exec_at;  // the exec failed: its thread goes on
  acting_->has_handle_events = true;
  acting_->last_event = std::max(acting_->last_event, event.time);
  shared_.events.on_handle(event);
}

StackId SlotDecoder::stack_of_block(const culprit_record& record) {
  const Stack stack = stack_of(record.node);
  if (stack.id == StackId::none) shared_.losses.add(LossKind::stack_missing, 1, owner_.id);
  if (stack.truncated) shared_.losses.add(LossKind::stack_truncated, 1, owner_.id);
  return stack.id;
}

// Whoever runs on this memory (a vfork child, too), the blocks are the thread's own process's.
void SlotDecoder::add_allocation_event(const culprit_record& record, AllocationAction action) {
  if (record.call == 0 || record.call >= CULPRIT_ALLOCATOR_FUNCTIONS) {
    bad_records_++;
    return;
  }
  AllocationEvent event;
  event.time = shared_.clock.time_of(record.tsc);
  event.address = record.extra;
  event.process = owner_.id;
  event.tid = tid_;
  event.function = static_cast<AllocatorFunction>(record.call - 1);
  event.action = action;
  if (action == AllocationAction::allocate) {
    event.size = uint64_t{record.argument} << 32 | static_cast<uint32_t>(record.value);
    event.stack = stack_of_block(record);
  }
  owner_.last_event = std::max(owner_.last_event, event.time);
  shared_.events.on_allocation(event);
}

void SlotDecoder::add_mapping_event(const culprit_record& record) {
  const bool is_mapped = record.kind == CULPRIT_RECORD_MAP;
  if (is_mapped ? record.flags >= CULPRIT_MAPPINGS : record.flags > CULPRIT_UNMAP_MOVES) {
    bad_records_++;
    return;
  }
  static_assert(CULPRIT_MAPPINGS == mapping_kind_count);
  MappingEvent event;
  event.time = shared_.clock.time_of(record.tsc);
  event.address = record.extra;
  event.size = uint64_t{record.argument} << 32 | static_cast<uint32_t>(record.value);
  event.process = owner_.id;
  event.tid = tid_;
  if (is_mapped) {
    event.kind = static_cast<MappingKind>(record.flags);
    event.stack = stack_of_block(record);
  } else {
    event.action = record.flags == 0 ? MappingAction::unmap : MappingAction::leave;
  }
  owner_.last_event = std::max(owner_.last_event, event.time);
  shared_.events.on_mapping(event);
}

void SlotDecoder::note_exec(const culprit_record& record) {
  acting_->exec_at = std::max<Time>(shared_.clock.time_of(record.tsc), 1);
  acting_->exec_path = shared_.tables.text(string_of(record.argument));
  acting_->exec_tid = acting_ == &owner_ ? tid_ : acting_->pid;
  acting_->exec_stack = stack_of(record.node).id;
  acting_->last_event = std::max(acting_->last_event, acting_->exec_at);
}

void SlotDecoder::switch_process(const culprit_record& record) {
  if (record.argument == 0 || record.argument == owner_.pid) {
    acting_ = &owner_;
    return;
  }
  WatchedProcess* child = shared_.book.find(record.argument);
  if (child == nullptr || child->parent != owner_.id) {
    child = &shared_.book.appeared(record.argument, &owner_, shared_.clock.time_of(record.tsc), tid_,
                                   stack_of(record.node).id);
  }
  acting_ = child;
}

void SlotDecoder::begin_generation(const culprit_record& record) {
  if (record.extra < generation_ || record.extra > UINT32_MAX) {
    bad_records_++;
    return;
  }
  generation_ = static_cast<uint32_t>(record.extra);
  if (owner_.code.generation() < generation_) shared_.read_mappings(owner_, generation_);
}

void SlotDecoder::on_record(const culprit_record& record) {
  switch (record.kind) {
    case CULPRIT_RECORD_NODE:
      return add_node(record);
    case CULPRIT_RECORD_TREE_RESET:
      return begin_generation(record);
    case CULPRIT_RECORD_SWITCH:
      return switch_process(record);
    case CULPRIT_RECORD_OPEN:
      return add_handle_event(record, HandleAction::open);
    case CULPRIT_RECORD_DUPLICATE:
      return add_handle_event(record, HandleAction::duplicate);
    case CULPRIT_RECORD_RECEIVE:
      return add_handle_event(record, HandleAction::receive);
    case CULPRIT_RECORD_CLOSE:
      return add_handle_event(record, HandleAction::close);
    case CULPRIT_RECORD_CLOSE_RANGE:
      return add_handle_event(record, HandleAction::close_range);
    case CULPRIT_RECORD_ALLOCATE:
      return add_allocation_event(record, AllocationAction::allocate);
    case CULPRIT_RECORD_RELEASE:
      return add_allocation_event(record, AllocationAction::release);
    case CULPRIT_RECORD_MAP:
    case CULPRIT_RECORD_UNMAP:
      return add_mapping_event(record);
    case CULPRIT_RECORD_EXEC:
      return note_exec(record);
    case CULPRIT_RECORD_FORK:
      if (record.value <= 0) break;
      // Both run at the same time, and the agent's memory in there is the parent's.
      if ((record.extra & (CLONE_VM | CLONE_VFORK)) == CLONE_VM)
        shared_.losses.add(
            LossKind::process_not_followed, 1, acting_->id,
            fmt::format("process {} runs on its memory (clone with CLONE_VM): nothing that it did was seen",
                        record.value));
      return shared_.book.forked(static_cast<uint32_t>(record.value), *acting_, shared_.clock.time_of(record.tsc),
                                 (record.extra & CLONE_FILES) != 0, tid_, stack_of(record.node).id);
    case CULPRIT_RECORD_EXIT:
      acting_->exit_status = record.value;
      acting_->exec_at = 0;
      acting_->last_event = std::max(acting_->last_event, shared_.clock.time_of(record.tsc));
      return;
    case CULPRIT_RECORD_UNSHARE:
      if (!has_other_threads(acting_->pid)) return;
      has_own_table_ = true;
      return shared_.losses.add(LossKind::table_not_checked, 1, acting_->id,
                                fmt::format("thread {} got a handle table of its own", tid_));
    default:
      break;
  }
  bad_records_++;
}

}  // namespace culprit
