#include "trace/definitions_reader.h"

#include <functional>

#include "trace/byte_writer.h"
#include "trace/info_record.h"
#include "trace/losses.h"
#include "trace/trace_format.h"

namespace culprit {

using namespace trace_format;

namespace {

// The thing with this local number; a number out of range is nonsense like a missing byte.
template <typename Id>
Id look_up(const std::vector<Id>& numbers, uint64_t local, ByteReader& reader) {
  if (local < numbers.size()) return numbers[local];
  reader.fail();
  return Id{};
}

size_t text_size(const Process& process) {
  return process.name.size() + process.command.size() + process.sight_reason.size();
}

// Longer chains of ancestors are not believed, nor are rings.
constexpr int max_ancestors = 1024;

}  // namespace

size_t DefinitionsReader::ModuleHash::operator()(const Module& module) const {
  return std::hash<std::string>()(module.path) * 31 + std::hash<std::string>()(module.build_id);
}

bool DefinitionsReader::over_limit() const {
  return tables_.stacks.size() > max_stacks || tables_.strings.size() > max_strings ||
         string_bytes_ > max_string_bytes || tables_.modules.size() > max_modules ||
         tables_.processes.size() > max_processes || numbers_kept_ > max_numbers;
}

void DefinitionsReader::read_strings(ByteReader& reader, BlockNumbers& numbers) {
  uint64_t count = reader.take_count(reader.take_uleb128(), 1);
  for (; count > 0 && reader && !over_limit(); --count, ++numbers_kept_) {
    std::string_view text = as_text(reader.take_bytes(reader.take_uleb128()));
    size_t known = tables_.strings.size();
    numbers.strings.push_back(tables_.intern(text));
    if (tables_.strings.size() > known) string_bytes_ += text.size();
  }
}

void DefinitionsReader::read_modules(ByteReader& reader, BlockNumbers& numbers) {
  uint64_t count = reader.take_count(reader.take_uleb128(), 2);
  for (; count > 0 && reader && !over_limit(); --count, ++numbers_kept_) {
    Module module;
    module.path = tables_.text(look_up(numbers.strings, reader.take_uleb128(), reader));
    module.build_id = as_text(reader.take_bytes(reader.take_uleb128()));
    auto [place, is_new] = module_index_.try_emplace(module, id_at<ModuleId>(tables_.modules.size()));
    if (is_new) {
      string_bytes_ += module.path.size() + module.build_id.size();
      tables_.modules.push_back(std::move(module));
    }
    numbers.modules.push_back(place->second);
  }
}

void DefinitionsReader::read_processes(ByteReader& reader, BlockNumbers& numbers) {
  std::vector<std::pair<ProcessId, uint64_t>> parents;  // by the recorder's numbers: they may be defined further on
  uint64_t count = reader.take_count(reader.take_uleb128(), 7);
  for (; count > 0 && reader && !over_limit(); --count, ++numbers_kept_) {
    uint64_t recorded = reader.take_uleb128();
    uint64_t parent = reader.take_uleb128();
    Process process;
    process.pid = static_cast<uint32_t>(reader.take_uleb128());
    auto sight = reader.take<uint8_t>();
    if (sight > static_cast<uint8_t>(Sight::imported)) reader.fail();
    process.sight = static_cast<Sight>(sight);
    for (std::string* text : {&process.name, &process.command, &process.sight_reason}) {
      *text = tables_.text(look_up(numbers.strings, reader.take_uleb128(), reader));
    }
    if (!reader) return;
    auto [place, is_new] = process_index_.try_emplace(recorded, id_at<ProcessId>(tables_.processes.size()));
    if (is_new) tables_.processes.emplace_back();
    Process& known = tables_.processes[index_of(place->second)];
    size_t old_size = text_size(known), new_size = text_size(process);
    string_bytes_ += new_size > old_size ? new_size - old_size : 0;
    process.parent = known.parent;
    known = std::move(process);
    numbers.processes.push_back(place->second);
    parents.emplace_back(place->second, parent);
  }
  for (auto [child, parent] : parents) {
    set_parent(child, process_recorded_as(parent));
  }
}

ProcessId DefinitionsReader::process_recorded_as(uint64_t number) const {
  auto found = process_index_.find(number);
  return found == process_index_.end() ? ProcessId::none : found->second;
}

// Keeps the processes a forest, whatever the file says: who follows parents comes to an end.
void DefinitionsReader::set_parent(ProcessId child, ProcessId parent) {
  Process& process = tables_.processes[index_of(child)];
  if (process.parent == parent) return;
  process.parent = ProcessId::none;
  ProcessId ancestor = parent;
  for (int steps = 0; ancestor != ProcessId::none; ancestor = tables_.process(ancestor).parent) {
    if (ancestor == child || ++steps > max_ancestors) return;
  }
  process.parent = parent;
}

void DefinitionsReader::read_stacks(ByteReader& reader, BlockNumbers& numbers) {
  uint64_t count = reader.take_count(reader.take_uleb128(), 3);
  std::vector<uint32_t> callers;
  for (uint64_t i = 0; i < count && reader; ++i) {
    uint64_t caller = reader.take_uleb128();
    uint64_t number = StackTable::first_id + i;
    if (caller > number - 1 && caller >= StackTable::first_id) reader.fail();  // further back than the first
    callers.push_back(static_cast<uint32_t>(caller < StackTable::first_id ? caller : number + 1 - caller));
  }
  int64_t offset = 0;
  for (size_t i = 0; i < callers.size() && reader && !over_limit(); ++i, ++numbers_kept_) {
    uint64_t module_and_found_by = reader.take_uleb128();
    offset = added(offset, unzigzag(reader.take_uleb128()));
    Frame frame{.module = look_up(numbers.modules, module_and_found_by >> 2, reader),
                .offset = static_cast<uint64_t>(offset),
                .found_by = static_cast<FoundBy>(module_and_found_by & 3)};
    StackId caller = look_up(numbers.stacks, callers[i], reader);
    if (reader) numbers.stacks.push_back(tables_.stacks.intern(caller, frame));
  }
}

void DefinitionsReader::read_losses(ByteReader& reader, BlockNumbers& numbers) {
  uint64_t count = reader.take_count(reader.take_uleb128(), 4);
  if (count > max_losses_per_block) return reader.fail();
  for (; count > 0 && reader; --count) {
    std::string_view name = tables_.text(look_up(numbers.strings, reader.take_uleb128(), reader));
    Loss loss;
    loss.count = reader.take_uleb128();
    loss.process = look_up(numbers.processes, reader.take_uleb128(), reader);
    loss.detail = tables_.text(look_up(numbers.strings, reader.take_uleb128(), reader));
    if (!reader) return;
    if (auto kind = loss_kind_named(name)) {
      loss.kind = *kind;
    } else {
      // Of a newer culprit. It must not vanish, and all that is known is that something is missing.
      loss.kind = LossKind::recording_incomplete;
      loss.detail = std::string(name) + ", a loss this version does not know: " + loss.detail;
    }
    add_loss(block_losses_, std::move(loss));
  }
}

// In order of recording, so that the newest list counts.
void DefinitionsReader::read_losses_so_far(ByteReader& reader, BlockNumbers& numbers) {
  losses_.clear();
  read_losses(reader, numbers);
}

void DefinitionsReader::read_past(ByteReader& reader, BlockNumbers&) {
  Past past;
  past.events = reader.take_uleb128();
  past.newest = unzigzag(reader.take_uleb128());
  past_ = past;
}

void DefinitionsReader::read_info(ByteReader& reader, BlockNumbers&) {
  auto info = parse_info(reader.take_bytes(reader.remaining()));
  if (!info) return reader.fail();
  final_info_ = std::move(*info);
}

Result<BlockNumbers> DefinitionsReader::read(Bytes definitions) {
  struct Row {
    Section kind;
    void (DefinitionsReader::*read)(ByteReader&, BlockNumbers&);
  };
  constexpr Row rows[] = {
      {Section::strings, &DefinitionsReader::read_strings},
      {Section::modules, &DefinitionsReader::read_modules},
      {Section::processes, &DefinitionsReader::read_processes},
      {Section::stacks, &DefinitionsReader::read_stacks},
      {Section::losses, &DefinitionsReader::read_losses},
      {Section::info, &DefinitionsReader::read_info},
      {Section::past, &DefinitionsReader::read_past},
      {Section::losses_so_far, &DefinitionsReader::read_losses_so_far},
  };
  BlockNumbers numbers;
  block_losses_.clear();
  past_.reset();
  bool had_info = final_info_.has_value();
  ByteReader reader(definitions);
  while (reader && !reader.at_end()) {
    auto kind = static_cast<Section>(reader.take<uint8_t>());
    Bytes content = reader.take_bytes(reader.take_uleb128());
    size_t start = reader.position() - content.size();
    for (const Row& row : rows) {
      if (row.kind != kind || !reader) continue;
      ByteReader section(content);
      (this->*row.read)(section, numbers);
      if (!section) return fail(ErrorKind::corrupt, "definitions contradict the format", start + section.failed_at());
      if (over_limit()) return fail(ErrorKind::limit, "the recording defines more than fits the reader's bounds");
    }
  }
  if (!reader) return fail(ErrorKind::corrupt, "definitions end early", reader.failed_at());
  if (final_info_ && !had_info) {
    final_losses_ = block_losses_;
  } else {
    for (const Loss& loss : block_losses_) add_loss(losses_, loss);
  }
  return numbers;
}

}  // namespace culprit
