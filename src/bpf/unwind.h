/* Unwinding a user stack inside the kernel by the recorder's tables (wire/unwind_rows.h). Exact as the tables are; code
 * without tables is stepped over by its frame pointer, and marked.
 *
 * Two caches make it fast. Rules: (module, pc) -> row. Whole stacks: for (process, pc, sp) the slots which the last walk read,
 * with what stood there; if all still stand there, a new walk would read the same and end the same. So neither is a guess.
 *
 * The shape of the code is the verifier's: functions that are not static are verified once, by themselves, and so take
 * and give numbers only; the search has no branches; one frame per round of bpf_loop. */
#ifndef CULPRIT_BPF_UNWIND_H
#define CULPRIT_BPF_UNWIND_H

#include "maps.h"

#define MIX 0x9E3779B97F4A7C15ull
#define UCONTEXT_RBP 120 /* offsets in struct ucontext of x86-64, at which rsp points in a signal trampoline */
#define UCONTEXT_RSP 160
#define UCONTEXT_RIP 168
#define BELIEVABLE_FRAME (1u << 20)
#define SYSCALL_AND_ONE 3
#define LAST_CACHED_OFFSET (WINDOW_WORDS * 8 - 16) /* `span` stays below the window's size, which is its mask */

enum stop { GOING_ON, ENDED, CUT, UNKNOWN_CODE };
/* What is known about rbp: the value at the start, one read from a slot that nobody needed yet, needed, lost. */
enum rbp_from { RBP_INITIAL = 1, RBP_LOST = 2 };

static __always_inline struct culprit_bpf_range *range_number(uint32_t index) {
  struct culprit_bpf_range *all = only_element(&ranges);
  return all ? &all[index & range_mask] : 0;
}

static __always_inline struct culprit_bpf_cached_stack *cached_number(uint32_t index) {
  struct culprit_bpf_cached_stack *all = only_element(&cached_stacks);
  return all ? &all[index & ((cached_stack_mask + 1) * (processor_mask + 1) - 1)] : 0;
}

/* The row that holds at `offset`, among those from `low` on, below `high`. rows[base + low].pc <= offset. */
__noinline uint64_t row_at(uint32_t base, uint32_t low, uint32_t high, uint32_t offset) {
  struct culprit_unwind_row *all = only_element(&rows);
  if (!all) return 0;
#pragma unroll
  for (uint32_t step = 4096; step >= 1; step >>= 1) {
    uint32_t probe = low + step;
    uint64_t too_far = (uint64_t)(high - 1) - (uint64_t)probe;
    uint64_t behind = (uint64_t)offset - (uint64_t)all[(base + probe) & row_mask].pc;
    uint32_t take = (uint32_t) ~(uint64_t)((int64_t)(behind | too_far) >> 63);
    low += take & step;
  }
  return *(uint64_t *)&all[(base + low) & row_mask];
}

/* Into walk.value. 0: done. */
__noinline int read_word(uint64_t address) {
  struct scratch *scratch = only_element(&scratches);
  if (!scratch) return 1;
  struct walk *walk = &scratch->walk;
  uint64_t offset = address - walk->window_base;
  if (offset < walk->window_size && !(offset & 7)) {
    walk->value = scratch->window[(offset >> 3) & (WINDOW_WORDS - 1)];
    return 0;
  }
  walk->cacheable = 0;
  return bpf_probe_read_user(&walk->value, 8, (void *)address) != 0;
}

/* The walk depends on what stands at `address`. */
__noinline int depend_on(uint64_t address, uint64_t value) {
  struct scratch *scratch = only_element(&scratches);
  if (!scratch) return 1;
  struct walk *walk = &scratch->walk;
  uint64_t offset = address - walk->window_base;
  uint32_t index = walk->recorded;
  struct culprit_bpf_cached_stack *cached = cached_number(walk->cached);
  if (!cached || offset >= walk->window_size || offset > LAST_CACHED_OFFSET || index >= CULPRIT_BPF_CACHED_SLOTS) {
    walk->cacheable = 0;
    return 0;
  }
  cached->offsets[index & 127] = offset >> 3;
  cached->values[index & 127] = value;
  if (cached->span < offset + 8) cached->span = offset + 8;
  walk->recorded = index + 1;
  return 0;
}

/* A CFA is about to be computed from rbp. 0: it is known. */
static __always_inline int need_rbp(struct walk *walk) {
  uint64_t slot = walk->rbp_slot;
  if (slot == RBP_LOST) return 1;
  if (slot == RBP_INITIAL) {
    walk->needs_bp = 1;
  } else if (slot) {
    depend_on(slot, walk->bp);
  }
  walk->rbp_slot = 0;
  return 0;
}

