/* The agent in a process that runs already: what the collector calls in the library once it is loaded, and what stubs look
 * like from outside, as the collector takes threads into them and out again. C, fixed size; part of CULPRIT_WIRE_VERSION.
 *
 * Whoever attaches claims the process record (state LIVE, flag ATTACHED) and fills in ranges and patch lists before. The agent
 * makes the stubs; the jumps to them are written by the collector, with all threads stopped, and taken back by it. */
#ifndef CULPRIT_WIRE_AGENT_ATTACH_H
#define CULPRIT_WIRE_AGENT_ATTACH_H

#include <stdint.h>

#include "wire/agent_session.h"

/* A stub, see agent/stub_code.S: where what lies in it. */
#define CULPRIT_STUB_COUNT 384
#define CULPRIT_STUB_SIZE 128
#define CULPRIT_STUB_BEFORE_SWITCH 16
#define CULPRIT_STUB_BEFORE_HOOK 18
#define CULPRIT_STUB_SYSTEM_CALL 41
#define CULPRIT_STUB_AFTER_SWITCH 43
#define CULPRIT_STUB_AFTER_HOOK 48
#define CULPRIT_STUB_COPIED_AFTER 71
#define CULPRIT_STUB_JUMP_BACK 87
#define CULPRIT_STUB_END 92
#define CULPRIT_STUB_DATA 112

struct culprit_jump {
  uint64_t site; /* where it begins */
  uint64_t stub; /* where it leads */
};

/* The allocator of a process that runs already. Its functions begin with jumps, which the collector writes and takes back, to
 * doors in the agent. What stood there lies in the room, moved, and goes on in the function behind the jump. */
struct culprit_heap_gate {
  uint64_t doors[CULPRIT_ALLOCATOR_FUNCTIONS];  /* A: by enum culprit_allocator_function, where its jump is to lead */
  uint64_t room;                                /* A: code: CULPRIT_ENTRY_CODE bytes for each function */
  uint64_t beyond[CULPRIT_ALLOCATOR_FUNCTIONS]; /* C: what goes on in the function, written before the jump to its door */
  uint64_t least, most;                         /* C: only blocks of these sizes are recorded, and their releases */
  uint64_t mappings;                            /* C: not 0: what the program maps itself is recorded, too */
};

enum culprit_attach_result {
  CULPRIT_ATTACH_NOT_CALLED = 0,
  CULPRIT_ATTACH_DONE = 1,
  CULPRIT_ATTACH_NO_SESSION = 2, /* the shared memory is out of reach, or could not be mapped */
  CULPRIT_ATTACH_NO_RECORD = 3,  /* the process record is not the one it should be */
  CULPRIT_ATTACH_NO_STUBS = 4,   /* `error` says why they could not be written */
};

/* The argument of void culprit_attach(struct culprit_attach*), which the library exports. */
struct culprit_attach {
  char session[512];   /* what CULPRIT_SESSION_VARIABLE would hold */
  uint32_t record;     /* index of the process record */
  uint32_t fanotify_count;
  int32_t fanotify[8]; /* handles of this type that the process holds, as what they read makes handles */
  uint32_t result;     /* A: enum culprit_attach_result */
  int32_t error;       /* A: errno */
  uint32_t jump_count; /* A */
  struct culprit_jump jumps[CULPRIT_STUB_COUNT]; /* A */
  uint64_t gate;                                 /* A: where its struct culprit_heap_gate is */
  uint64_t allocator[CULPRIT_ALLOCATOR_FUNCTIONS]; /* A: the functions that the program's calls come to; 0: there is none */
};

/* The argument of void culprit_call(struct culprit_call*): calls a function of libc and keeps what it returns. */
struct culprit_call {
  uint64_t function;
  uint64_t arguments[2];
  uint64_t result;
};

#endif
