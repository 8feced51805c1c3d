/* The kernel side of the bpf back end: which handles come and go, who did it, from where. Needs nothing but the tp_btf
 * programs every kernel with BTF takes: no kprobes, no fentry.
 *
 * Two layers. Calls that are known to make or end handles are told from their arguments and results. After all others that
 * might touch a handle table, the table is compared with what is known of it (table.h). */

#include "table.h"

char program_license[] SEC("license") = "Dual BSD/GPL";

static __always_inline int is_recorded(uint32_t tgid) {
  if (tgid == own_tgid) return 0;
  return record_all || bpf_map_lookup_elem(&watched, &tgid) != 0;
}

/* By scratch->change. */
__noinline int tell(void) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct files_struct *files = task->files;
  struct scratch *scratch = only_element(&scratches);
  if (!files || !scratch) return 0;
  struct change *change = &scratch->change;
  struct culprit_bpf_code *code = code_of(task);
  begin_event(task, change->kind, change->call);
  struct culprit_bpf_event *event = &scratch->event;
  event->value = change->value;
  event->other = change->other;
  event->extra = change->extra;
  if (is_shared(files)) event->flags |= CULPRIT_BPF_SHARED_TABLE;
  if (change->kind == CULPRIT_BPF_CLOSED) {
    if (!note_closing(scratch, files, change->value)) return 0;
  } else {
    note_open(scratch, files);
  }
  add_stack(scratch, (struct pt_regs *)bpf_task_pt_regs(task), code);
  if (change->path) {
    struct file *file = file_of(files, change->value);
    event->mode = BPF_CORE_READ(file, f_inode, i_mode);
    add_user_name(scratch, change->path);
  }
  send(SEND_QUIETLY);
  return 0;
}

static __always_inline void compare_after(struct pt_regs *regs, uint32_t call) {
  struct scratch *scratch = only_element(&scratches);
  if (!scratch) return;
  struct comparison *comparison = &scratch->comparison;
  comparison->call = call;
  comparison->stack = 0;
  comparison->tid = 0;
  comparison->flags = 0;
  comparison->extra = call == CALL_IOCTL ? (uint32_t)regs->si : 0;
  compare();
}

/* A read makes a handle only if it reads from fanotify, which is an anonymous inode. */
static __always_inline int reads_anonymous(struct pt_regs *regs, long result) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct files_struct *files = task->files;
  if (result < LEAST_FANOTIFY_EVENT || !files) return 0;
  struct file *file = file_of(files, regs->di);
  return file && BPF_CORE_READ(file, f_inode, i_sb, s_magic) == ANONYMOUS_INODES;
}

/* Code came, went or moved: what was unwound before counts no more; where known code went, its tables neither. */
static __always_inline void code_changed(struct pt_regs *regs, uint32_t is_new_code) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct mm_struct *mm = task->mm;
  struct files_struct *files = task->files;
  if (!mm || !files) return;
  int is_mmap = is_new_code && regs->orig_ax == CALL_MMAP;
  uint64_t key = (uint64_t)mm, start = is_mmap ? regs->ax : regs->di, end = start + regs->si;
  struct culprit_bpf_code *code = bpf_map_lookup_elem(&codes, &key);
  /* Nothing published: it may be on its way, so everything is told. */
  int is_hit = 0, is_published = code && code->stamp;
  if (is_published) {
    struct culprit_bpf_range *last = range_number(code->first + range_before(code->first, code->count, end - 1));
    is_hit = last && last->start < end && start < last->end;
    if (!is_hit && !is_new_code) return;
    if (is_hit) code->stamp = 0;
  }
  uint64_t image = code ? code->image : 0;
  if (code) code->generation++;
  if (is_mmap) {
    struct file *file = regs->r10 & MAPS_ANONYMOUS ? 0 : file_of(files, regs->r8);
    tell_mapped(task, file, start, end, regs->r9, 0);
  } else if (!is_new_code) {
    tell_mapped(task, 0, start, end, 0, 1);
  }
  if (!code) return; /* asked for when it is wanted */
  struct scratch *scratch = begin_event(task, CULPRIT_BPF_WANTS_CODE, CALL_NONE);
  if (!scratch) return;
  scratch->event.extra = key;
  scratch->event.inode = image;
  scratch->event.other = !is_mmap && is_new_code;
  send(SEND_WAKING);
}

