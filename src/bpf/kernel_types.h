/* The few kernel structures we look into, by name: libbpf finds where the fields lie in the running kernel (CO-RE). */
#ifndef CULPRIT_BPF_KERNEL_TYPES_H
#define CULPRIT_BPF_KERNEL_TYPES_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdint.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
  unsigned long bp, ax, dx, si, di, r8, r9, r10, orig_ax, ip, cs, sp;
};

typedef struct {
  int counter;
} atomic_t;

struct super_block {
  unsigned int s_dev;
  unsigned long s_magic;
};
struct inode {
  unsigned short i_mode;
  unsigned long i_ino;
  unsigned int i_nlink;
  struct super_block *i_sb;
};
struct qstr {
  const unsigned char *name;
};
struct dentry {
  struct dentry *d_parent;
  struct qstr d_name;
};
struct vfsmount {
  struct dentry *mnt_root;
};
struct mount {
  struct mount *mnt_parent;
  struct dentry *mnt_mountpoint;
  struct vfsmount mnt;
};
struct path {
  struct vfsmount *mnt;
  struct dentry *dentry;
};
struct file {
  struct path f_path;
  struct inode *f_inode;
};
struct fdtable {
  unsigned int max_fds;
  struct file **fd;
  unsigned long *open_fds;
};
struct files_struct {
  atomic_t count;
  struct fdtable *fdt;
};
struct mm_struct {
  unsigned long start_code, arg_start, arg_end;
  unsigned long saved_auxv[40];
  struct file *exe_file;
  atomic_t mm_users;
};
struct signal_struct {
  atomic_t live;
  int group_exit_code;
};
struct cred {
  struct {
    unsigned int val;
  } euid;
};
struct task_struct {
  int pid, tgid, exit_code;
  unsigned int flags;
  struct task_struct *group_leader;
  unsigned long long start_time;
  struct mm_struct *mm;
  struct files_struct *files;
  struct signal_struct *signal;
  const struct cred *cred;
  char comm[16];
};
struct linux_binprm {
  const char *filename;
};
struct io_kiocb {
  unsigned char opcode;
};
struct bpf_iter__task {
  struct task_struct *task;
};

#pragma clang attribute pop

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#endif
