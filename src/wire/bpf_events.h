/* What the kernel side (src/bpf) and the recorder (capture/bpf_recorder) exchange: events through a ring buffer, and tables
 * which the recorder fills through mapped arrays. C, fixed size, x86-64. Both sides come out of one build, so there is no
 * version; the recorder still checks every length and index, because the ring is the kernel's but strings are the user's. */
#ifndef CULPRIT_WIRE_BPF_EVENTS_H
#define CULPRIT_WIRE_BPF_EVENTS_H

#include <stdint.h>

enum {
  CULPRIT_BPF_FRAMES = 512,        /* of one stack; outer ones beyond are left out (stack_truncated) */
  CULPRIT_BPF_STACK_BYTES = 8192,  /* of a stack that is copied because it cannot be unwound yet */
  CULPRIT_BPF_NAME_BYTES = 512,
  CULPRIT_BPF_CHUNK_BITS = 1024,   /* handle tables are looked at in chunks */
  CULPRIT_BPF_CHUNK_WORDS = 16,
  CULPRIT_BPF_CHUNKS = 1024,       /* numbers above CHUNKS * CHUNK_BITS are seen by explicit calls only */
  CULPRIT_BPF_PAGE_SHIFT = 10,     /* the page index: one entry per KiB of code */
  CULPRIT_BPF_AUXV_WORDS = 40,
  CULPRIT_BPF_ENTRIES = 256,       /* of a table are told with name and type; of the others only the numbers */
  CULPRIT_BPF_RANGES = 1024,       /* of executable code per process; beyond: no table for the highest addresses */
};

enum culprit_bpf_kind {
  CULPRIT_BPF_MADE = 1,   /* value; name; extra as wire/agent_events.h has it for OPEN */
  CULPRIT_BPF_DUPLICATED, /* value, other */
  CULPRIT_BPF_RECEIVED,   /* value */
  CULPRIT_BPF_CLOSED,     /* value */
  CULPRIT_BPF_FORKED,     /* pid: the parent, value: the child's pid, extra: its start time, other: 1 it shares the table */
  CULPRIT_BPF_EXECUTED,   /* name: path of the program; then its arguments, joined by NULs (other: bytes of these); words:
                             the auxiliary vector */
  CULPRIT_BPF_EXITED,     /* value: exit code as waitpid gives it, other: 1 the table ended with it */
  CULPRIT_BPF_TABLE,      /* words of the open bitmap: value: first number; other: 1 last chunk; extra: enum culprit_bpf_why */
  CULPRIT_BPF_ENTRY,      /* of the table that the next TABLE tells: value, inode, mode, extra: magic number of its file
                             system, other: number of links; name as for MAPPED */
  CULPRIT_BPF_WANTS_CODE, /* the process's code is not known, or has changed. extra: the key for codes, inode:
                             culprit_bpf_code.image, other: 1 only /proc/PID/maps tells how */
  CULPRIT_BPF_MAPPED,     /* code: words: start, end, offset in the file, device; inode; name: the path, innermost component
                             first, each with a NUL. The program itself: start 0; code that is gone: other 1 */
  CULPRIT_BPF_STACK,      /* only the stack, for io_uring requests which complete later */
};

enum culprit_bpf_why { CULPRIT_BPF_AT_EXEC = 1, CULPRIT_BPF_AT_EXIT };

enum culprit_bpf_flag {
  CULPRIT_BPF_WAS_OPEN = 1,       /* the number was known to be open before: it was replaced, or seen by comparing */
  CULPRIT_BPF_BY_COMPARING = 2,   /* found in the table after another call: that call's, if the table is not shared */
  CULPRIT_BPF_SHARED_TABLE = 4,   /* several threads or processes use the table */
  CULPRIT_BPF_TRUNCATED = 8,      /* the stack's outer end is missing */
  CULPRIT_BPF_STACK_COPIED = 16,  /* registers and a copy of the stack follow instead of frames */
  CULPRIT_BPF_NAME_CUT = 32,
  CULPRIT_BPF_IO_URING = 64,      /* call is an io_uring opcode */
  CULPRIT_BPF_NO_STACK = 128,     /* a kernel thread did it: there is no user stack */
};

