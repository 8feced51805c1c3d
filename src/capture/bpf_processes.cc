#include "capture/bpf_processes.h"

#include <fmt/core.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/syscall.h"
#include "capture/tsc_clock.h"

namespace culprit {

BpfProcess* BpfProcesses::find(uint32_t pid) {
  auto found = by_pid_.find(pid);
  return found == by_pid_.end() ? nullptr : found->second.get();
}

BpfProcess& BpfProcesses::add(WatchedProcess& process, uint64_t life) {
  book_.set_sight(process, Sight::bpf, "");
  auto& place = by_pid_[process.pid];
  if (place) forget_code(*place);
  place = std::make_unique<BpfProcess>();
  place->book = &process;
  place->life = life;
  return *place;
}

BpfProcess& BpfProcesses::found_running(uint32_t pid, Time time) {
  BpfProcess& process = add(book_.launched(pid, time), 0);
  read_mappings(process);
  return process;
}

BpfProcess& BpfProcesses::of(uint32_t pid, uint64_t life, Time time) {
  BpfProcess* known = find(pid);
  if (known != nullptr && (known->life == life || known->life == 0)) {
    known->life = life;
    return *known;
  }
  BpfProcess& process = found_running(pid, time);
  process.life = life;
  return process;
}

void BpfProcesses::forked(BpfProcess& parent, uint32_t pid, uint64_t life, Time time, bool shares_table, uint32_t tid,
                          StackId stack, uint64_t code_key) {
  book_.forked(pid, *parent.book, time, shares_table, tid, stack);
  WatchedProcess* child = book_.find(pid);
  if (child == nullptr) return;  // told of before, and gone
  BpfProcess& process = add(*child, life);
  if (shares_table) process.table = parent.table;
  process.code.key = code_key;
  process.told = parent.told;
  process.map = parent.map;
  if (code_key != 0) process.wants_code = !code_.inherit(process.code);
}

void BpfProcesses::executed(BpfProcess& process, Time time, uint32_t tid, uint64_t code_key,
                            std::span<const uint64_t> auxiliary_vector, std::string_view path,
                            std::string_view arguments) {
  process.told.begin(auxiliary_vector);
  process.map.reset();
  process.must_read = false;
  process.book->exec_tid = tid;
  process.book->code = CodeMap();
  book_.executed(*process.book, time);
  Process& row = tables_.processes.at(index_of(process.book->id));
  row.name = path.substr(path.rfind('/') + 1);
  row.command = arguments;
  while (!row.command.empty() && row.command.back() == '\0') row.command.pop_back();
  std::ranges::replace(row.command, '\0', ' ');
  forget_code(process);
  process.code.key = code_key;
  process.table = 0;
  process.threads.clear();
}

void BpfProcesses::forget_code(BpfProcess& process) {
  uint64_t key = process.code.key;
  code_.forget(process.code);
  if (key == 0) return;
  bool is_shared =
      std::ranges::any_of(by_pid_, [&](const auto& entry) { return entry.second && entry.second->code.key == key; });
  if (!is_shared) program_.forget_code(key);
}

void BpfProcesses::ended(BpfProcess& process, Time time, int wait_status) {
  process.book->wait_status = wait_status;
  book_.ended(*process.book, time);
  forget_code(process);
  by_pid_.erase(process.book->pid);
}

void BpfProcesses::find_ended(Time now) {
  std::vector<BpfProcess*> gone;
  for (auto& [pid, process] : by_pid_) {
    pollfd watched{process->book->pidfd.get(), POLLIN, 0};
    bool has_ended = watched.fd >= 0 ? poll(&watched, 1, 0) == 1 && (watched.revents & POLLIN) != 0
                                     : access(fmt::format("/proc/{}", pid).c_str(), F_OK) != 0;
    if (has_ended && process->seemed_ended) gone.push_back(process.get());
    process->seemed_ended = has_ended;
  }
  for (BpfProcess* process : gone) {
    process->book->wait_status.reset();
    book_.ended(*process->book, now);
    forget_code(*process);
    by_pid_.erase(process->book->pid);
  }
}

void BpfProcesses::name_thread(BpfProcess& process, uint32_t tid, Time time) {
  if (!process.threads.insert(tid).second) return;
  auto name = read_whole_file(fmt::format("/proc/{}/task/{}/comm", process.book->pid, tid), 64);
  if (!name) return;
  while (!name->empty() && name->back() == '\n') name->pop_back();
  events_.on_thread({time, process.book->id, tid, tables_.intern(*name)});
}

bool BpfProcesses::owns_table(BpfProcess& process, uint64_t table, uint32_t tid) {
  if (process.table == table) return true;
  if (process.foreign_tables.contains(table)) return false;
  uint32_t pid = process.book->pid;
  bool is_main =
      tid == pid || syscall(SYS_kcmp, pid, tid, KCMP_FILES, 0, 0) <= 0;  // an error: it is gone, and was like most
  if (is_main) {
    process.table = table;
  } else {
    process.foreign_tables.insert(table);
  }
  return is_main;
}

bool BpfProcesses::read_mappings(BpfProcess& process) {
  auto text = read_whole_file(fmt::format("/proc/{}/maps", process.book->pid));
  if (!text || text->empty()) return false;
  process.told.begin(parse_maps(*text));
  process.map.reset();
  process.must_read = false;
  process.book->maps_read = monotonic_now();
  return true;
}

std::shared_ptr<const CodeMap> BpfProcesses::map_of(BpfProcess& process) {
  if (process.must_read) read_mappings(process);
  if (process.map) return process.map;
  WatchedProcess& book = *process.book;
  std::vector<MapsEntry> entries = process.told.entries(book.pid, files_);
  // A program that cannot be found by the path it was told by, in another mount namespace.
  bool is_whole = std::ranges::any_of(entries, [](const MapsEntry& entry) { return entry.path != "[vdso]"; });
  if (!is_whole && read_mappings(process)) entries = process.told.entries(book.pid, files_);
  book.code.set(book.pid, entries, book.code.generation() + 1, files_);
  process.map = std::make_shared<const CodeMap>(book.code);
  return process.map;
}

void BpfProcesses::publish_code(bool placed) {
  for (auto& [pid, process] : by_pid_) {
    bool is_due = process->wants_code || (placed && process->waits_for_tables);
    if (!is_due) continue;
    process->wants_code = false;
    process->waits_for_tables = !code_.publish(process->code, *map_of(*process));
  }
}

}  // namespace culprit
