#include "capture/session_memory.h"

#include <fmt/core.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>

#include "base/syscall.h"

namespace culprit {
namespace {

constexpr uint64_t page = 4096;
constexpr uint64_t processes_offset = (sizeof(culprit_session) + page - 1) / page * page;
constexpr uint64_t process_size = sizeof(culprit_process);
constexpr uint64_t tables_offset = (processes_offset + CULPRIT_PROCESS_COUNT * process_size + page - 1) / page * page;
constexpr uint64_t slots_offset = tables_offset + CULPRIT_TABLES_SIZE;

constexpr uint64_t total_size(uint32_t slot_count) { return slots_offset + uint64_t{slot_count} * CULPRIT_SLOT_SIZE; }

// A sparse file counts by its size against RLIMIT_FSIZE, and going over it is a signal.
uint32_t slots_within_limits(uint32_t slot_count) {
  for (auto resource : {RLIMIT_FSIZE, RLIMIT_AS}) {
    rlimit limit{};
    getrlimit(resource, &limit);
    while (limit.rlim_cur != RLIM_INFINITY && slot_count > 1 && total_size(slot_count) > limit.rlim_cur / 2) {
      slot_count /= 2;
    }
  }
  return slot_count;
}

long futex(uint32_t* word, int operation, uint32_t value, const timespec* limit) {
  return syscall(SYS_futex, word, operation, value, limit, nullptr, 0);
}

}  // namespace

void wake_futex(uint32_t& word) { futex(&word, FUTEX_WAKE, INT32_MAX, nullptr); }

Result<SessionMemory> SessionMemory::create(const std::string& agent_path, uint32_t slot_count) {
  slot_count = slots_within_limits(slot_count);
  culprit_session header{};
  if (agent_path.size() >= sizeof(header.agent_path))
    return fail(ErrorKind::limit, "the path of the agent library is too long");

  auto raw = checked("create shared memory", [] { return memfd_create("culprit-session", MFD_CLOEXEC); });
  if (!raw) return tl::unexpected<Error>(raw.error());
  Fd fd(*raw);
  uint64_t total = total_size(slot_count);
  CULPRIT_TRY(checked("size the shared memory", [&] { return ftruncate(fd.get(), static_cast<off_t>(total)); }));
  auto start = checked("map the shared memory", [&] {
    return mmap(nullptr, total, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd.get(), 0);
  });
  if (!start) return tl::unexpected<Error>(start.error());
  Mapping mapping(*start, total);

  struct stat info {};
  fstat(fd.get(), &info);
  uint64_t id = 0;
  if (getrandom(&id, sizeof(id), GRND_NONBLOCK) != sizeof(id)) id = static_cast<uint64_t>(getpid()) << 32 | info.st_ino;

  header.magic = CULPRIT_SESSION_MAGIC;
  header.version = CULPRIT_WIRE_VERSION;
  header.flags = CULPRIT_SESSION_FOLLOWS;
  header.session_id = id;
  header.total_size = total;
  header.processes_offset = processes_offset;
  header.slots_offset = slots_offset;
  header.tables_offset = tables_offset;
  header.slot_count = slot_count;
  header.collector_pid = static_cast<uint32_t>(getpid());
  agent_path.copy(header.agent_path, sizeof(header.agent_path) - 1);
  std::memcpy(mapping.data(), &header, sizeof(header));
  return SessionMemory(std::move(fd), std::move(mapping), slot_count, info.st_ino, id);
}

culprit_slot& SessionMemory::slot(uint32_t index) const {
  return *reinterpret_cast<culprit_slot*>(mapping_.data() + slots_offset + uint64_t{index} * CULPRIT_SLOT_SIZE);
}

culprit_process& SessionMemory::process(uint32_t index) const {
  return *reinterpret_cast<culprit_process*>(mapping_.data() + processes_offset + index * process_size);
}

std::string SessionMemory::environment_value(const std::string& socket_name, bool restricted) const {
  return fmt::format("{}:{}:{}:{:x}{}", getpid(), fd_.get(), socket_name, id_, restricted ? ":r" : "");
}

uint64_t SessionMemory::add_table(Bytes bytes) {
  constexpr uint64_t alignment = 64;
  if (bytes.empty() || bytes.size() > CULPRIT_TABLES_SIZE - tables_used_) return 0;
  uint64_t offset = tables_offset + tables_used_;
  std::memcpy(mapping_.data() + offset, bytes.data(), bytes.size());
  uint64_t used = tables_used_ + (bytes.size() + alignment - 1) / alignment * alignment;
  tables_used_ = std::min<uint64_t>(used, CULPRIT_TABLES_SIZE);
  store_shared(header().tables_used, tables_used_);
  return offset;
}

void SessionMemory::free_slot(uint32_t index) {
  culprit_slot& freed = slot(index);
  uint64_t life = load_shared(freed.life);
  auto* start = reinterpret_cast<std::byte*>(&freed);
  // Gives the memory back to the kernel, and the next user finds zeros.
  madvise(start + offsetof(culprit_slot, ring), CULPRIT_SLOT_SIZE - offsetof(culprit_slot, ring), MADV_REMOVE);
  constexpr size_t after_life = offsetof(culprit_slot, life) + sizeof(freed.life);
  std::memset(start + after_life, 0, offsetof(culprit_slot, ring) - after_life);
  freed.pid = freed.tid = freed.process = 0;
  store_shared(freed.life, life + 1);
  store_shared(freed.state, CULPRIT_SLOT_FREE);
  culprit_session& session = header();
  if (index < load_shared(session.slot_hint)) store_shared(session.slot_hint, index);
}

void SessionMemory::free_process(uint32_t index) {
  culprit_process& freed = process(index);
  auto* start = reinterpret_cast<std::byte*>(&freed);
  std::memset(start + sizeof(freed.state), 0, sizeof(freed) - sizeof(freed.state));
  store_shared(freed.state, CULPRIT_PROCESS_FREE);
}

void SessionMemory::beat() {
  culprit_session& session = header();
  store_shared(session.heartbeat, session.heartbeat + 1);
  if (load_shared(session.collector_gone) != 0) store_shared(session.collector_gone, 0);
}

uint32_t SessionMemory::announce_sleep() {
  culprit_session& session = header();
  uint32_t seen = load_shared(session.doorbell);
  __atomic_store_n(&session.collector_sleeps, 1u, __ATOMIC_SEQ_CST);
  return seen;
}

void SessionMemory::sleep(uint32_t doorbell_seen, std::chrono::microseconds limit) {
  timespec time{limit.count() / 1'000'000, limit.count() % 1'000'000 * 1000};
  futex(&header().doorbell, FUTEX_WAIT, doorbell_seen, &time);
  stay_awake();
}

void SessionMemory::stay_awake() { store_shared(header().collector_sleeps, 0); }

void SessionMemory::finish() { store_shared(header().collector_finished, 1); }

}  // namespace culprit
