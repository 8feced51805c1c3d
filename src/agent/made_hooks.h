// After-hooks of the calls that make handles.
#pragma once

#include "agent/hooks.h"

namespace culprit::agent {

void made_one(const Registers& registers, uint32_t call);             // the result is the handle
void made_named_by_first(const Registers& registers, uint32_t call);  // and the first argument its name
void made_named_by_second(const Registers& registers, uint32_t call);
void made_socket(const Registers& registers, uint32_t call);
void made_pair(const Registers& registers, uint32_t call);
void made_duplicate(const Registers& registers, uint32_t call);
void made_by_fcntl(const Registers& registers, uint32_t call);
void made_by_signalfd(const Registers& registers, uint32_t call);
void note_fanotify(int32_t value);  // what is read from it makes handles
void made_by_fanotify_init(const Registers& registers, uint32_t call);
void made_by_fanotify_read(const Registers& registers, uint32_t call);
void made_by_bpf(const Registers& registers, uint32_t call);
void made_by_seccomp(const Registers& registers, uint32_t call);
void made_by_getsockopt(const Registers& registers, uint32_t call);
void made_by_ioctl(const Registers& registers, uint32_t call);
void received_one(const Registers& registers, uint32_t call);
void received_by_recvmsg(const Registers& registers, uint32_t call);
void received_by_recvmmsg(const Registers& registers, uint32_t call);

}  // namespace culprit::agent
