/* Shared memory between the agent (inside each process of the watched tree) and the collector (culprit itself).
 *
 * One memfd per session, mapped whole by the collector and by every process; sparse, so its size costs address space only.
 * A memfd and not a file below /dev/shm: a full tmpfs would kill the victim by SIGBUS when a page is first touched.
 *
 *   session header | process records | tables (unwind tables and patch lists, collector writes) | slots (one per thread)
 *
 * The agent opens it through CULPRIT_SESSION_VARIABLE in its environment, maps it, closes the fd, and takes the variable (and itself
 * from LD_PRELOAD) out of the environment that the program sees. The value is
 *     <collector pid>:<fd number in the collector>:<name of its abstract unix socket>:<session id, hex>[:r]
 * It first opens /proc/<pid>/fd/<number>; where that is refused (other uid, other pid namespace) it connects to the abstract socket
 * (name without the leading NUL) and receives the fd by SCM_RIGHTS. ":r" = a seccomp filter is already in force (see
 * CULPRIT_RESTRICTED). fork hands the mapping on by itself. Into a process that runs already the library is loaded instead
 * (capture/inject), and wire/agent_attach.h is what is said then.
 *
 * Every process is a victim, possibly hostile or crashing: the collector believes nothing here without a check, copies before it
 * checks, and never waits for the other side. The agent waits for the collector only where it says so below, and never longer than
 * CULPRIT_WAIT_NS (CULPRIT_HELLO_WAIT_NS, CULPRIT_EXIT_WAIT_NS); when a wait ends in vain it sets `collector_gone` so that nobody waits again until the collector clears it.
 *
 * C, fixed size, versioned: a change of anything here raises CULPRIT_WIRE_VERSION. All offsets are from the start of the mapping, in bytes.
 * Fields marked A are written by the agent, C by the collector; both use acquire/release where they publish. */
#ifndef CULPRIT_WIRE_AGENT_SESSION_H
#define CULPRIT_WIRE_AGENT_SESSION_H

#include <stdint.h>

#include "wire/agent_events.h"
#include "wire/unwind_rows.h"

#define CULPRIT_WIRE_VERSION 7u
#define CULPRIT_SESSION_MAGIC 0x3154505255434c43ull
#define CULPRIT_SESSION_VARIABLE "CULPRIT_SESSION"
/* GCC's AddressSanitizer runtime refuses to run behind another preloaded library unless told so. It reads the first ASAN_OPTIONS of
 * /proc/self/environ, so this entry (with the program's own options behind it) goes in front of the environment, and the agent takes it
 * out of what the program sees. */
#define CULPRIT_SANITIZER_ENTRY "ASAN_OPTIONS=verify_asan_link_order=0"
#define CULPRIT_WAIT_NS 500000000ull        /* longest handshake */
#define CULPRIT_HELLO_WAIT_NS 3000000000ull /* but for the first, without which nothing of the process would be seen */
#define CULPRIT_EXIT_WAIT_NS 10000000000ull /* and for the last, while the collector lives: it looks at the memory before that goes */
#define CULPRIT_DEATH_WAIT_NS 60000000000ull /* longest look at a process that dies, */
#define CULPRIT_DEATH_SILENCE_NS 2000000000ull /* and for a collector whose heartbeat stands still */
#define CULPRIT_RING_WAIT_NS 1000000000ull   /* longest wait for room in a full ring, */
#define CULPRIT_RING_SILENCE_NS 200000000ull /* and for a collector whose heartbeat stands still */

/* All of it counts against RLIMIT_AS of every victim, so it is no larger than needed. */
#define CULPRIT_PROCESS_COUNT 1024u
#define CULPRIT_SLOT_COUNT 2048u
#define CULPRIT_RANGE_COUNT 512u
#define CULPRIT_RING_RECORDS 16384u /* power of two; 512 KiB of 32-byte records */
#define CULPRIT_SCRATCH_SIZE 65536u
#define CULPRIT_TREE_SIZE (1408u << 10)
#define CULPRIT_SLOT_SIZE (2u << 20)
#define CULPRIT_TABLES_SIZE (256ull << 20)

struct culprit_session {
  uint64_t magic;
  uint32_t version;
  uint32_t flags; /* CULPRIT_SESSION_... below */
  uint64_t session_id;
  uint64_t total_size; /* of the mapping */
  uint64_t processes_offset;
  uint64_t slots_offset;
  uint64_t tables_offset;
  uint64_t tables_used; /* C: bytes of the tables written so far */
  uint32_t slot_count;  /* places that exist; a process that could map only a part uses those it reaches */
  uint32_t slot_hint; /* A, C: where to look for a free slot first: lowest one freed, one past the last one claimed. only a hint */
  uint32_t slot_end;  /* A: one past the highest slot that was ever claimed; only grows */
  uint32_t collector_pid; /* C: as it sees itself, so that another culprit can tell whether anybody still serves this session */
  uint32_t sample_bytes; /* C: of allocations, only a sample is told: the block of one byte of so many. 0: all are */
  char agent_path[4096]; /* what goes into LD_PRELOAD of every exec */

