/* Names of files, for what must be told before anybody can read the /proc of a process that may be over at once: its code,
 * and its handle table. */
#ifndef CULPRIT_BPF_FILE_PATH_H
#define CULPRIT_BPF_FILE_PATH_H

#include "send.h"

#define PATH_DEPTH 40
#define COMPONENT_BYTES 256
#define MAPPED_WORDS 4

struct path_walk {
  struct dentry *dentry;
  struct vfsmount *mount;
  uint32_t at; /* in the payload */
};

/* One component, or from the root of a mount to where it is mounted. */
static long next_component(uint32_t iteration, void *context) {
  struct path_walk *walk = context;
  struct scratch *scratch = only_element(&scratches);
  if (!scratch) return 1;
  struct dentry *dentry = walk->dentry;
  struct vfsmount *vfsmount = walk->mount;
  if (dentry == BPF_CORE_READ(vfsmount, mnt_root)) {
    struct mount *mount = (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);
    struct mount *outer = BPF_CORE_READ(mount, mnt_parent);
    if (outer == mount) return 1;
    walk->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
    walk->mount = (void *)outer + bpf_core_field_offset(struct mount, mnt);
    return 0;
  }
  struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
  if (walk->at > sizeof(scratch->payload) - COMPONENT_BYTES) return 1;
  const unsigned char *name = BPF_CORE_READ(dentry, d_name.name);
  long size = bpf_probe_read_kernel_str((char *)scratch->payload + walk->at, COMPONENT_BYTES, name);
  if (size > 0) walk->at += size;
  walk->dentry = parent;
  return parent == dentry; /* a file of no folder, as memfds are */
}

/* Behind what the payload has already; the bytes. */
static __always_inline uint32_t add_path(struct file *file, uint32_t at) {
  struct path_walk walk = {.dentry = BPF_CORE_READ(file, f_path.dentry), .mount = BPF_CORE_READ(file, f_path.mnt), .at = at};
  bpf_loop(PATH_DEPTH, next_component, &walk, 0);
  return walk.at - at;
}

/* `file` may be null: code of no file. */
static __always_inline void tell_mapped(struct task_struct *task, struct file *file, uint64_t start, uint64_t end,
                                        uint64_t offset, uint32_t is_gone) {
  struct scratch *scratch = begin_event(task, CULPRIT_BPF_MAPPED, CALL_NONE);
  if (!scratch) return;
  struct culprit_bpf_event *event = &scratch->event;
  event->other = is_gone;
  event->word_count = MAPPED_WORDS;
  scratch->payload[0] = start;
  scratch->payload[1] = end;
  scratch->payload[2] = offset;
  scratch->payload[3] = 0;
  if (file) {
    struct inode *inode = BPF_CORE_READ(file, f_inode);
    event->inode = BPF_CORE_READ(inode, i_ino);
    scratch->payload[3] = BPF_CORE_READ(inode, i_sb, s_dev);
    event->name_bytes = add_path(file, MAPPED_WORDS * 8);
  }
  send(SEND_QUIETLY);
}

#endif
