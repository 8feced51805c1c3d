/* What is done after (and, for closes, before) each system call of x86-64. What is not named is compared: the call may be
 * younger than this table, and hands out handles in a way nobody thought of. */
#ifndef CULPRIT_BPF_POLICY_H
#define CULPRIT_BPF_POLICY_H

#include <stdint.h>

enum policy {
  COMPARE = 0,   /* the handle table with what is known of it */
  IGNORE,        /* can never touch a handle table */
  MAKES,         /* the result is a new handle */
  MAKES_PATH_1,  /* likewise, of the path in the first argument */
  MAKES_PATH_2,  /* in the second argument */
  MAKES_SOCKET,  /* extra: family, type, protocol */
  MAKES_PAIR_1,  /* two handles, written where the first argument points */
  MAKES_PAIR_4,  /* where the fourth points; sockets */
  MAKES_SIGNALFD,/* unless it changes an existing one */
  DUPLICATES,    /* of the first argument */
  CONTROLS,      /* fcntl */
  RECEIVES,      /* the result comes from another process */
  COMPARES_READ, /* only reads from a fanotify handle make handles */
  COMPARES_SOCKOPT, /* only SO_PEERPIDFD makes one */
  CLOSES,
  MAPS,          /* changes what code lies where; 3rd argument: protection */
  UNMAPS,
};

static const volatile uint8_t policies[512] = {
    [0] = COMPARES_READ, [1] = IGNORE, [2] = MAKES_PATH_1, [3] = CLOSES, [4 ... 8] = IGNORE, [9] = MAPS, [10] = MAPS,
    [11] = UNMAPS, [12 ... 15] = IGNORE, /* 16 ioctl */ [17 ... 18] = IGNORE, [19] = COMPARES_READ, [20 ... 21] = IGNORE,
    [22] = MAKES_PAIR_1, [23 ... 24] = IGNORE, [25] = UNMAPS, [26 ... 31] = IGNORE, [32] = DUPLICATES, [33] = DUPLICATES,
    [34 ... 40] = IGNORE, [41] = MAKES_SOCKET, [42] = IGNORE, [43] = MAKES, [44 ... 46] = IGNORE, /* 47 recvmsg */
    [48 ... 52] = IGNORE, [53] = MAKES_PAIR_4, [54] = IGNORE, [55] = COMPARES_SOCKOPT, /* 56 clone 57 fork 58 vfork */
    [59 ... 71] = IGNORE, [72] = CONTROLS, [73 ... 84] = IGNORE, [85] = MAKES_PATH_1, [86 ... 134] = IGNORE,
    [135 ... 156] = IGNORE, /* 157 prctl */ [158 ... 185] = IGNORE, [186 ... 204] = IGNORE, [205] = IGNORE,
    [206 ... 212] = IGNORE, [213] = MAKES, [214 ... 239] = IGNORE, [240] = MAKES_PATH_1, [241 ... 252] = IGNORE,
    [253] = MAKES, [254 ... 256] = IGNORE, [257] = MAKES_PATH_2, [258 ... 271] = IGNORE, /* 272 unshare */
    [273 ... 281] = IGNORE, [282] = MAKES_SIGNALFD, [283] = MAKES, [284] = MAKES, [285 ... 287] = IGNORE, [288] = MAKES,
    [289] = MAKES_SIGNALFD, [290 ... 291] = MAKES, [292] = DUPLICATES, [293] = MAKES_PAIR_1, [294] = MAKES,
    [295] = COMPARES_READ, [296 ... 297] = IGNORE, [298] = MAKES, /* 299 recvmmsg */ [300] = MAKES, [301 ... 303] = IGNORE,
    [304] = MAKES, [305 ... 307] = IGNORE, /* 308 setns */ [309 ... 312] = IGNORE, /* 313 finit_module */
    [314 ... 316] = IGNORE, /* 317 seccomp */ [318] = IGNORE, [319] = MAKES_PATH_1, [320] = IGNORE, /* 321 bpf */
    [322] = IGNORE, [323] = MAKES, [324 ... 326] = IGNORE, [327] = COMPARES_READ, [328 ... 334] = IGNORE,
    [424] = IGNORE, [425] = MAKES, /* 426 io_uring_enter */ [427] = IGNORE, [428] = MAKES_PATH_2, [429] = IGNORE,
    [430] = MAKES, [431] = IGNORE, [432] = MAKES, [433] = MAKES_PATH_2, [434] = MAKES, /* 435 clone3 436 close_range */
    [437] = MAKES_PATH_2, [438] = RECEIVES, [439 ... 443] = IGNORE, [444] = MAKES, [445 ... 446] = IGNORE, [447] = MAKES,
    [448 ... 466] = IGNORE, [467] = MAKES_PATH_2,
};

enum {
  CALL_CLOSE = 3, CALL_DUP2 = 33, CALL_MMAP = 9, CALL_RECVMSG = 47, CALL_RECVMMSG = 299, CALL_IOCTL = 16,
  CALL_OPEN = 2, CALL_OPENAT = 257, CALL_NONE = 0xffff,
  COMMAND_DUPFD = 0, COMMAND_DUPFD_CLOEXEC = 1030, OPTION_PEERPIDFD = 77, PROTECTION_EXEC = 4, MAPS_ANONYMOUS = 0x20,
  LEAST_FANOTIFY_EVENT = 24, ANONYMOUS_INODES = 0x09041934, FILE_EXISTS = -17, USER_CS_32 = 0x23, PF_KERNEL_WORKER = 0x00204010,
};

#endif