static __always_inline void tell_pair(struct change *change, uint64_t address) {
  int32_t pair[2] = {-1, -1};
  if (bpf_probe_read_user(pair, sizeof(pair), (void *)address)) return;
  change->value = pair[0];
  if (pair[0] >= 0) tell();
  change->value = pair[1];
  if (pair[1] >= 0) tell();
}

static __always_inline uint64_t socket_kind(struct pt_regs *regs) {
  return (regs->di & 0xffff) | (regs->si & 0xffff) << 16 | regs->dx << 32;
}

/* The call that returned made `result`. */
static __always_inline void tell_made(struct pt_regs *regs, uint32_t policy, uint32_t call, long result) {
  struct scratch *scratch = only_element(&scratches);
  if (!scratch) return;
  struct change *change = &scratch->change;
  change->kind = CULPRIT_BPF_MADE;
  change->call = call;
  change->value = result;
  change->other = -1;
  change->extra = change->path = 0;
  if (policy == MAKES_PATH_1) {
    change->path = regs->di;
    if (call == CALL_OPEN) change->extra = regs->si;
  } else if (policy == MAKES_PATH_2) {
    change->path = regs->si;
    if (call == CALL_OPENAT) change->extra = regs->dx;
  } else if (policy == MAKES_SOCKET) {
    change->extra = socket_kind(regs);
  } else if (policy == MAKES_PAIR_1) {
    return tell_pair(change, regs->di);
  } else if (policy == MAKES_PAIR_4) {
    change->extra = socket_kind(regs);
    return tell_pair(change, regs->r10);
  } else if (policy == MAKES_SIGNALFD) {
    if ((int32_t)regs->di != -1) return;
  } else if (policy == CONTROLS || policy == DUPLICATES) {
    int is_command = regs->si == COMMAND_DUPFD || regs->si == COMMAND_DUPFD_CLOEXEC;
    if (policy == CONTROLS ? !is_command : call == CALL_DUP2 && regs->di == regs->si) return;
    change->kind = CULPRIT_BPF_DUPLICATED;
    change->other = regs->di;
  } else if (policy == RECEIVES) {
    change->kind = CULPRIT_BPF_RECEIVED;
  }
  tell();
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_enter, struct pt_regs *regs, long number) {
  if (number != CALL_CLOSE) return 0; /* first of all: every system call of every process comes here */
  if (regs->cs == USER_CS_32 || !is_recorded(bpf_get_current_pid_tgid() >> 32)) return 0;
  struct task_struct *task = bpf_get_current_task_btf();
  struct files_struct *files = task->files;
  struct scratch *scratch = only_element(&scratches);
  uint32_t value = regs->di;
  if (!files || !scratch || !is_open(files, value)) return 0;
  struct change *change = &scratch->change;
  change->kind = CULPRIT_BPF_CLOSED;
  change->call = CALL_CLOSE;
  change->value = value;
  change->other = -1;
  change->extra = change->path = 0;
  tell();
  return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_exit, struct pt_regs *regs, long result) {
  uint64_t call = regs->orig_ax;
  /* Calls of 32-bit programs have other numbers. */
  uint32_t policy = call < 512 && regs->cs != USER_CS_32 ? policies[call & 511] : COMPARE;
  if (policy == IGNORE) return 0;
  if (!is_recorded(bpf_get_current_pid_tgid() >> 32)) return 0;
  if (policy == CLOSES) {
    struct task_struct *task = bpf_get_current_task_btf();
    struct files_struct *files = task->files;
    if (files && is_shared(files)) note_closed(files, regs->di);
  } else if (policy == MAPS || policy == UNMAPS) {
    int has_failed = result < 0 && result > -4096;
    if (has_failed || (policy == MAPS && !(regs->dx & PROTECTION_EXEC))) return 0;
    code_changed(regs, policy == MAPS);
  } else if (policy >= MAKES && policy <= RECEIVES) {
    if (result >= 0) tell_made(regs, policy, call, result);
  } else if (policy == COMPARES_READ) {
    if (reads_anonymous(regs, result)) compare_after(regs, call);
  } else if (policy != COMPARES_SOCKOPT || regs->dx == OPTION_PEERPIDFD) {
    compare_after(regs, call);
  }
  return 0;
}

