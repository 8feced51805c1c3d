/* What the agent writes into a thread's ring: records of 32 bytes, in the order of the thread's actions. See agent_session.h.
 * Untrusted: the collector checks every field. */
#ifndef CULPRIT_WIRE_AGENT_EVENTS_H
#define CULPRIT_WIRE_AGENT_EVENTS_H

#include <stdint.h>

enum culprit_record_kind {
  CULPRIT_RECORD_NODE = 1,   /* `node` is a new call-tree node: extra = return address, argument = parent node; flags below */
  CULPRIT_RECORD_STRING = 2, /* `node` is a new string id: argument = length; the bytes follow in (length + 31) / 32 records */
  CULPRIT_RECORD_TREE_RESET = 3, /* code was unmapped: extra = generation. nodes defined before keep their meaning, new ones follow */
  CULPRIT_RECORD_SWITCH = 4, /* from here on the thread acts as process `argument` (a vfork child on its parent's thread); 0: as itself again */

  CULPRIT_RECORD_OPEN = 16,      /* value = new handle; argument = string id of the name (0 none); call = system call; extra: see below */
  CULPRIT_RECORD_DUPLICATE = 17, /* value = new handle; extra = the one it shares its object with */
  CULPRIT_RECORD_RECEIVE = 18,   /* value = new handle */
  CULPRIT_RECORD_CLOSE = 19,     /* value; written before the call */
  CULPRIT_RECORD_CLOSE_RANGE = 20, /* value = first, extra = last; written before the call */
  CULPRIT_RECORD_FORK = 24,      /* value = child pid; extra = clone flags; tsc = before the call */
  CULPRIT_RECORD_EXEC = 25,      /* about to exec; argument = string id of the path. if it fails, records go on */
  CULPRIT_RECORD_EXIT = 26,      /* about to exit_group; value = status */
  CULPRIT_RECORD_UNSHARE = 27,   /* this thread has its own handle table from now on */

  CULPRIT_RECORD_ALLOCATE = 32, /* call = enum culprit_allocator_function; extra = address; size: argument is its upper half, value its
                                 * lower; written after the function returned */
  CULPRIT_RECORD_RELEASE = 33,  /* call = function; extra = address; no stack. tsc = before the function was called */
  CULPRIT_RECORD_MAP = 34,      /* memory that the program (and not its allocator) mapped: extra = address; size in bytes as above;
                                 * flags = enum culprit_mapping; call; written after the call returned */
  CULPRIT_RECORD_UNMAP = 35,    /* extra, size: no stack. tsc = before the call; written after it succeeded. flags below */
};

/* MAP.flags: what was mapped */
enum culprit_mapping {
  CULPRIT_MAPPING_ANONYMOUS = 0,
  CULPRIT_MAPPING_SHARED = 1, /* anonymous, and shared with children */
  CULPRIT_MAPPING_FILE = 2,
  CULPRIT_MAPPING_STACK = 3, /* said to be the stack of a thread (MAP_STACK) */
  CULPRIT_MAPPING_BREAK = 4, /* brk */
  CULPRIT_MAPPING_MOVED = 5, /* mremap: what the UNMAP before it took away is here now, or a part, or more of it; without one,
                              * what it is a copy of stays where it is */
  CULPRIT_MAPPINGS = 6
};

/* UNMAP.flags */
#define CULPRIT_UNMAP_MOVES 1u /* a MAP of this thread with CULPRIT_MAPPING_MOVED follows */

enum culprit_allocator_function {
  CULPRIT_MALLOC = 1,
  CULPRIT_CALLOC = 2,
  CULPRIT_REALLOC = 3, /* RELEASE of the old block, then ALLOCATE of the new one, which may lie at the same address */
  CULPRIT_MEMALIGN = 4,
  CULPRIT_ALIGNED_ALLOC = 5,
  CULPRIT_POSIX_MEMALIGN = 6,
  CULPRIT_VALLOC = 7,
  CULPRIT_PVALLOC = 8,
  CULPRIT_FREE = 9,
  CULPRIT_ALLOCATOR_FUNCTIONS = 10
};

struct culprit_record {
  uint8_t kind;
  uint8_t flags;
  uint16_t call;     /* system call number, or function */
  uint32_t node;     /* call-tree node of the stack, 0 none */
  uint64_t tsc;      /* rdtsc */
  int32_t value;
  uint32_t argument;
  uint64_t extra;
};

/* OPEN.extra tells more about the call where its number does not: socket: domain | type << 16 | protocol << 32;
 * ioctl: the request; open and openat: the flags; others 0. */

/* NODE.flags */
#define CULPRIT_NODE_EXACT 1u     /* the address is a program counter, not a return address (interrupted by a signal) */
#define CULPRIT_NODE_BY_FRAME_POINTER 2u
#define CULPRIT_NODE_TRUNCATED_ROOT 4u /* parent is 0 and the walk could not go on */

/* Counters in culprit_slot.lost */
enum culprit_lost_kind {
  CULPRIT_LOST_RING_FULL = 0,
  CULPRIT_LOST_NESTED = 1,
  CULPRIT_LOST_NAME_CUT = 2,
  CULPRIT_LOST_EXEC_NOT_FOLLOWED = 3,
  CULPRIT_LOST_SAMPLE = 4, /* a sampled block that there was no place for */
  CULPRIT_LOST_CLOCK = 5,  /* the thread may not read the clock any more: nothing of it follows */
  CULPRIT_LOST_KINDS = 8
};

#ifdef __cplusplus
static_assert(sizeof(culprit_record) == 32);
#endif

#endif
