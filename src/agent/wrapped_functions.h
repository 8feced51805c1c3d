/* The functions of libc that are wrapped where its system calls cannot be patched, each with the system call whose
 * hooks apply. All take integers and pointers in registers and return an int, negative on failure. Not here: vfork (it
 * returns twice, and a wrapper has a frame), and what libc opens inside its own functions (fopen, opendir, getaddrinfo,
 * syslog): no wrapper can see that. Included by assembler and C++: X(function, call) */
#define CULPRIT_WRAPPED_FUNCTIONS(X)     \
  X(open, __NR_open)                     \
  X(open64, __NR_open)                   \
  X(creat, __NR_creat)                   \
  X(openat, __NR_openat)                 \
  X(openat64, __NR_openat)               \
  X(memfd_create, __NR_memfd_create)     \
  X(mq_open, __NR_mq_open)               \
  X(dup, __NR_dup)                       \
  X(dup2, __NR_dup2)                     \
  X(dup3, __NR_dup3)                     \
  X(fcntl, __NR_fcntl)                   \
  X(fcntl64, __NR_fcntl)                 \
  X(pipe, __NR_pipe)                     \
  X(pipe2, __NR_pipe2)                   \
  X(socket, __NR_socket)                 \
  X(socketpair, __NR_socketpair)         \
  X(accept, __NR_accept)                 \
  X(accept4, __NR_accept4)               \
  X(recvmsg, __NR_recvmsg)               \
  X(recvmmsg, __NR_recvmmsg)             \
  X(epoll_create, __NR_epoll_create)     \
  X(epoll_create1, __NR_epoll_create1)   \
  X(eventfd, __NR_eventfd2)              \
  X(timerfd_create, __NR_timerfd_create) \
  X(signalfd, __NR_signalfd4)            \
  X(inotify_init, __NR_inotify_init)     \
  X(inotify_init1, __NR_inotify_init1)   \
  X(fanotify_init, __NR_fanotify_init)   \
  X(pidfd_open, __NR_pidfd_open)         \
  X(pidfd_getfd, __NR_pidfd_getfd)       \
  X(ioctl, __NR_ioctl)                   \
  X(close, __NR_close)                   \
  X(close_range, __NR_close_range)       \
  X(munmap, __NR_munmap)                 \
  X(fork, __NR_fork)                     \
  X(_exit, __NR_exit_group)              \
  X(_Exit, __NR_exit_group)