/* Which of `count` ranges from `first` on begins last at or before `address`. */
__noinline uint32_t range_before(uint32_t first, uint32_t count, uint64_t address) {
  struct culprit_bpf_range *all = only_element(&ranges);
  uint32_t low = 0;
  if (!all) return 0;
#pragma unroll
  for (uint32_t step = CULPRIT_BPF_RANGES / 2; step >= 1; step >>= 1) {
    uint32_t probe = low + step;
    uint64_t start = all[(first + probe) & range_mask].start;
    uint64_t past = (uint64_t)(count - 1) - (uint64_t)probe;
    low += (uint32_t) ~(uint64_t)((int64_t)((address - start) | past) >> 63) & step;
  }
  return low;
}

/* Believes the frame pointer, as far as that can be believed. */
__noinline int step_by_pointer(void) {
  struct scratch *scratch = only_element(&scratches);
  if (!scratch) return CUT;
  struct walk *walk = &scratch->walk;
  uint64_t bp = walk->bp;
  if (need_rbp(walk) || bp < walk->sp || bp - walk->sp > BELIEVABLE_FRAME || (bp & 7)) return CUT;
  if (read_word(bp + 8)) return CUT;
  uint64_t ip = walk->value;
  if (read_word(bp)) return CUT;
  uint64_t outer = walk->value;
  depend_on(bp + 8, ip);
  if (!ip) return ENDED;
  walk->rbp_slot = bp;
  walk->ip = ip;
  walk->bp = outer;
  walk->sp = bp + 16;
  walk->by_pointer = 1;
  return GOING_ON;
}

static __always_inline int step_out_of_signal(struct walk *walk) {
  uint64_t context = walk->sp;
  if (read_word(context + UCONTEXT_RIP)) return CUT;
  uint64_t ip = walk->value;
  if (read_word(context + UCONTEXT_RBP)) return CUT;
  uint64_t bp = walk->value;
  if (read_word(context + UCONTEXT_RSP)) return CUT;
  walk->cacheable = 0;
  walk->sp = walk->value;
  walk->ip = ip;
  walk->bp = bp;
  walk->rbp_slot = 0;
  walk->exact = 1;
  return GOING_ON;
}

/* The rule for `offset` (link-time) of a module, in the upper half; 0: there is none. */
__noinline uint64_t rule_at(uint32_t range_index, uint32_t offset) {
  struct culprit_bpf_range *range = range_number(range_index);
  uint32_t *index = only_element(&pages);
  if (!range || !index) return 0;
  uint64_t key = ((uint64_t)range->row_base << 32 | offset) + (uint64_t)table_epoch * MIX;
  uint64_t mixed = key * MIX;
  uint32_t place = mixed >> 50;
  uint64_t tag = (mixed ^ key) & 0xffffffff;
  uint64_t known = rule_cache[place & (RULE_CACHE_SIZE - 1)];
  if ((known & 0xffffffff) == tag && known >> 32) return known & ~0xffffffffull;

  uint32_t page = (offset >> CULPRIT_BPF_PAGE_SHIFT) - range->page_first;
  if (page >= range->page_count) return 0;
  uint32_t low = index[(range->page_base + page) & page_mask];
  uint32_t high = index[(range->page_base + page + 1) & page_mask] + 1;
  uint64_t rule = row_at(range->row_base, low, high, offset) & ~0xffffffffull;
  if (rule) rule_cache[place & (RULE_CACHE_SIZE - 1)] = rule | tag;
  return rule;
}

/* The CFA by the rule, into walk.value. */
static __always_inline int find_cfa(struct walk *walk, uint64_t rule, uint32_t far_base) {
  uint32_t kind = (uint16_t)(rule >> 32) >> 13;
  uint64_t slots = (rule >> 32) & 0x1fff;
  if (kind == CULPRIT_ROW_RSP) {
    walk->value = walk->sp + slots * 8;
  } else if (kind == CULPRIT_ROW_RBP) {
    if (need_rbp(walk)) return CUT;
    walk->value = walk->bp + slots * 8;
  } else if (kind == CULPRIT_ROW_PLT) {
    walk->value = walk->sp + 8 + ((walk->ip & 15) >= slots ? 8 : 0);
  } else if (kind == CULPRIT_ROW_RBP_DEREF) {
    if (need_rbp(walk) || read_word(walk->bp - slots * 8)) return CUT;
    depend_on(walk->bp - slots * 8, walk->value);
  } else if (kind == CULPRIT_ROW_FAR) {
    uint32_t *index = only_element(&pages);
    if (!index) return CUT;
    walk->value = walk->sp + (uint64_t)index[(far_base + slots) & page_mask] * 8;
  } else {
    return kind == CULPRIT_ROW_END ? ENDED : CUT;
  }
  return GOING_ON;
}