  uint32_t collector_gone __attribute__((aligned(64))); /* A sets, C clears: do not wait */
  uint32_t collector_finished;                          /* C: the session is over, record nothing more */
  uint64_t heartbeat;                                   /* C: a counter that moves with every round of the collector */
  uint32_t doorbell __attribute__((aligned(64)));       /* futex: A increments and wakes after a request; C sleeps on it */
  uint32_t collector_sleeps;                            /* C: 1 while it sleeps on the doorbell (so that A need not call the kernel otherwise) */
};

/* Processes that are forked, and programs that are executed, are recorded, too. Else the agent sleeps in them. */
#define CULPRIT_SESSION_FOLLOWS 1u
#define CULPRIT_SESSION_DEATHS 2u /* C: wants to look at processes before they die of a signal (struct culprit_death) */

/* A mapped piece of a module's code, and where its unwind table lies. */
struct culprit_range {
  uint64_t start, end; /* absolute addresses in the process */
  uint64_t bias;       /* absolute minus link-time address */
  uint64_t rows;       /* offset of struct culprit_unwind_row[row_count]; 0: no table, by what is known it cannot be unwound */
  uint32_t row_count;
  uint32_t far_count;
  uint64_t far; /* offset of uint32_t[far_count] */
};

/* A system call instruction of libc or ld.so to patch. `start` is replaced by a 5-byte jump to a stub which does what stood there
 * (bytes `start` … `resume`) and the hook, then jumps to `resume`. Instructions copied by the stub are position-independent. */
enum culprit_site_kind {
  CULPRIT_SITE_CALL = 1,        /* … `syscall` is the last instruction replaced; number known */
  CULPRIT_SITE_ANY_CALL = 2,    /* the same, number in rax (the function syscall()) */
  CULPRIT_SITE_AFTER = 3,       /* the bytes replaced follow the `syscall`: creations only */
  CULPRIT_SITE_BEFORE_EXIT = 4, /* a 5-byte `mov $imm,%reg` on the way to exit or exit_group */
};
struct culprit_site {
  uint32_t start;  /* link-time address */
  uint16_t number; /* system call */
  uint8_t kind;
  uint8_t length;   /* bytes from start to resume, <= 16 */
  uint8_t syscall_offset; /* of the `syscall` from start, when it lies among the replaced bytes */
  uint8_t original[16];   /* what must stand there, else it is not patched */
  uint8_t first_length;   /* of the instruction at start: where it is shorter than the jump, a thread may be between the two */
  uint8_t reserved[2];
};

/* libc or ld.so of one process. */
struct culprit_patch_list {
  uint64_t bias;
  uint64_t text_start, text_end; /* absolute, page aligned: what must be made writable while patching */
  uint64_t sites;                /* offset of struct culprit_site[site_count] */
  uint32_t site_count;
  uint32_t reserved;
};
#define CULPRIT_PATCH_LISTS 4u

/* A thread is about to die of a signal by its default action, and with it the process: the thread waits in a signal handler of the
 * agent's until the collector has looked, then dies of that signal as if nobody had. */
enum culprit_death_state { CULPRIT_DEATH_NONE = 0, CULPRIT_DEATH_CLAIMED = 1, CULPRIT_DEATH_TOLD = 2, CULPRIT_DEATH_SEEN = 3 };
struct culprit_death {
  uint32_t state; /* futex. A: NONE->CLAIMED->TOLD, the first thread only; C: TOLD->SEEN */
  uint32_t tid;
  uint64_t registers[18]; /* as in the signal's frame (sigcontext_64): r8 … r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags */
  uint8_t info[128];      /* its siginfo_t */
};

/* One process image. Claimed by the agent (state free -> starting by compare-and-swap), freed by the collector after the end. */
enum culprit_process_state { CULPRIT_PROCESS_FREE = 0, CULPRIT_PROCESS_CLAIMED = 1, CULPRIT_PROCESS_LIVE = 2 };
struct culprit_process {
  uint32_t state;      /* A: FREE->CLAIMED->LIVE; C: ->FREE */
  uint32_t pid;        /* A */
  uint32_t parent_pid; /* A: the process it was forked from; 0: this image came by exec (or launch) */
  uint32_t flags;      /* A: CULPRIT_PROCESS_... */
  uint64_t begin_tsc;  /* A: fork: just before the parent's call (the moment the table was copied or earlier); exec: when the agent woke */
  uint32_t sites_patched; /* A */
  uint32_t sites_refused; /* A: bytes differed, or mprotect was refused */
  int32_t patch_error;    /* A: errno of the mprotect or mmap that was refused, 0 */
  uint32_t slots_refused;   /* A: threads that found no slot */
  struct culprit_death death;
  uint32_t children_left_out; /* A: forked, and not recorded as the session does not follow them */
  uint32_t table_generation; /* A: +1 when known code is about to be unmapped, see CULPRIT_REQUEST_UNMAPPING */

