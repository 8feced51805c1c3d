#include "trace/definitions_writer.h"

#include <algorithm>
#include <functional>

#include "trace/trace_format.h"

namespace culprit {

using trace_format::Section;

void DefinitionsWriter::Numbering::set(size_t id, uint32_t generation, uint32_t local) {
  if (id >= slots_.size()) slots_.resize(std::max(id + 1, 2 * slots_.size()));
  slots_[id] = {generation, local};
}

uint32_t DefinitionsWriter::local_text(std::string_view text) {
  if (text.empty()) return 0;
  if (strings_.size() + text.size() > trace_format::max_block_string_bytes) return ++names_cut_, 0;
  strings_.put_text(text);
  return ++string_count_;
}

uint32_t DefinitionsWriter::local(StringId id) {
  if (id == StringId::none) return 0;
  if (uint32_t known = string_numbers_.find(index_of(id), generation_)) return known;
  uint32_t local = local_text(tables_.text(id));
  if (local != 0) string_numbers_.set(index_of(id), generation_, local);
  return local;
}

uint32_t DefinitionsWriter::local(ModuleId id) {
  if (id == ModuleId::none) return 0;
  if (uint32_t known = module_numbers_.find(index_of(id), generation_)) return known;
  const Module& module = tables_.module(id);
  modules_.put_uleb128(local_text(module.path));
  modules_.put_text(module.build_id);
  module_numbers_.set(index_of(id), generation_, ++module_count_);
  return module_count_;
}

// A process's definition is read from the tables when the block is closed, so that the newest state is recorded. Its
// parent is defined with it, and before it.
uint32_t DefinitionsWriter::local(ProcessId id) {
  if (id == ProcessId::none) return 0;
  if (uint32_t known = process_numbers_.find(index_of(id), generation_)) return known;
  processes_.push_back(id);
  auto local = static_cast<uint32_t>(processes_.size());
  process_numbers_.set(index_of(id), generation_, local);
  return local;
}

// Callers get smaller numbers than the frames they called.
uint32_t DefinitionsWriter::local(StackId id) {
  auto find = [&](StackId stack) -> uint32_t {
    if (index_of(stack) < StackTable::first_id) return static_cast<uint32_t>(stack);
    return stack_numbers_.find(index_of(stack), generation_);
  };
  if (index_of(id) < StackTable::first_id) return static_cast<uint32_t>(id);
  if (uint32_t known = find(id)) return known;

  pending_stacks_.clear();
  for (StackId stack = id; index_of(stack) >= StackTable::first_id && find(stack) == 0;
       stack = tables_.stacks.at(stack).caller) {
    pending_stacks_.push_back(stack);
  }
  while (!pending_stacks_.empty()) {
    StackId stack = pending_stacks_.back();
    pending_stacks_.pop_back();
    const StackTable::Node& node = tables_.stacks.at(stack);
    auto number = static_cast<uint32_t>(StackTable::first_id + stack_count_++);
    uint32_t caller = find(node.caller);
    // none, truncated, or how far back: in a chain always 1
    stack_callers_.put_uleb128(caller < StackTable::first_id ? caller : number - caller + 1);
    stack_frames_.put_uleb128((uint64_t{local(node.frame.module)} << 2) | static_cast<uint64_t>(node.frame.found_by));
    stack_frames_.put_zigzag(difference(static_cast<int64_t>(node.frame.offset), static_cast<int64_t>(last_offset_)));
    last_offset_ = node.frame.offset;
    stack_numbers_.set(index_of(stack), generation_, number);
  }
  return find(id);
}

namespace {

// Never 0.
uint64_t hash_of(const Process& process) {
  std::hash<std::string> hash;
  uint64_t sum = process.pid * 31 + index_of(process.parent) * 37 + static_cast<uint64_t>(process.sight);
  for (const std::string* text : {&process.name, &process.command, &process.sight_reason}) sum = sum * 43 + hash(*text);
  return sum | 1;
}

void put_section(ByteWriter& out, Section kind, uint32_t count, std::string_view first, std::string_view second = {}) {
  if (count == 0) return;
  ByteWriter head;
  head.put_uleb128(count);
  out.put_byte(static_cast<uint8_t>(kind));
  out.put_uleb128(head.size() + first.size() + second.size());
  out.put_bytes(head.view());
  out.put_bytes(first);
  out.put_bytes(second);
}

}  // namespace

bool DefinitionsWriter::is_defined(ProcessId id) const {
  return index_of(id) < defined_as_.size() && defined_as_[index_of(id)] == hash_of(tables_.process(id));
}

void DefinitionsWriter::put_processes(ByteWriter& out) {
  ByteWriter section;
  for (size_t i = 0; i < processes_.size(); ++i) {  // grows: the parents join at the end
    ProcessId id = processes_[i];
    const Process& process = tables_.process(id);
    if (index_of(id) >= defined_as_.size()) defined_as_.resize(tables_.processes.size());
    defined_as_[index_of(id)] = hash_of(process);
    local(process.parent);
    section.put_uleb128(index_of(id));
    section.put_uleb128(index_of(process.parent));
    section.put_uleb128(process.pid);
    section.put_byte(static_cast<uint8_t>(process.sight));
    section.put_uleb128(local_text(process.name));
    section.put_uleb128(local_text(process.command));
    section.put_uleb128(local_text(process.sight_reason));
  }
  put_section(out, Section::processes, static_cast<uint32_t>(processes_.size()), section.view());
}

void DefinitionsWriter::put_losses(ByteWriter& out, const BlockEnd& end) {
  ByteWriter section;
  for (const Loss& loss : end.losses) {
    section.put_uleb128(local_text(meaning_of(loss.kind).name));
    section.put_uleb128(loss.count);
    section.put_uleb128(local(loss.process));
    section.put_uleb128(local_text(loss.detail));
  }
  put_section(out, end.past ? Section::losses_so_far : Section::losses, static_cast<uint32_t>(end.losses.size()),
              section.view());
}

std::string DefinitionsWriter::take(const BlockEnd& end) {
  // Later sections name what stands in earlier ones, so strings, which all of them add to, are put together last and
  // stand first.
  ByteWriter loss_section, process_section, out;
  put_losses(loss_section, end);
  put_processes(process_section);
  put_section(out, Section::strings, string_count_, strings_.view());
  put_section(out, Section::modules, module_count_, modules_.view());
  put_section(out, Section::stacks, stack_count_, stack_callers_.view(), stack_frames_.view());
  out.put_bytes(process_section.view());
  out.put_bytes(loss_section.view());
  if (end.past) {
    ByteWriter past;
    past.put_uleb128(end.past->events);
    past.put_zigzag(end.past->newest);
    out.put_byte(static_cast<uint8_t>(Section::past));
    out.put_text(past.view());
  }
  if (!end.info.empty()) {
    out.put_byte(static_cast<uint8_t>(Section::info));
    out.put_text(end.info);
  }

  ++generation_;
  for (ByteWriter* writer : {&strings_, &modules_, &stack_callers_, &stack_frames_}) writer->clear();
  processes_.clear();
  string_count_ = module_count_ = stack_count_ = 0;
  last_offset_ = 0;
  names_cut_ = 0;
  return std::string(out.view());
}

}  // namespace culprit