__noinline int step_by_rule(uint64_t rule, uint32_t far_base) {
  struct scratch *scratch = only_element(&scratches);
  if (!scratch) return CUT;
  struct walk *walk = &scratch->walk;
  if ((uint16_t)(rule >> 32) >> 13 == CULPRIT_ROW_SIGNAL) return step_out_of_signal(walk);
  int stop = find_cfa(walk, rule, far_base);
  if (stop != GOING_ON) return stop;
  uint64_t cfa = walk->value;
  if (read_word(cfa - 8)) return CUT;
  uint64_t ip = walk->value;
  depend_on(cfa - 8, ip);
  int16_t rbp = (int16_t)(rule >> 48);
  if (rbp == CULPRIT_RBP_UNKNOWN) {
    walk->rbp_slot = RBP_LOST;
  } else if (rbp) {
    uint64_t slot = cfa + (int64_t)rbp * 8;
    if (rbp == CULPRIT_RBP_AT_RBP) {
      if (need_rbp(walk)) return CUT;
      slot = walk->bp;
    }
    if (read_word(slot)) return CUT;
    walk->bp = walk->value;
    walk->rbp_slot = slot;
  }
  if (!ip) return ENDED;
  walk->sp = cfa;
  walk->ip = ip;
  return GOING_ON;
}

static __always_inline int next_frame(struct scratch *scratch) {
  struct walk *walk = &scratch->walk;
  uint32_t number = walk->frames;
  if (number >= CULPRIT_BPF_FRAMES) return CUT;
  uint64_t frame = walk->ip | (walk->exact ? CULPRIT_BPF_FRAME_EXACT : 0) |
                   (walk->by_pointer ? CULPRIT_BPF_FRAME_BY_POINTER : 0);
  scratch->payload[number & (CULPRIT_BPF_FRAMES - 1)] = frame;
  walk->frames = number + 1;
  uint64_t hash = (walk->hash ^ frame) * MIX;
  walk->hash = hash ^ hash >> 29;
  /* A return address may lie just behind its function. */
  uint64_t pc = walk->ip - (walk->exact ? 0 : 1);
  walk->exact = 0;
  walk->by_pointer = 0;

  uint32_t index = walk->first + walk->range;
  struct culprit_bpf_range *range = range_number(index);
  if (!range) return CUT;
  if (pc - range->start >= range->end - range->start) {
    walk->range = range_before(walk->first, walk->count, pc);
    index = walk->first + walk->range;
    range = range_number(index);
    if (!range || pc - range->start >= range->end - range->start) {
      if (!(frame & CULPRIT_BPF_FRAME_BY_POINTER)) return UNKNOWN_CODE;
      walk->frames = number; /* the frame pointer was something else */
      return CUT;
    }
  }
  uint64_t rule = range->page_count ? rule_at(index, (uint32_t)(pc - range->bias)) : 0;
  /* glibc's clone() ends its unwind information before its syscall instruction: the child has no caller. */
  if (!number && !(rule >> 45 & 7) && range->page_count) rule = rule_at(index, (uint32_t)(pc - SYSCALL_AND_ONE - range->bias));
  if (rule >> 45 & 7) return step_by_rule(rule, range->far_base);
  return range->page_count ? CUT : step_by_pointer();
}

static long walk_on(uint32_t iteration, void *context) {
  struct scratch *scratch = only_element(&scratches);
  if (!scratch) return 1;
  scratch->walk.stop = next_frame(scratch);
  return scratch->walk.stop != GOING_ON;
}

/* Reads the innermost part of the stack at once: a read of one word costs as much as one of a kilobyte. */
static __always_inline uint64_t read_window(struct scratch *scratch) {
  void *from = (void *)scratch->walk.window_base;
  if (!bpf_probe_read_user(scratch->window, 4096, from)) return 4096;
  if (!bpf_probe_read_user(scratch->window, 2048, from)) return 2048;
  if (!bpf_probe_read_user(scratch->window, 1024, from)) return 1024;
  if (!bpf_probe_read_user(scratch->window, 512, from)) return 512;
  return !bpf_probe_read_user(scratch->window, 256, from) ? 256 : 0;
}

static __always_inline int is_same_stack(struct culprit_bpf_cached_stack *cached, struct scratch *scratch) {
  uint64_t different = 0;
  uint32_t count = cached->slot_count;
  for (uint32_t i = 0; i < CULPRIT_BPF_CACHED_SLOTS; i++) {
    if (i >= count) break;
    different |= scratch->window[cached->offsets[i] & (WINDOW_WORDS - 1)] ^ cached->values[i];
  }
  return !different;
}