  /* C, guarded by the seqlock: odd while being written. */
  uint32_t ranges_sequence __attribute__((aligned(64)));
  uint32_t range_count;
  uint32_t patch_list_count;
  uint32_t reserved;
  struct culprit_patch_list patches[CULPRIT_PATCH_LISTS];
  struct culprit_range ranges[CULPRIT_RANGE_COUNT]; /* ascending, disjoint */
};
#define CULPRIT_PROCESS_FORKED 1u
#define CULPRIT_PROCESS_EXECED 2u
#define CULPRIT_PROCESS_WRAPPERS 8u   /* libc is not patched: its exported functions are wrapped */
#define CULPRIT_PROCESS_ATTACHED 16u  /* C claimed the record: the process ran already (wire/agent_attach.h) */
#define CULPRIT_PROCESS_OWN_ALLOCATOR 32u /* malloc, or operator new, is one that the agent could not be put in front of */
#define CULPRIT_PROCESS_FOREIGN_MALLOC 64u /* malloc is not that of libc: a block of the program's need not be one of libc's */
#define CULPRIT_PROCESS_RESTRICTED 4u /* a seccomp filter is in force: the agent makes no system calls of its own */

/* Requests of a thread to the collector. The agent writes request_* and then request_number = reply_number + 1, rings the doorbell, and waits on
 * the futex reply_number until it is equal (bounded). */
enum culprit_request {
  CULPRIT_REQUEST_HELLO = 1,   /* new image (after exec): publish ranges and patches; snapshot the handle table (the process is held) */
  CULPRIT_REQUEST_FORKED = 2,  /* no wait */
  CULPRIT_REQUEST_RANGES = 3,  /* argument: a pc that no range covers. reread the mappings, publish */
  CULPRIT_REQUEST_STACK = 4,   /* argument: a stack pointer. reply: the mapping that holds it */
  CULPRIT_REQUEST_EXITING = 5, /* drain this process's rings, snapshot the handle table (other threads may still run), look at the
                                * memory where that was asked for. argument: from where on the stack belongs to the program and not to
                                * the agent; its registers lie there */
  CULPRIT_REQUEST_UNMAPPING = 6, /* memory [argument, request_end) that holds known code is about to be unmapped or mapped over: drain this process's
                                  * rings (addresses recorded so far mean the old code), then drop the ranges it touches and what is
                                  * known of those mappings; they are reread when asked for by RANGES */
  CULPRIT_REQUEST_ENTRY = 7,     /* argument: where a function of the program's begins; request_end: an address nearby. reply: reply_code is the
                                  * function's first instructions, of reply_start bytes (room for a jump), as they must be to be executed there,
                                  * and a jump to the rest of the function */
};
#define CULPRIT_ENTRY_CODE 64u

enum culprit_slot_state { CULPRIT_SLOT_FREE = 0, CULPRIT_SLOT_CLAIMED = 1, CULPRIT_SLOT_LIVE = 2, CULPRIT_SLOT_CLOSED = 3 };

/* One thread. Claimed like a process record. CLOSED: the thread is gone, C drains the ring and frees the slot. */
struct culprit_slot {
  uint32_t state;   /* A: FREE->CLAIMED->LIVE->CLOSED; C: ->FREE */
  uint32_t pid;     /* A */
  uint32_t tid;     /* A */
  uint32_t process; /* A: index of its process record */
  uint64_t life;    /* C: +1 whenever it frees the slot, so that a stale user can be told */

  uint64_t head __attribute__((aligned(64))); /* A: records written so far */
  uint64_t lost[CULPRIT_LOST_KINDS];          /* A: counters, see agent_events.h */
  uint64_t tail __attribute__((aligned(64))); /* C: records consumed so far */

  uint32_t request_number __attribute__((aligned(64))); /* A */
  uint32_t request_kind;
  uint64_t request_argument;
  uint64_t request_end; /* UNMAPPING and ENTRY only */
  uint32_t reply_number __attribute__((aligned(64))); /* C; futex */
  uint32_t reply_status;                              /* C: 0 done */
  uint64_t reply_start, reply_end;                    /* C: STACK: bounds of the mapping */
  uint8_t reply_code[CULPRIT_ENTRY_CODE];             /* C: ENTRY */

  struct culprit_record ring[CULPRIT_RING_RECORDS] __attribute__((aligned(4096)));
  uint8_t scratch[CULPRIT_SCRATCH_SIZE] __attribute__((aligned(4096))); /* agent only: environment of an exec */
  uint8_t tree[CULPRIT_TREE_SIZE];                                      /* agent only: call tree and caches of this thread */
};

#ifdef __cplusplus
static_assert(sizeof(culprit_slot) <= CULPRIT_SLOT_SIZE && alignof(culprit_slot) == 4096);
static_assert(sizeof(culprit_site) == 28 && sizeof(culprit_range) == 48);
#endif

#endif