/* A frame is a pc with these bits; user addresses have none of them. */
#define CULPRIT_BPF_FRAME_BY_POINTER (1ull << 63)
#define CULPRIT_BPF_FRAME_EXACT (1ull << 62)
#define CULPRIT_BPF_FRAME_BITS (3ull << 62)

struct culprit_bpf_event {
  uint64_t time;  /* CLOCK_MONOTONIC */
  uint64_t life;  /* start time of the process: tells lives of a pid apart */
  uint64_t table; /* which handle table (the kernel's files_struct) */
  uint64_t stack; /* hash; the frames follow the first time only. 0: none */
  uint64_t extra;
  uint32_t pid, tid;
  int32_t value, other;
  uint64_t inode; /* of the object; 0: not looked at */
  uint16_t kind, call;
  uint16_t mode; /* of the inode; 0: not looked at */
  uint8_t flags, unused;
  uint16_t frame_count; /* 8 bytes each, right after this struct */
  uint16_t copy_bytes;  /* if STACK_COPIED: rip, rsp, rbp (24 bytes) and the stack from rsp on; all of it is counted */
  uint16_t name_bytes;  /* last; without terminator */
  uint16_t word_count;  /* 8 bytes each, instead of frames */
};

/* Where a process's code lies. Ascending by start, disjoint; `bias` is absolute minus link-time address. */
struct culprit_bpf_range {
  uint64_t start, end, bias;
  uint32_t row_base;   /* of the module's rows in the rows array */
  uint32_t page_base;  /* of its page index in the pages array: for each KiB of link-time address the row that holds at its
                          beginning, relative to row_base */
  uint32_t page_first; /* which page the first entry is */
  uint32_t page_count; /* one more entry follows; 0: code without table (a frame pointer is believed) */
  uint32_t far_base;   /* of its far offsets, in the pages array, too */
  uint32_t unused;
};

/* By address of the memory descriptor (mm_struct), so that exec begins without, and threads share. */
struct culprit_bpf_code {
  uint32_t first;      /* in the ranges array; the entry before it holds `stamp` in row_base */
  uint32_t count;
  uint32_t stamp;      /* 0: asked for, not there yet */
  uint32_t generation; /* moved by every change of the mappings, by either side */
  uint64_t image;      /* tells apart the memories which one after the other lie at one address */
};

/* bits of the table as far as events told, and numbers whose close is under way in another thread */
struct culprit_bpf_chunk {
  uint64_t open[CULPRIT_BPF_CHUNK_WORDS];
  uint64_t closing[CULPRIT_BPF_CHUNK_WORDS];
};

struct culprit_bpf_chunk_key {
  uint64_t table;
  uint64_t chunk;
};

/* Stacks seen before: what the unwinder read, and what came out. Sized by the kernel side alone. */
enum { CULPRIT_BPF_CACHED_SLOTS = 126 };
struct culprit_bpf_cached_stack {
  uint64_t ip, sp, bp, image, hash;
  uint32_t generation, epoch;
  uint16_t slot_count, needs_bp;
  uint32_t span; /* bytes from sp on which the slots lie in */
  uint16_t offsets[CULPRIT_BPF_CACHED_SLOTS + 2]; /* in words from sp */
  uint64_t values[CULPRIT_BPF_CACHED_SLOTS + 2];
};

/* Events that could not be sent because the ring was full. */
struct culprit_bpf_lost {
  uint64_t handle_events;
  uint64_t process_events;
  uint64_t stack_copies; /* not made because the memory could not be read, or the ring is nearly full */
  uint64_t tables;       /* handle tables for which there was no room */
};

#endif
