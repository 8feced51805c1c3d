// The collector's side of the shared memory that wire/agent_session.h describes. Everything behind the pointers it
// gives can be overwritten by any process of the tree at any moment: copy, then check.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/mapping.h"
#include "base/result.h"
#include "wire/agent_session.h"

namespace culprit {

// One load or store of a word the other side uses at the same time.
template <typename T>
T load_shared(const T& word) {
  return __atomic_load_n(&word, __ATOMIC_ACQUIRE);
}
template <typename T>
void store_shared(T& word, std::type_identity_t<T> value) {
  __atomic_store_n(&word, value, __ATOMIC_RELEASE);
}
void wake_futex(uint32_t& word);

class SessionMemory {
 public:
  // Fewer slots than the wire allows where a limit of address space or file size asks for it.
  static Result<SessionMemory> create(const std::string& agent_path, uint32_t slot_count = CULPRIT_SLOT_COUNT);

  int fd() const { return fd_.get(); }
  uint64_t inode() const { return inode_; }
  uint64_t id() const { return id_; }
  culprit_session& header() const { return *reinterpret_cast<culprit_session*>(mapping_.data()); }
  uint32_t slot_count() const { return slot_count_; }
  culprit_slot& slot(uint32_t index) const;        // index < slot_count()
  culprit_process& process(uint32_t index) const;  // index < CULPRIT_PROCESS_COUNT

  // The value of CULPRIT_SESSION_VARIABLE.
  std::string environment_value(const std::string& socket_name, bool restricted = false) const;

  // Copies into the tables area. The offset from the start of the mapping; 0: no room left (or nothing to copy).
  uint64_t add_table(Bytes bytes);
  // What add_table put there.
  template <typename Item>
  std::span<const Item> table(uint64_t offset, size_t count) const {
    return {reinterpret_cast<const Item*>(mapping_.data() + offset), count};
  }

  // Makes the record or slot as new and free. Its user must be gone.
  void free_slot(uint32_t index);
  void free_process(uint32_t index);

  void beat();  // moves the heartbeat
  // Agents ring the doorbell only if they see that the collector is about to sleep: announce it, look for work once
  // more, sleep.
  uint32_t announce_sleep();  // what the doorbell stood at
  void sleep(uint32_t doorbell_seen, std::chrono::microseconds limit);
  void stay_awake();
  void finish();  // tells every agent to record nothing more

 private:
  SessionMemory(Fd fd, Mapping mapping, uint32_t slot_count, uint64_t inode, uint64_t id)
      : fd_(std::move(fd)), mapping_(std::move(mapping)), slot_count_(slot_count), inode_(inode), id_(id) {}

  Fd fd_;
  Mapping mapping_;
  uint32_t slot_count_;
  uint64_t inode_;
  uint64_t id_;
  uint64_t tables_used_ = 0;
};

}  // namespace culprit
