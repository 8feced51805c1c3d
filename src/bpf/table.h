/* What is known of a handle table: a bit per number, told by events or found by comparing with the kernel's. Both kinds of
 * events about one number meet here, so that each change is told once.
 *
 * A table may be shared by threads, which are between the change and its event at any moment. So: closes are told before
 * the call, and the number counts as closing until the call is over; creations are told after the call, and comparing
 * believes a bit only once the file is installed; whoever flips the known bit tells. */
#ifndef CULPRIT_BPF_TABLE_H
#define CULPRIT_BPF_TABLE_H

#include "file_path.h"
#include "send.h"

static __always_inline int is_shared(struct files_struct *files) { return files->count.counter > 1; }

/* The kernel's bits of one chunk. Tables have a power of two of them: 64 at first, and what is needed later (256 at least
 * before Linux 6.13). */
static __always_inline void read_bits(struct files_struct *files, uint32_t chunk, uint64_t *words) {
  struct fdtable *table = files->fdt;
  uint32_t first = chunk * CULPRIT_BPF_CHUNK_BITS, size = table->max_fds;
  unsigned long *bits = table->open_fds + chunk * CULPRIT_BPF_CHUNK_WORDS;
#pragma unroll
  for (int i = 0; i < CULPRIT_BPF_CHUNK_WORDS; i++) words[i] = 0;
  if (size >= first + CULPRIT_BPF_CHUNK_BITS) {
    bpf_probe_read_kernel(words, 128, bits);
  } else if (size >= first + 512) {
    bpf_probe_read_kernel(words, 64, bits);
  } else if (size >= first + 256) {
    bpf_probe_read_kernel(words, 32, bits);
  } else if (size >= first + 128) {
    bpf_probe_read_kernel(words, 16, bits);
  } else if (size >= first + 64) {
    bpf_probe_read_kernel(words, 8, bits);
  }
}

static __always_inline int is_open(struct files_struct *files, uint32_t number) {
  struct fdtable *table = files->fdt;
  if (number >= table->max_fds) return 0;
  uint64_t word = 0;
  bpf_probe_read_kernel(&word, 8, table->open_fds + (number >> 6));
  return word >> (number & 63) & 1;
}

static __always_inline struct culprit_bpf_chunk *find_chunk(struct files_struct *files, uint32_t chunk) {
  struct culprit_bpf_chunk_key key = {(uint64_t)files, chunk};
  return bpf_map_lookup_elem(&chunks, &key);
}

/* The known bits of the chunk; they begin as the kernel has them now. */
static __always_inline struct culprit_bpf_chunk *known_chunk(struct scratch *scratch, struct files_struct *files,
                                                             uint32_t chunk, uint32_t *is_new) {
  struct culprit_bpf_chunk_key key = {(uint64_t)files, chunk};
  struct culprit_bpf_chunk *known = bpf_map_lookup_elem(&chunks, &key);
  *is_new = !known;
  if (known) return known;
  read_bits(files, chunk, scratch->fresh.open);
  bpf_map_update_elem(&chunks, &key, &scratch->fresh, BPF_NOEXIST);
  known = bpf_map_lookup_elem(&chunks, &key);
  if (!known) __sync_fetch_and_add(&lost.tables, 1);
  return known;
}

/* The number of the event is open from now on. */
static __always_inline void note_open(struct scratch *scratch, struct files_struct *files) {
  uint32_t number = scratch->event.value, chunk = number / CULPRIT_BPF_CHUNK_BITS, is_new;
  if (chunk >= CULPRIT_BPF_CHUNKS) return;
  struct culprit_bpf_chunk *known = known_chunk(scratch, files, chunk, &is_new);
  if (!known) return;
  uint64_t bit = 1ull << (number & 63);
  uint64_t before = __sync_fetch_and_or(&known->open[(number >> 6) & (CULPRIT_BPF_CHUNK_WORDS - 1)], bit);
  if (!is_new && (before & bit)) scratch->event.flags |= CULPRIT_BPF_WAS_OPEN;
}