static __always_inline uint32_t cache_place(uint64_t image, uint64_t ip, uint64_t sp) {
  uint64_t key = (ip * MIX) ^ (sp * 0xC2B2AE3D27D4EB4Full) ^ image;
  key ^= key >> 32;
  uint32_t processor = bpf_get_smp_processor_id() & processor_mask;
  return processor * (cached_stack_mask + 1) + ((uint32_t)key & cached_stack_mask);
}

/* Unwinds from ip, sp and bp of scratch->walk, whose `first`, `count`, `image` and `generation` say where the code is. Fills
 * event.stack, flags, and the frames unless they are known to be sent already. */
__noinline int unwind(void) {
  struct scratch *scratch = only_element(&scratches);
  if (!scratch) return UNKNOWN_CODE;
  struct walk *walk = &scratch->walk;
  struct culprit_bpf_event *event = &scratch->event;
  uint64_t ip = walk->ip, sp = walk->sp, bp = walk->bp;
  walk->cached = cache_place(walk->image, ip, sp);
  struct culprit_bpf_cached_stack *cached = cached_number(walk->cached);
  if (!cached || !walk->count) return UNKNOWN_CODE;
  walk->window_base = sp & ~7ull;
  int may_be_same = cached->slot_count && cached->ip == ip && cached->sp == sp && cached->image == walk->image &&
                    cached->generation == walk->generation && cached->epoch == table_epoch &&
                    (!cached->needs_bp || cached->bp == bp);
  /* Only the part of the stack that the slots lie in: copying is what costs. */
  if (may_be_same && !bpf_probe_read_user(scratch->window, cached->span & 4095, (void *)walk->window_base) &&
      is_same_stack(cached, scratch)) {
    event->stack = cached->hash;
    return ENDED;
  }
  walk->window_size = read_window(scratch);
  cached->slot_count = 0;
  cached->span = 0;
  walk->hash = (walk->image ^ (uint64_t)walk->generation << 32 ^ (uint64_t)table_epoch << 44) * MIX;
  walk->rbp_slot = RBP_INITIAL;
  walk->range = walk->frames = walk->recorded = 0;
  walk->exact = walk->cacheable = 1;
  walk->by_pointer = walk->needs_bp = walk->stop = 0;
  bpf_loop(CULPRIT_BPF_FRAMES + 1, walk_on, 0, 0);
  if (walk->stop == UNKNOWN_CODE) return UNKNOWN_CODE;
  uint64_t hash = walk->hash | 1;
  if (walk->stop != ENDED) {
    event->flags |= CULPRIT_BPF_TRUNCATED;
    hash ^= 2;
  }
  event->stack = hash;
  uint64_t key = hash;
  if (!bpf_map_lookup_elem(&sent_stacks, &key)) event->frame_count = walk->frames;
  if (walk->stop == ENDED && walk->cacheable) {
    cached->ip = ip;
    cached->sp = sp;
    cached->bp = bp;
    cached->image = walk->image;
    cached->generation = walk->generation;
    cached->epoch = table_epoch;
    cached->needs_bp = walk->needs_bp;
    cached->hash = hash;
    cached->slot_count = walk->recorded;
  }
  return walk->stop;
}

/* Registers (of scratch->walk), then as much of the stack as can be read. */
__noinline int copy_stack(void) {
  struct scratch *scratch = only_element(&scratches);
  if (!scratch) return 0;
  struct culprit_bpf_event *event = &scratch->event;
  event->frame_count = 0;
  event->stack = 0;
  event->flags &= ~CULPRIT_BPF_TRUNCATED;
  event->flags |= CULPRIT_BPF_STACK_COPIED;
  scratch->payload[0] = scratch->walk.start_ip;
  scratch->payload[1] = scratch->walk.start_sp;
  scratch->payload[2] = scratch->walk.start_bp;
  void *from = (void *)scratch->walk.start_sp;
  uint32_t bytes = 0;
  if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > ring_bytes / 2) {
    /* Better events without stacks than none. */
  } else if (!bpf_probe_read_user(&scratch->payload[3], CULPRIT_BPF_STACK_BYTES, from)) {
    bytes = CULPRIT_BPF_STACK_BYTES;
  } else if (!bpf_probe_read_user(&scratch->payload[3], 4096, from)) {
    bytes = 4096;
  } else if (!bpf_probe_read_user(&scratch->payload[3], 2048, from)) {
    bytes = 2048;
  } else if (!bpf_probe_read_user(&scratch->payload[3], 1024, from)) {
    bytes = 1024;
  } else if (!bpf_probe_read_user(&scratch->payload[3], 512, from)) {
    bytes = 512;
  }
  if (!bytes) __sync_fetch_and_add(&lost.stack_copies, 1);
  event->copy_bytes = 24 + bytes;
  return 0;
}

#endif
