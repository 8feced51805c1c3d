#include "capture/death_server.h"

#include <fmt/core.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include <filesystem>

#include "capture/process_images.h"

namespace culprit {
namespace {

Registers registers_of(const culprit_death& death) {
  const uint64_t* r = death.registers;
  Registers found;
  found.r8 = r[0], found.r9 = r[1], found.r10 = r[2], found.r11 = r[3], found.r12 = r[4], found.r13 = r[5];
  found.r14 = r[6], found.r15 = r[7], found.rdi = r[8], found.rsi = r[9], found.rbp = r[10], found.rbx = r[11];
  found.rdx = r[12], found.rax = r[13], found.rcx = r[14], found.rsp = r[15], found.rip = r[16], found.eflags = r[17];
  found.orig_rax = UINT64_MAX;  // in no system call
  return found;
}

// A vfork child dies on its parent's record. It has one thread.
uint32_t process_of(uint32_t pid, uint32_t tid) {
  return std::filesystem::exists(fmt::format("/proc/{}/task/{}", pid, tid)) ? pid : tid;
}

}  // namespace

DeathServer::DeathServer(SessionMemory& memory, LookAtDeath look) : memory_(memory), look_(std::move(look)) {
  __atomic_fetch_or(&memory_.header().flags, CULPRIT_SESSION_DEATHS, __ATOMIC_RELEASE);
}

bool DeathServer::serve(std::deque<WatchedProcess>& processes) {
  if (is_looking_) return false;
  if (looker_.joinable()) looker_.join();
  for (const WatchedProcess& process : processes) {
    if (process.ended || process.record < 0) continue;
    culprit_death& shared = memory_.process(static_cast<uint32_t>(process.record)).death;
    if (load_shared(shared.state) == CULPRIT_DEATH_TOLD) return begin(process, shared);
  }
  return false;
}

bool DeathServer::begin(const WatchedProcess& process, culprit_death& shared) {
  culprit_death copy = shared;
  Death death{.pid = process_of(process.pid, copy.tid), .tid = copy.tid, .registers = registers_of(copy)};
  static_assert(sizeof death.info == sizeof copy.info);
  memcpy(death.info.data(), copy.info, sizeof copy.info);
  is_looking_ = true;
  sigset_t all, before;  // signals are for the thread that records
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  looker_ = std::thread([this, death, &shared] {
    if (maps_session(death.pid, memory_)) look_(death);  // the numbers may be anybody's
    uint32_t told = CULPRIT_DEATH_TOLD;                  // if it is still there: its record may be another's by now
    __atomic_compare_exchange_n(&shared.state, &told, CULPRIT_DEATH_SEEN, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    wake_futex(shared.state);
    is_looking_ = false;
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return true;
}

void DeathServer::finish() {
  if (looker_.joinable()) looker_.join();
}

}  // namespace culprit
