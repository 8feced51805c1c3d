/* Everything the kernel side keeps. Sizes marked "resized" are set by the recorder before it loads the program. */
#ifndef CULPRIT_BPF_MAPS_H
#define CULPRIT_BPF_MAPS_H

#include "kernel_types.h"
#include "wire/bpf_events.h"
#include "wire/unwind_rows.h"

#define PAYLOAD_WORDS 2048
#define WINDOW_WORDS 512
#define RULE_CACHE_SIZE 16384
#define FILTER_NAMES 8

/* Set by the recorder before loading; constants for the verifier. Masks are sizes (powers of two) minus one. */
const volatile uint8_t record_all = 0;
const volatile uint8_t record_children = 0; /* of the recorder itself */
const volatile uint32_t own_tgid = 0;
const volatile uint32_t row_mask = 0, page_mask = 0, range_mask = 0;
const volatile uint32_t cached_stack_mask = 0; /* per processor */
const volatile uint32_t processor_mask = 0;
const volatile uint32_t ring_reserve = 0; /* bytes of the ring which handle events leave to process events */
const volatile uint32_t ring_bytes = 0;
const volatile uint32_t user_count = 0, cgroup_count = 0, name_count = 0;
const volatile uint32_t filter_users[8] = {0};
const volatile uint64_t filter_cgroups[8] = {0}; /* ids, which are inode numbers of their folders */
const volatile uint32_t filter_cgroup_levels[8] = {0};
const volatile char filter_names[FILTER_NAMES][16] = {{0}};

/* Moved by the recorder when it gives rows another use, or has forgotten stacks: whatever was cached before counts no more,
 * and all frames are sent again. */
uint32_t table_epoch = 0;
struct culprit_bpf_lost lost = {0};
uint64_t rule_cache[RULE_CACHE_SIZE] = {0};

/* pc -> row and index, built by the recorder from .eh_frame; one element each, resized, mapped by the recorder. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __uint(key_size, 4);
  __uint(value_size, 4096);
} rows SEC(".maps"), pages SEC(".maps"), ranges SEC(".maps");

/* Where a process's ranges are, by mm_struct. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 32768);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, uint64_t);
  __type(value, struct culprit_bpf_code);
} codes SEC(".maps");

/* Processes that are recorded, unless all are. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, uint32_t);
  __type(value, uint8_t);
} watched SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct culprit_bpf_chunk_key);
  __type(value, struct culprit_bpf_chunk);
} chunks SEC(".maps");

/* Stacks whose frames were sent. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 65536);
  __type(key, uint64_t);
  __type(value, uint8_t);
} sent_stacks SEC(".maps");

/* One element, resized: (cached_stack_mask + 1) * (processor_mask + 1) stacks. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, 4);
  __uint(value_size, sizeof(struct culprit_bpf_cached_stack));
} cached_stacks SEC(".maps");

/* Who submitted an io_uring request that makes or ends a handle, and from where. */
struct submission {
  uint64_t stack;
  uint32_t tid;
  uint32_t opcode;
};
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 8192);
  __type(key, uint64_t);
  __type(value, struct submission);
} submissions SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} events SEC(".maps");

/* A stack being unwound (unwind.h). */
struct walk {
  uint64_t start_ip, start_sp, start_bp;
  uint64_t ip, sp, bp;
  uint64_t rbp_slot; /* enum rbp_from, or the address that bp was read from: recorded once a CFA depends on it */
  uint64_t window_base, window_size;
  uint64_t hash, image;
  uint64_t value; /* what read_word read */
  uint32_t first, count, range, generation;
  uint32_t frames, recorded, cached;
  uint8_t exact, by_pointer, cacheable, needs_bp, stop;
};

/* The current thread's handle table being compared with what is known of it (table.h). */
struct comparison {
  uint64_t changes; /* of the word at hand, not told yet */
  uint64_t actual;
  uint64_t stack; /* of who asked for what changed; 0: the current one */
  uint64_t extra;
  uint32_t tid;
  uint32_t chunk, chunk_count, word;
  uint32_t call;
  uint8_t flags, is_different;
};

/* What an explicit call did. */
struct change {
  uint64_t extra, path;
  uint32_t kind, call;
  int32_t value, other;
};

/* Where an event is put together. Programs do not interrupt each other on one processor. All that outlives a function is
 * here and not on the stack: the verifier follows every value on a stack, and would see far too many cases. */
struct scratch {
  struct culprit_bpf_event event;
  uint64_t payload[PAYLOAD_WORDS]; /* frames, copy, name: one after the other */
  uint64_t window[WINDOW_WORDS];   /* the innermost part of the stack, read at once */
  uint64_t words[CULPRIT_BPF_CHUNK_WORDS]; /* of the table that is compared */
  struct culprit_bpf_chunk fresh;          /* `closing` stays zero */
  struct walk walk;
  struct comparison comparison;
  struct change change;
  uint32_t next_entry, told_entries; /* of a table that is told */
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, uint32_t);
  __type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline void *only_element(void *map) {
  uint32_t zero = 0;
  return bpf_map_lookup_elem(map, &zero);
}

#endif