/* The number is about to be closed. False: somebody else is telling that. */
static __always_inline int note_closing(struct scratch *scratch, struct files_struct *files, uint32_t number) {
  uint32_t chunk = number / CULPRIT_BPF_CHUNK_BITS, word = (number >> 6) & (CULPRIT_BPF_CHUNK_WORDS - 1), is_new;
  if (chunk >= CULPRIT_BPF_CHUNKS) return 1;
  struct culprit_bpf_chunk *known = known_chunk(scratch, files, chunk, &is_new);
  if (!known) return 1;
  uint64_t bit = 1ull << (number & 63);
  if (is_shared(files)) __sync_fetch_and_or(&known->closing[word], bit);
  return (__sync_fetch_and_and(&known->open[word], ~bit) & bit) != 0;
}

static __always_inline void note_closed(struct files_struct *files, uint32_t number) {
  struct culprit_bpf_chunk_key key = {(uint64_t)files, number / CULPRIT_BPF_CHUNK_BITS};
  struct culprit_bpf_chunk *known = bpf_map_lookup_elem(&chunks, &key);
  uint64_t bit = 1ull << (number & 63);
  if (known) __sync_fetch_and_and(&known->closing[(number >> 6) & (CULPRIT_BPF_CHUNK_WORDS - 1)], ~bit);
}

static __always_inline uint32_t chunk_count(struct files_struct *files) {
  struct fdtable *table = files->fdt;
  uint32_t count = (table->max_fds + CULPRIT_BPF_CHUNK_BITS - 1) / CULPRIT_BPF_CHUNK_BITS;
  return count < CULPRIT_BPF_CHUNKS ? count : CULPRIT_BPF_CHUNKS;
}

static __always_inline uint32_t lowest_bit(uint64_t word) {
  uint64_t bit = word & -word;
  return !!(bit & 0xffffffff00000000ull) << 5 | !!(bit & 0xffff0000ffff0000ull) << 4 |
         !!(bit & 0xff00ff00ff00ff00ull) << 3 | !!(bit & 0xf0f0f0f0f0f0f0f0ull) << 2 |
         !!(bit & 0xccccccccccccccccull) << 1 | !!(bit & 0xaaaaaaaaaaaaaaaaull);
}

/* What a handle is that no call told about. */
static __always_inline void describe_object(struct scratch *scratch, struct file *file) {
  struct culprit_bpf_event *event = &scratch->event;
  struct inode *inode = BPF_CORE_READ(file, f_inode);
  event->inode = BPF_CORE_READ(inode, i_ino);
  event->mode = BPF_CORE_READ(inode, i_mode);
  if (BPF_CORE_READ(inode, i_sb, s_magic) != ANONYMOUS_INODES) return;
  uint32_t at = event->frame_count * 8 + event->copy_bytes;
  if (at > sizeof(scratch->payload) - CULPRIT_BPF_NAME_BYTES) return;
  long size = bpf_probe_read_kernel_str((char *)scratch->payload + at, 64,
                                        BPF_CORE_READ(file, f_path.dentry, d_name.name));
  if (size > 1) event->name_bytes = size - 1;
}