static __always_inline int is_filtered_in(void) {
  if (user_count) {
    uint32_t user = bpf_get_current_uid_gid();
    for (uint32_t i = 0; i < 8; i++)
      if (i < user_count && filter_users[i] == user) return 1;
  }
  for (uint32_t i = 0; i < 8; i++)
    if (i < cgroup_count && bpf_get_current_ancestor_cgroup_id(filter_cgroup_levels[i]) == filter_cgroups[i]) return 1;
  if (!name_count) return 0;
  char name[16] = {0};
  bpf_get_current_comm(name, sizeof(name));
  for (uint32_t i = 0; i < FILTER_NAMES; i++) {
    if (i >= name_count) break;
    uint32_t different = 0;
    for (uint32_t k = 0; k < 16; k++) different |= name[k] ^ filter_names[i][k];
    if (!different) return 1;
  }
  return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child) {
  if (child->tgid == parent->tgid) return 0; /* a thread */
  int is_launched = record_children && parent->tgid == own_tgid;
  if (!is_launched && !is_recorded(parent->tgid)) return 0;
  uint32_t pid = child->tgid;
  uint8_t one = 1;
  if (!record_all) bpf_map_update_elem(&watched, &pid, &one, BPF_ANY);
  struct mm_struct *mm = parent->mm, *child_mm = child->mm;
  struct culprit_bpf_code *code = is_launched ? 0 : code_of(parent);
  if (code && code->stamp && child_mm != mm) {
    struct culprit_bpf_code copy = *code;
    uint64_t key = (uint64_t)child_mm;
    bpf_map_update_elem(&codes, &key, &copy, BPF_ANY);
  }
  struct files_struct *files = child->files;
  int is_own = files != parent->files;
  if (files && is_own) begin_table(files, BPF_ANY);
  struct scratch *scratch = begin_event(parent, CULPRIT_BPF_FORKED, CALL_NONE);
  if (!scratch) return 0;
  scratch->event.value = pid;
  scratch->event.other = !is_own;
  scratch->event.extra = child->start_time;
  scratch->event.inode = (uint64_t)child_mm;
  if (mm && !is_launched) add_stack(scratch, (struct pt_regs *)bpf_task_pt_regs(parent), code);
  send(SEND_QUIETLY);
  return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *program) {
  uint32_t pid = task->tgid;
  if (pid == own_tgid) return 0;
  if (!record_all && !bpf_map_lookup_elem(&watched, &pid)) {
    if (!is_filtered_in()) return 0;
    uint8_t one = 1;
    bpf_map_update_elem(&watched, &pid, &one, BPF_ANY);
  }
  struct scratch *scratch = begin_event(task, CULPRIT_BPF_EXECUTED, CALL_NONE);
  struct mm_struct *mm = task->mm;
  if (!scratch || !mm) return 0;
  struct culprit_bpf_event *event = &scratch->event;
  event->word_count = CULPRIT_BPF_AUXV_WORDS;
  bpf_probe_read_kernel(scratch->payload, CULPRIT_BPF_AUXV_WORDS * 8, mm->saved_auxv);
  char *text = (char *)(scratch->payload + CULPRIT_BPF_AUXV_WORDS);
  long path = bpf_probe_read_kernel_str(text, CULPRIT_BPF_NAME_BYTES, program->filename);
  uint32_t at = path > 1 ? (path - 1) & (CULPRIT_BPF_NAME_BYTES - 1) : 0;
  uint64_t start = mm->arg_start, size = mm->arg_end - start;
  if (size > CULPRIT_BPF_NAME_BYTES) size = CULPRIT_BPF_NAME_BYTES;
  if (size && bpf_probe_read_user(text + at, size, (void *)start)) size = 0;
  event->name_bytes = at + size;
  event->other = size;
  event->inode = (uint64_t)mm;
  send(SEND_QUIETLY);
  tell_mapped(task, mm->exe_file, 0, 0, 0, 0);
  struct files_struct *files = task->files;
  if (files) {
    begin_table(files, BPF_ANY);
    tell_table(files, CULPRIT_BPF_AT_EXEC);
  }
  ask_for_code(task, mm);
  return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_process_exit, struct task_struct *task) {
  uint32_t pid = task->tgid;
  if (!is_recorded(pid)) return 0;
  struct signal_struct *signal = task->signal;
  struct files_struct *files = task->files;
  int ends_table = files && files->count.counter == 1;
  int is_last = signal->live.counter == 0;
  if (is_last && ends_table) tell_table(files, CULPRIT_BPF_AT_EXIT);
  if (ends_table) forget_table(files);
  if (!is_last) return 0;
  struct scratch *scratch = begin_event(task, CULPRIT_BPF_EXITED, CALL_NONE);
  if (!scratch) return 0;
  struct task_struct *leader = task->group_leader;
  struct mm_struct *mm = task->mm;
  scratch->event.value = signal->group_exit_code ? signal->group_exit_code : leader->exit_code;
  scratch->event.other = ends_table;
  send(SEND_QUIETLY);
  if (!record_all) bpf_map_delete_elem(&watched, &pid);
  uint64_t key = (uint64_t)mm;
  if (mm && mm->mm_users.counter == 1) bpf_map_delete_elem(&codes, &key);
  return 0;
}

