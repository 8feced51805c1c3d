/* The compact unwind table: .eh_frame flattened to 8-byte rows, built once per module by unwind/unwind_table, used by the
 * agent through shared memory (and later by BPF and the post-mortem unwinder). C, fixed size, x86-64.
 *
 * A row holds from its pc to the next row's pc. pcs are link-time virtual addresses of the module, ascending; the last row
 * of the table has kind NONE and stands one past the last covered byte. The return address always lies at CFA-8. */
#ifndef CULPRIT_WIRE_UNWIND_ROWS_H
#define CULPRIT_WIRE_UNWIND_ROWS_H

#include <stdint.h>

enum culprit_row_kind {
  CULPRIT_ROW_NONE = 0,      /* no rule: code without unwind information, or a rule this table cannot express */
  CULPRIT_ROW_RSP = 1,       /* CFA = rsp + 8*slots */
  CULPRIT_ROW_RBP = 2,       /* CFA = rbp + 8*slots */
  CULPRIT_ROW_PLT = 3,       /* CFA = rsp + 8 + ((pc & 15) >= slots ? 8 : 0): the linker's expression for .plt */
  CULPRIT_ROW_SIGNAL = 4,    /* signal trampoline: rsp points at a struct ucontext (rt_sigframe past its return address) */
  CULPRIT_ROW_RBP_DEREF = 5, /* CFA = *(rbp - 8*slots): functions that realign their stack (DRAP) */
  CULPRIT_ROW_END = 6,       /* outermost frame: the return address is undefined */
  CULPRIT_ROW_FAR = 7        /* CFA = rsp + 8*offsets[slots]: offset too large for the row; index into the far table */
};

struct culprit_unwind_row {
  uint32_t pc;
  uint16_t cfa; /* kind << 13 | slots */
  int16_t rbp;  /* caller's rbp: 0 unchanged; else at CFA + 8*rbp; or one of the two below */
};

#define CULPRIT_RBP_UNKNOWN INT16_MIN /* rbp is saved somewhere this table cannot say: the walk ends where it is needed */
#define CULPRIT_RBP_AT_RBP INT16_MAX  /* caller's rbp at *(rbp): DRAP functions */

#define CULPRIT_ROW_KIND(row) ((row).cfa >> 13)
#define CULPRIT_ROW_SLOTS(row) ((row).cfa & 0x1fffu)
#define CULPRIT_ROW_CFA(kind, slots) ((uint16_t)((unsigned)(kind) << 13 | (slots)))

#endif