/* The kernel has changed what is known of `number`, which is so told. */
__noinline int tell_change(uint32_t number) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct files_struct *files = task->files;
  struct scratch *scratch = only_element(&scratches);
  if (!files || !scratch) return 0;
  struct comparison *comparison = &scratch->comparison;
  struct culprit_bpf_chunk *known = find_chunk(files, number / CULPRIT_BPF_CHUNK_BITS);
  if (!known) return 0;
  uint32_t word = (number >> 6) & (CULPRIT_BPF_CHUNK_WORDS - 1), kind;
  uint64_t bit = 1ull << (number & 63);
  struct file *file = 0;
  if (comparison->actual & bit) {
    file = file_of(files, number);
    if (!file || (known->closing[word] & bit) || (__sync_fetch_and_or(&known->open[word], bit) & bit)) return 0;
    int is_passed = comparison->call == CALL_RECVMSG || comparison->call == CALL_RECVMMSG;
    kind = is_passed ? CULPRIT_BPF_RECEIVED : CULPRIT_BPF_MADE;
  } else {
    if (is_open(files, number) || !(__sync_fetch_and_and(&known->open[word], ~bit) & bit)) return 0;
    kind = CULPRIT_BPF_CLOSED;
  }
  struct culprit_bpf_code *code = code_of(task);
  begin_event(task, kind, comparison->call);
  struct culprit_bpf_event *event = &scratch->event;
  event->value = number;
  event->extra = comparison->extra;
  event->flags |= comparison->flags | CULPRIT_BPF_BY_COMPARING;
  if (comparison->tid) event->tid = comparison->tid;
  if (comparison->stack) {
    event->stack = comparison->stack;
  } else if (!(event->flags & CULPRIT_BPF_NO_STACK)) {
    add_stack(scratch, (struct pt_regs *)bpf_task_pt_regs(task), code);
  }
  if (file) describe_object(scratch, file);
  send(SEND_QUIETLY);
  return 0;
}

/* One step: a change told, a word looked at, or a chunk. 1: all is compared. */
static long compare_next(uint32_t iteration, void *context) {
  struct scratch *scratch = only_element(&scratches);
  struct task_struct *task = bpf_get_current_task_btf();
  struct files_struct *files = task->files;
  if (!scratch || !files) return 1;
  struct comparison *comparison = &scratch->comparison;
  if (comparison->changes) {
    uint32_t bit = lowest_bit(comparison->changes);
    comparison->changes &= comparison->changes - 1;
    tell_change((comparison->chunk - 1) * CULPRIT_BPF_CHUNK_BITS + (comparison->word - 1) * 64 + bit);
    return 0;
  }
  if (comparison->is_different && comparison->word < CULPRIT_BPF_CHUNK_WORDS) {
    uint32_t word = comparison->word & (CULPRIT_BPF_CHUNK_WORDS - 1);
    struct culprit_bpf_chunk *known = find_chunk(files, comparison->chunk - 1);
    if (!known) return 1;
    comparison->actual = scratch->words[word];
    comparison->changes = known->open[word] ^ comparison->actual;
    comparison->word++;
    return 0;
  }
  if (comparison->chunk >= comparison->chunk_count) return 1;
  uint32_t is_new;
  struct culprit_bpf_chunk *known = known_chunk(scratch, files, comparison->chunk, &is_new);
  if (!known) return 1;
  read_bits(files, comparison->chunk, scratch->words);
  uint64_t different = 0;
#pragma unroll
  for (int i = 0; i < CULPRIT_BPF_CHUNK_WORDS; i++) different |= known->open[i] ^ scratch->words[i];
  comparison->is_different = different != 0;
  comparison->word = 0;
  comparison->chunk++;
  return 0;
}

#define MOST_CHANGES (1 << 21) /* a close_range of everything */

/* By scratch->comparison, of which call, stack, tid, extra and flags are set. */
static __always_inline void compare(void) {
  struct scratch *scratch = only_element(&scratches);
  struct task_struct *task = bpf_get_current_task_btf();
  struct files_struct *files = task->files;
  if (!scratch || !files) return;
  struct comparison *comparison = &scratch->comparison;
  comparison->changes = 0;
  comparison->is_different = 0;
  comparison->chunk = comparison->word = 0;
  comparison->chunk_count = chunk_count(files);
  if (is_shared(files)) comparison->flags |= CULPRIT_BPF_SHARED_TABLE;
  bpf_loop(MOST_CHANGES, compare_next, 0, 0);
}

#define MOST_ENTRY_STEPS 4096

/* All chunks of a table, one after the other. */
struct table_walk {
  struct files_struct *files;
  uint32_t count, why;
  uint64_t replace; /* BPF_ANY, BPF_NOEXIST: what is known already */
};

static long forget_chunk(uint32_t chunk, void *context) {
  struct table_walk *walk = context;
  struct culprit_bpf_chunk_key key = {(uint64_t)walk->files, chunk};
  bpf_map_delete_elem(&chunks, &key);
  return 0;
}