static __always_inline int makes_handles(uint32_t opcode) {
  /* ACCEPT, OPENAT, CLOSE, OPENAT2, MSG_RING, SOCKET, FIXED_FD_INSTALL, and what came after it */
  return opcode == 13 || opcode == 18 || opcode == 19 || opcode == 28 || opcode == 40 || opcode == 45 || opcode >= 54;
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(on_io_submit, struct io_kiocb *request) {
  uint32_t opcode = request->opcode;
  if (!makes_handles(opcode) || !is_recorded(bpf_get_current_pid_tgid() >> 32)) return 0;
  struct task_struct *task = bpf_get_current_task_btf();
  struct culprit_bpf_code *code = code_of(task);
  struct scratch *scratch = begin_event(task, CULPRIT_BPF_STACK, opcode);
  if (!scratch) return 0;
  struct submission submission = {.tid = task->pid, .opcode = opcode};
  if (!(task->flags & PF_KERNEL_WORKER)) {
    add_stack(scratch, (struct pt_regs *)bpf_task_pt_regs(task), code);
    submission.stack = scratch->event.stack;
    if (scratch->event.frame_count) send(SEND_QUIETLY);
  }
  uint64_t key = (uint64_t)request;
  bpf_map_update_elem(&submissions, &key, &submission, BPF_ANY);
  return 0;
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_io_complete, void *ring, void *request) {
  if (!is_recorded(bpf_get_current_pid_tgid() >> 32)) return 0;
  uint64_t key = (uint64_t)request;
  struct submission *submission = bpf_map_lookup_elem(&submissions, &key);
  if (!submission) return 0;
  struct task_struct *task = bpf_get_current_task_btf();
  struct files_struct *files = task->files;
  if (!files) return 0;
  struct scratch *scratch = only_element(&scratches);
  if (!scratch) return 0;
  struct comparison *comparison = &scratch->comparison;
  comparison->call = submission->opcode;
  comparison->stack = submission->stack;
  comparison->tid = submission->tid;
  comparison->extra = 0;
  comparison->flags = CULPRIT_BPF_IO_URING | (task->flags & PF_KERNEL_WORKER ? CULPRIT_BPF_NO_STACK : 0);
  compare();
  bpf_map_delete_elem(&submissions, &key);
  return 0;
}

/* Run once by the recorder, over all threads: tables of processes that were there before it are known from now on. */
SEC("iter/task")
int begin_tables(struct bpf_iter__task *context) {
  struct task_struct *task = context->task;
  if (!task || !is_recorded(task->tgid)) return 0;
  struct files_struct *files = task->files;
  if (files) begin_table(files, BPF_NOEXIST);
  return 0;
}
