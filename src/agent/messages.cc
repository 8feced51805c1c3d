// Handles that arrive in messages: SCM_RIGHTS and SCM_PIDFD.
#include <linux/socket.h>

#include "agent/made_hooks.h"

namespace culprit::agent {

namespace {

// The kernel's view (linux/socket.h has only parts of it for user space): 64-bit layouts.
struct MessageHeader {
  uint64_t name;
  uint32_t name_length, padding;
  uint64_t vectors, vector_count;
  uint64_t control, control_length;
  uint32_t flags, padding2;
};
struct MultiMessage {
  MessageHeader header;
  uint32_t length, padding;
};
struct ControlHeader {
  uint64_t length;
  int32_t level, type;
};

void received_in(const MessageHeader& message, const Registers& registers, uint32_t call) {
  constexpr int32_t sol_socket = 1, scm_rights = 1, scm_pidfd = 4;
  for (uint64_t offset = 0; offset + sizeof(ControlHeader) <= message.control_length;) {
    auto& control = *reinterpret_cast<const ControlHeader*>(message.control + offset);
    if (control.length < sizeof(ControlHeader) || control.length > message.control_length - offset) return;
    auto* values = reinterpret_cast<const int32_t*>(message.control + offset + sizeof(ControlHeader));
    uint64_t count = (control.length - sizeof(ControlHeader)) / sizeof(int32_t);
    if (control.level == sol_socket && (control.type == scm_rights || control.type == scm_pidfd)) {
      for (uint64_t i = 0; i < count; ++i) {
        culprit_record record = new_record(CULPRIT_RECORD_RECEIVE, call);
        record.value = values[i];
        record.extra = static_cast<uint64_t>(control.type);
        if (values[i] >= 0) emit(registers, record);
      }
    }
    offset += (control.length + 7) & ~uint64_t{7};
  }
}

}  // namespace

void received_by_recvmsg(const Registers& registers, uint32_t call) {
  received_in(*reinterpret_cast<const MessageHeader*>(registers.rsi), registers, call);
}

void received_by_recvmmsg(const Registers& registers, uint32_t call) {
  auto* messages = reinterpret_cast<const MultiMessage*>(registers.rsi);
  for (uint64_t i = 0; i < registers.rax; ++i) received_in(messages[i].header, registers, call);
}

}  // namespace culprit::agent