static long begin_chunk(uint32_t chunk, void *context) {
  struct table_walk *walk = context;
  struct scratch *scratch = only_element(&scratches);
  if (!scratch || !walk->files) return 1;
  struct culprit_bpf_chunk_key key = {(uint64_t)walk->files, chunk};
  read_bits(walk->files, chunk, scratch->fresh.open);
  long error = bpf_map_update_elem(&chunks, &key, &scratch->fresh, walk->replace);
  if (error && error != FILE_EXISTS) __sync_fetch_and_add(&lost.tables, 1);
  return 0;
}

static long tell_chunk(uint32_t chunk, void *context) {
  struct table_walk *walk = context;
  struct task_struct *task = bpf_get_current_task_btf();
  struct scratch *scratch = begin_event(task, CULPRIT_BPF_TABLE, CALL_NONE);
  if (!scratch || !walk->files) return 1;
  read_bits(walk->files, chunk, scratch->payload);
  scratch->event.value = chunk * CULPRIT_BPF_CHUNK_BITS;
  scratch->event.other = chunk + 1 >= walk->count;
  scratch->event.extra = walk->why;
  scratch->event.word_count = CULPRIT_BPF_CHUNK_WORDS;
  send(SEND_QUIETLY);
  return 0;
}

/* The next handle of the current table, from scratch->next_entry on. */
static long tell_entry(uint32_t iteration, void *context) {
  struct scratch *scratch = only_element(&scratches);
  struct task_struct *task = bpf_get_current_task_btf();
  struct files_struct *files = task->files;
  if (!scratch || !files || scratch->told_entries >= CULPRIT_BPF_ENTRIES) return 1;
  struct fdtable *table = files->fdt;
  uint32_t next = scratch->next_entry;
  if (next >= table->max_fds) return 1;
  uint64_t word = 0;
  bpf_probe_read_kernel(&word, 8, table->open_fds + (next >> 6));
  word = word >> (next & 63) << (next & 63);
  if (!word) {
    scratch->next_entry = (next | 63) + 1;
    return 0;
  }
  uint32_t number = (next & ~63u) + lowest_bit(word);
  scratch->next_entry = number + 1;
  struct file *file = file_of(files, number);
  if (!file) return 0;
  begin_event(task, CULPRIT_BPF_ENTRY, CALL_NONE);
  scratch->told_entries++;
  struct culprit_bpf_event *event = &scratch->event;
  struct inode *inode = BPF_CORE_READ(file, f_inode);
  event->value = number;
  event->inode = BPF_CORE_READ(inode, i_ino);
  event->mode = BPF_CORE_READ(inode, i_mode);
  event->other = BPF_CORE_READ(inode, i_nlink);
  event->extra = BPF_CORE_READ(inode, i_sb, s_magic);
  event->name_bytes = add_path(file, 0);
  send(SEND_QUIETLY);
  return 0;
}

/* `replace` is BPF_ANY for a new table, whose address may have been another's; BPF_NOEXIST for one that is in use, whose
   own events may have changed what is known since its bits were read. */
static __always_inline void begin_table(struct files_struct *files, uint64_t replace) {
  struct table_walk walk = {.files = files, .count = chunk_count(files), .replace = replace};
  bpf_loop(walk.count, begin_chunk, &walk, 0);
}

/* Of the current process. */
static __always_inline void tell_table(struct files_struct *files, uint32_t why) {
  struct scratch *scratch = only_element(&scratches);
  if (!scratch) return;
  scratch->next_entry = scratch->told_entries = 0;
  struct table_walk walk = {.files = files, .count = chunk_count(files), .why = why};
  bpf_loop(MOST_ENTRY_STEPS, tell_entry, 0, 0);
  bpf_loop(walk.count, tell_chunk, &walk, 0);
}

static __always_inline void forget_table(struct files_struct *files) {
  struct table_walk walk = {.files = files, .count = chunk_count(files)};
  bpf_loop(walk.count, forget_chunk, &walk, 0);
}

#endif
