/* Putting an event together and sending it. */
#ifndef CULPRIT_BPF_SEND_H
#define CULPRIT_BPF_SEND_H

#include "maps.h"
#include "policy.h"
#include "unwind.h"

#define SEND_QUIETLY BPF_RB_NO_WAKEUP
#define SEND_WAKING BPF_RB_FORCE_WAKEUP

static __always_inline struct scratch *begin_event(struct task_struct *task, uint32_t kind, uint32_t call) {
  struct scratch *scratch = only_element(&scratches);
  if (!scratch) return 0;
  struct culprit_bpf_event *event = &scratch->event;
  event->time = bpf_ktime_get_ns();
  event->life = task->group_leader->start_time;
  event->table = (uint64_t)task->files;
  event->stack = 0;
  event->extra = 0;
  event->pid = task->tgid;
  event->tid = task->pid;
  event->value = -1;
  event->other = -1;
  event->inode = 0;
  event->kind = kind;
  event->call = call;
  event->mode = 0;
  event->flags = 0;
  event->frame_count = 0;
  event->copy_bytes = 0;
  event->name_bytes = 0;
  event->word_count = 0;
  return scratch;
}

static __always_inline int is_room_for_handles(void) {
  return bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) + ring_reserve < ring_bytes;
}

/* Sends the scratch's event; `wake` is for the ring. */
__noinline int send(uint64_t wake) {
  struct scratch *scratch = only_element(&scratches);
  if (!scratch) return 0;
  struct culprit_bpf_event *event = &scratch->event;
  uint32_t words = event->frame_count + event->word_count;
  uint64_t size = sizeof(*event) + (words & 1023) * 8 + ((event->copy_bytes + event->name_bytes) & 16383);
  if (size > sizeof(*event) + sizeof(scratch->payload)) return 0;
  int is_handle_event = event->kind <= CULPRIT_BPF_CLOSED;
  if (is_handle_event && !is_room_for_handles()) {
    __sync_fetch_and_add(&lost.handle_events, 1);
    return 0;
  }
  if (bpf_ringbuf_output(&events, event, size, wake)) {
    __sync_fetch_and_add(is_handle_event ? &lost.handle_events : &lost.process_events, 1);
    return 0;
  }
  if (event->frame_count) {
    uint8_t one = 1;
    uint64_t key = event->stack;
    bpf_map_update_elem(&sent_stacks, &key, &one, BPF_ANY);
  }
  return 0;
}

/* Sent at most once until the recorder has answered. */
static __always_inline void ask_for_code(struct task_struct *task, struct mm_struct *mm) {
  uint64_t key = (uint64_t)mm;
  struct culprit_bpf_code asked = {.image = mm->arg_start ^ mm->start_code};
  if (bpf_map_update_elem(&codes, &key, &asked, BPF_NOEXIST)) return;
  struct scratch *scratch = begin_event(task, CULPRIT_BPF_WANTS_CODE, CALL_NONE);
  if (!scratch) return;
  scratch->event.extra = key;
  scratch->event.inode = asked.image;
  scratch->event.other = 0; /* what was mapped has been told; /proc may be that of another image by now */
  send(SEND_WAKING);
}

/* What is known of the current process's code; asks for it if nothing is. Uses the scratch. */
static __always_inline struct culprit_bpf_code *code_of(struct task_struct *task) {
  struct mm_struct *mm = task->mm;
  if (!mm) return 0;
  uint64_t key = (uint64_t)mm;
  struct culprit_bpf_code *code = bpf_map_lookup_elem(&codes, &key);
  if (code && code->image == (mm->arg_start ^ mm->start_code)) return code;
  if (code) bpf_map_delete_elem(&codes, &key);
  ask_for_code(task, mm);
  return 0;
}

static __always_inline void add_stack(struct scratch *scratch, struct pt_regs *regs, struct culprit_bpf_code *code) {
  struct walk *walk = &scratch->walk;
  walk->start_ip = walk->ip = regs->ip;
  walk->start_sp = walk->sp = regs->sp;
  walk->start_bp = walk->bp = regs->bp;
  if (code && code->stamp) {
    struct culprit_bpf_range *head = range_number(code->first - 1);
    walk->first = code->first;
    walk->count = code->count;
    walk->generation = code->generation;
    /* Forked siblings have the same image, but may have mapped different code since. */
    walk->image = code->image ^ scratch->event.pid;
    if (head && head->row_base == code->stamp && unwind() != UNKNOWN_CODE) return;
  }
  copy_stack();
}

static __always_inline void add_user_name(struct scratch *scratch, uint64_t address) {
  uint32_t at = scratch->event.frame_count * 8 + scratch->event.copy_bytes;
  if (at > sizeof(scratch->payload) - CULPRIT_BPF_NAME_BYTES) return;
  long size = bpf_probe_read_user_str((char *)scratch->payload + at, CULPRIT_BPF_NAME_BYTES, (void *)address);
  if (size <= 1) return;
  scratch->event.name_bytes = size - 1;
  if (size == CULPRIT_BPF_NAME_BYTES) scratch->event.flags |= CULPRIT_BPF_NAME_CUT;
}

static __always_inline struct file *file_of(struct files_struct *files, uint32_t number) {
  struct fdtable *table = files->fdt;
  struct file *file = 0;
  if (number >= table->max_fds) return 0;
  bpf_probe_read_kernel(&file, sizeof(file), table->fd + number);
  return file;
}

#endif
