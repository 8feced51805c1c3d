#include "trace/carried_tables.h"

namespace culprit {

namespace {

enum TableFlag : uint8_t { has_baseline = 1, exec_pending = 2 };
// Of a handle: whether `made` and `owning` follow, and its two flags.
constexpr uint8_t how_mask = 0x07, suspected_flag = 0x08, made_flag = 0x10, owning_flag = 0x20, changed_flag = 0x40;

template <typename Id>
Id look_up(const std::vector<Id>& numbers, ByteReader& reader) {
  uint64_t local = reader.take_uleb128();
  if (local < numbers.size()) return numbers[local];
  reader.fail();
  return Id{};
}

Time take_time(ByteReader& reader, Time base) { return added(base, unzigzag(reader.take_uleb128())); }

CarriedProcess read_process(ByteReader& reader, const BlockNumbers& numbers, Time as_of) {
  CarriedProcess process;
  process.process = look_up(numbers.processes, reader);
  process.parent = look_up(numbers.processes, reader);
  process.start = take_time(reader, as_of);
  for (uint64_t CarriedProcess::*count :
       {&CarriedProcess::handle_limit, &CarriedProcess::created, &CarriedProcess::inherited, &CarriedProcess::closed,
        &CarriedProcess::failed_closes, &CarriedProcess::most_open}) {
    process.*count = reader.take_uleb128();
  }
  return process;
}

CarriedHandle read_handle(ByteReader& reader, const BlockNumbers& numbers, const CarriedHandle& before,
                          ProcessId owner) {
  CarriedHandle handle;
  auto flags = reader.take<uint8_t>();
  auto how = static_cast<uint8_t>(flags & how_mask);
  if (how >= how_created_count) reader.fail();
  handle.how = static_cast<HowCreated>(how);
  handle.suspected = (flags & suspected_flag) != 0;
  handle.changed = (flags & changed_flag) != 0;
  handle.value = added(before.value, unzigzag(reader.take_uleb128()));
  handle.created = take_time(reader, before.created);
  handle.made = (flags & made_flag) != 0 ? take_time(reader, handle.created) : handle.created;
  handle.object = static_cast<uint64_t>(added(static_cast<int64_t>(before.object), unzigzag(reader.take_uleb128())));
  handle.inode = reader.take_uleb128();
  for (StringId CarriedHandle::*text :
       {&CarriedHandle::type, &CarriedHandle::call_type, &CarriedHandle::name, &CarriedHandle::call}) {
    handle.*text = look_up(numbers.strings, reader);
  }
  handle.stack = look_up(numbers.stacks, reader);
  handle.creating = look_up(numbers.processes, reader);
  handle.owning = (flags & owning_flag) != 0 ? look_up(numbers.processes, reader) : owner;
  handle.tid = static_cast<uint32_t>(reader.take_uleb128());
  return handle;
}

CarriedTable read_table(ByteReader& reader, const BlockNumbers& numbers, Time as_of) {
  CarriedTable table;
  table.as_of = as_of;
  table.owner = look_up(numbers.processes, reader);
  auto flags = reader.take<uint8_t>();
  table.has_baseline = (flags & has_baseline) != 0;
  table.exec_pending = (flags & exec_pending) != 0;
  table.exec_time = take_time(reader, as_of);
  table.forked = static_cast<Time>(reader.take_uleb128());
  for (uint64_t count = reader.take_count(reader.take_uleb128(), 9); count > 0 && reader; --count) {
    table.processes.push_back(read_process(reader, numbers, as_of));
  }
  CarriedHandle before{.value = 0, .created = as_of};
  for (uint64_t count = reader.take_count(reader.take_uleb128(), 12); count > 0 && reader; --count) {
    table.handles.push_back(before = read_handle(reader, numbers, before, table.owner));
  }
  return table;
}

CheckpointHead read_head(ByteReader& reader) {
  CheckpointHead head;
  head.as_of = reader.take<int64_t>();
  head.events = reader.take_uleb128();
  head.part = static_cast<uint32_t>(reader.take_uleb128());
  head.is_last = reader.take<uint8_t>() != 0;
  return head;
}

}  // namespace

void CarriedEncoder::add(const CarriedTable& table, std::span<const CarriedHandle> handles) {
  ++tables_;
  body_.put_uleb128(definitions_.local(table.owner));
  body_.put_byte(
      static_cast<uint8_t>((table.has_baseline ? has_baseline : 0) | (table.exec_pending ? exec_pending : 0)));
  body_.put_zigzag(difference(table.exec_time, table.as_of));
  body_.put_uleb128(static_cast<uint64_t>(table.forked));
  body_.put_uleb128(table.processes.size());
  for (const CarriedProcess& process : table.processes) {
    body_.put_uleb128(definitions_.local(process.process));
    body_.put_uleb128(definitions_.local(process.parent));
    body_.put_zigzag(difference(process.start, table.as_of));
    for (uint64_t count : {process.handle_limit, process.created, process.inherited, process.closed,
                           process.failed_closes, process.most_open}) {
      body_.put_uleb128(count);
    }
  }
  body_.put_uleb128(handles.size());
  CarriedHandle before{.value = 0, .created = table.as_of};
  for (const CarriedHandle& handle : handles) {
    auto flags = static_cast<uint8_t>(handle.how);
    if (handle.suspected) flags |= suspected_flag;
    if (handle.changed) flags |= changed_flag;
    if (handle.owning != table.owner) flags |= owning_flag;
    if (handle.made != handle.created) flags |= made_flag;
    body_.put_byte(flags);
    body_.put_zigzag(difference(handle.value, before.value));
    body_.put_zigzag(difference(handle.created, before.created));
    if (handle.made != handle.created) body_.put_zigzag(difference(handle.made, handle.created));
    body_.put_zigzag(difference(static_cast<int64_t>(handle.object), static_cast<int64_t>(before.object)));
    body_.put_uleb128(handle.inode);
    for (StringId text : {handle.type, handle.call_type, handle.name, handle.call})
      body_.put_uleb128(definitions_.local(text));
    body_.put_uleb128(definitions_.local(handle.stack));
    body_.put_uleb128(definitions_.local(handle.creating));
    if (handle.owning != table.owner) body_.put_uleb128(definitions_.local(handle.owning));
    body_.put_uleb128(handle.tid);
    before = handle;
  }
}

std::string CarriedEncoder::take(const CheckpointHead& head) {
  ByteWriter out;
  out.put_raw(head.as_of);
  out.put_uleb128(head.events);
  out.put_uleb128(head.part);
  out.put_byte(head.is_last ? 1 : 0);
  out.put_uleb128(tables_);
  out.put_bytes(body_.view());
  body_.clear();
  tables_ = 0;
  return std::string(out.view());
}

std::optional<CheckpointHead> read_checkpoint_head(Bytes part) {
  ByteReader reader(part);
  CheckpointHead head = read_head(reader);
  return reader ? std::optional(head) : std::nullopt;
}

bool read_carried_tables(Bytes part, const BlockNumbers& numbers, EventSink& sink) {
  ByteReader reader(part);
  CheckpointHead head = read_head(reader);
  for (uint64_t count = reader.take_count(reader.take_uleb128(), 6); count > 0 && reader; --count) {
    CarriedTable table = read_table(reader, numbers, head.as_of);
    if (reader) sink.on_carried(table);
  }
  return bool(reader);
}

}  // namespace culprit
