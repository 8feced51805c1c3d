#include "capture/hand_over.h"

namespace culprit {
namespace {

// A process that is traced stands still meanwhile.
constexpr std::chrono::milliseconds longest_wait{50};

}  // namespace

// With the lock held. Strings, modules and stacks are only ever added.
void HandOver::add_definitions(ProcessId changed) {
  for (; strings_told_ < source_.strings.size(); strings_told_++) {
    const std::string_view text = source_.text(id_at<StringId>(strings_told_));
    waiting_.strings.emplace_back(text);
    waiting_.bytes += sizeof(std::string) + text.size();
  }
  for (; modules_told_ < source_.modules.size(); modules_told_++)
    waiting_.modules.push_back(source_.modules[modules_told_]);
  for (; processes_told_ < source_.processes.size(); processes_told_++)
    waiting_.processes.emplace_back(id_at<ProcessId>(processes_told_), source_.processes[processes_told_]);
  if (changed != ProcessId::none) waiting_.processes.emplace_back(changed, source_.process(changed));
  for (; stacks_told_ < source_.stacks.size(); stacks_told_++) {
    waiting_.stacks.push_back(source_.stacks.at(id_at<StackId>(stacks_told_)));
    waiting_.bytes += sizeof(StackTable::Node);
  }
}

void HandOver::add(Item item, ProcessId changed) {
  std::unique_lock lock(mutex_);
  bool had_much = has_much();
  add_definitions(changed);
  waiting_.bytes += sizeof(Item);
  waiting_.items.push_back(std::move(item));
  bool has_much_now = has_much();
  lock.unlock();
  if (has_much_now && !had_much) much_waits_.notify_one();
}

void HandOver::alert() {
  std::unique_lock lock(mutex_);
  is_alerted_ = true;
  much_waits_.notify_one();
}

bool HandOver::has_room(std::unique_lock<std::mutex>& lock) {
  auto has_room = [&] { return waiting_.bytes < limit_; };
  if (!has_room() && !is_stuck_) is_stuck_ = !room_came_.wait_for(lock, longest_wait, has_room);
  return has_room();
}

void HandOver::on_handle(const HandleEvent& event) {
  {
    std::unique_lock lock(mutex_);
    if (!has_room(lock)) {
      dropped_++;
      return;
    }
  }
  add(event);
}

void HandOver::on_snapshot(const HandleSnapshot& snapshot) {
  {
    std::unique_lock lock(mutex_);
    waiting_.bytes += snapshot.entries.size() * sizeof(SnapshotEntry);
  }
  add(snapshot);
}

void HandOver::process_changed(ProcessId process) {
  std::unique_lock lock(mutex_);
  add_definitions(process);
}

uint64_t HandOver::dropped() const {
  std::unique_lock lock(mutex_);
  return dropped_;
}

void HandOver::wait(std::chrono::microseconds limit) {
  std::unique_lock lock(mutex_);
  much_waits_.wait_for(lock, limit, [&] { return has_much(); });
}

void HandOver::define(const Batch& batch, TraceTables& tables) {
  for (const std::string& text : batch.strings) translation_.strings.push_back(tables.intern(text));
  for (const Module& module : batch.modules) {
    translation_.modules.push_back(id_at<ModuleId>(tables.modules.size()));
    tables.modules.push_back(module);
  }
  for (const auto& [id, process] : batch.processes) {
    if (index_of(id) == translation_.processes.size()) {
      translation_.processes.push_back(id_at<ProcessId>(tables.processes.size()));
      tables.processes.emplace_back();
    }
    Process& row = tables.processes.at(index_of(translation_.processes.at(index_of(id))));
    row = process;
    row.parent = translation_.processes.at(index_of(process.parent));
  }
  for (StackTable::Node node : batch.stacks) {
    node.frame.module = translation_.modules.at(index_of(node.frame.module));
    translation_.stacks.push_back(tables.stacks.intern(translation_.stacks.at(index_of(node.caller)), node.frame));
  }
}

void HandOver::translate(HandleEvent& event) const {
  event.process = translation_.processes.at(index_of(event.process));
  event.stack = translation_.stacks.at(index_of(event.stack));
  event.call = translation_.strings.at(index_of(event.call));
  event.type = translation_.strings.at(index_of(event.type));
  event.name = translation_.strings.at(index_of(event.name));
}

void HandOver::translate(ProcessEvent& event) const {
  event.process = translation_.processes.at(index_of(event.process));
  event.parent = translation_.processes.at(index_of(event.parent));
  event.stack = translation_.stacks.at(index_of(event.stack));
}

void HandOver::translate(ThreadEvent& event) const {
  event.process = translation_.processes.at(index_of(event.process));
  event.name = translation_.strings.at(index_of(event.name));
}

void HandOver::translate(HandleSnapshot& snapshot) const {
  snapshot.process = translation_.processes.at(index_of(snapshot.process));
  for (SnapshotEntry& entry : snapshot.entries) {
    entry.type = translation_.strings.at(index_of(entry.type));
    entry.name = translation_.strings.at(index_of(entry.name));
  }
}

void HandOver::translate(Loss& loss) const { loss.process = translation_.processes.at(index_of(loss.process)); }

bool HandOver::deliver(TraceTables& tables, EventSink& sink) {
  Batch batch;
  {
    std::unique_lock lock(mutex_);
    std::swap(batch, waiting_);
    is_stuck_ = is_alerted_ = false;
  }
  room_came_.notify_one();
  define(batch, tables);
  struct Deliver {
    const HandOver& from;
    EventSink& to;
    void operator()(HandleEvent& event) const { from.translate(event), to.on_handle(event); }
    void operator()(ProcessEvent& event) const { from.translate(event), to.on_process(event); }
    void operator()(ThreadEvent& event) const { from.translate(event), to.on_thread(event); }
    void operator()(HandleSnapshot& snapshot) const { from.translate(snapshot), to.on_snapshot(snapshot); }
    void operator()(Mark& mark) const { to.on_mark(mark); }
    void operator()(Loss& loss) const { from.translate(loss), to.on_loss(loss); }
  };
  for (Item& item : batch.items) {
    delivered_ += std::holds_alternative<HandleEvent>(item) ? 1 : 0;
    std::visit(Deliver{*this, sink}, item);
  }
  return !batch.items.empty();
}

}  // namespace culprit
