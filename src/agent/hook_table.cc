// Which system calls are of interest. Everything the agent sees, it sees through one of these rows.
#include <asm/unistd.h>

#include "agent/death.h"
#include "agent/hooks.h"
#include "agent/made_hooks.h"
#include "agent/mapping_hooks.h"
#include "agent/signal_stack.h"
#include "agent/table_hooks.h"

namespace culprit::agent {

namespace {

// Newer than the headers of the systems we build on.
constexpr uint16_t nr_open_tree_attr = 467;

constexpr Hook hooks[] = {
    {__NR_open, nullptr, made_named_by_first},
    {__NR_creat, nullptr, made_named_by_first},
    {__NR_openat, nullptr, made_named_by_second},
    {__NR_openat2, nullptr, made_named_by_second},
    {__NR_open_by_handle_at, nullptr, made_one},
    {__NR_open_tree, nullptr, made_named_by_second},
    {nr_open_tree_attr, nullptr, made_named_by_second},
    {__NR_fsopen, nullptr, made_named_by_first},
    {__NR_fspick, nullptr, made_named_by_second},
    {__NR_fsmount, nullptr, made_one},
    {__NR_mq_open, nullptr, made_named_by_first},
    {__NR_memfd_create, nullptr, made_named_by_first},
    {__NR_memfd_secret, nullptr, made_one},
    {__NR_dup, nullptr, made_duplicate},
    {__NR_dup2, nullptr, made_duplicate},
    {__NR_dup3, nullptr, made_duplicate},
    {__NR_fcntl, nullptr, made_by_fcntl},
    {__NR_pipe, nullptr, made_pair},
    {__NR_pipe2, nullptr, made_pair},
    {__NR_socketpair, nullptr, made_pair},
    {__NR_socket, nullptr, made_socket},
    {__NR_accept, nullptr, made_one},
    {__NR_accept4, nullptr, made_one},
    {__NR_recvmsg, nullptr, received_by_recvmsg},
    {__NR_recvmmsg, nullptr, received_by_recvmmsg},
    {__NR_pidfd_getfd, nullptr, received_one},
    {__NR_getsockopt, nullptr, made_by_getsockopt},
    {__NR_epoll_create, nullptr, made_one},
    {__NR_epoll_create1, nullptr, made_one},
    {__NR_eventfd, nullptr, made_one},
    {__NR_eventfd2, nullptr, made_one},
    {__NR_timerfd_create, nullptr, made_one},
    {__NR_signalfd, nullptr, made_by_signalfd},
    {__NR_signalfd4, nullptr, made_by_signalfd},
    {__NR_inotify_init, nullptr, made_one},
    {__NR_inotify_init1, nullptr, made_one},
    {__NR_fanotify_init, nullptr, made_by_fanotify_init},
    {__NR_read, nullptr, made_by_fanotify_read},
    {__NR_pidfd_open, nullptr, made_one},
    {__NR_perf_event_open, nullptr, made_one},
    {__NR_userfaultfd, nullptr, made_one},
    {__NR_io_uring_setup, nullptr, made_one},
    {__NR_landlock_create_ruleset, nullptr, made_one},
    {__NR_bpf, nullptr, made_by_bpf},
    {__NR_ioctl, nullptr, made_by_ioctl},
    {__NR_rt_sigaction, nullptr, nullptr, nullptr, after_sigaction},
    {__NR_sigaltstack, nullptr, nullptr, nullptr, after_sigaltstack},
    {__NR_set_robust_list, nullptr, nullptr, begin_thread},
    {__NR_seccomp, before_seccomp, made_by_seccomp, nullptr, after_seccomp},
    {__NR_prctl, before_prctl, nullptr, nullptr, after_prctl},
    {__NR_setrlimit, before_setrlimit, nullptr},
    {__NR_prlimit64, before_setrlimit, nullptr},
    {__NR_close, before_close, nullptr},
    {__NR_close_range, before_close_range, nullptr},
    {__NR_unshare, before_unshare, nullptr},
    {__NR_fork, before_fork, after_fork},
    {__NR_vfork, before_fork, after_fork},
    {__NR_clone, before_fork, after_fork},
    {__NR_clone3, before_fork, after_fork},
    {__NR_execve, before_exec, nullptr},
    {__NR_execveat, before_exec, nullptr},
    {__NR_exit, before_thread_exit, nullptr, end_thread},
    {__NR_exit_group, before_process_exit, nullptr},
    {__NR_munmap, before_munmap, after_munmap},
    {__NR_mmap, before_mmap, after_mmap},
    {__NR_mremap, before_mremap, after_mremap},
    {__NR_brk, before_brk, after_brk},
};

struct Index {
  uint8_t row[512];  // 1 + index into hooks; 0: none
};

constexpr Index make_index() {
  Index index{};
  uint8_t row = 1;
  for (const Hook& hook : hooks) index.row[hook.call] = row++;
  return index;
}

constexpr Index index_of_call = make_index();

}  // namespace

const Hook* find_hook(uint32_t call) {
  uint8_t row = call < sizeof index_of_call.row ? index_of_call.row[call] : 0;
  return row == 0 ? nullptr : &hooks[row - 1];
}

}  // namespace culprit::agent
