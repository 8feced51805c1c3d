/* The stubs, as the assembler can write them; stubs.cc fills in what differs from site to site. 128 bytes each:
 *
 *     0  16 bytes: instructions copied from the site, up to its system call
 *    16  jump over the before-hook, or a 2-byte nop
 *    18  before-hook
 *    41  the system call, or a 2-byte nop
 *    43  jump over the after-hook if the call failed; or always
 *    48  after-hook
 *    71  16 bytes: instructions copied from behind the system call
 *    87  jump back
 *   112  address of the site (StubData.lookup)
 *   120  address to resume at (StubData.resume)
 *
 * To an unwinder a stub is a function called by the patched one: its CFA is the stack pointer at the site, its return address
 * stands in its own last 8 bytes. The expression finds them from the program counter: (rip & -128) + 120. */

#define STUB_COUNT 384

        .section .text.stubs, "ax", @progbits
        .p2align 12
        .globl culprit_stubs
        .hidden culprit_stubs
        .type culprit_stubs, @object
culprit_stubs:
        .set index, 0
        .rept STUB_COUNT
        .p2align 7, 0x90
        .cfi_startproc
        .cfi_def_cfa rsp, 0
        .cfi_escape 0x10, 16, 7, 0x80, 0, 0x09, 0x80, 0x1a, 0x23, 120   /* expression: breg16+0, const1s -128, and, plus_uconst 120 */
        .fill 16, 1, 0x90
        .byte 0x66, 0x90
        leaq -128(%rsp), %rsp
        .cfi_adjust_cfa_offset 128
        .byte 0x68                      /* push imm32, never the short form */
        .long index
        .cfi_adjust_cfa_offset 8
        call culprit_before_entry
        leaq 136(%rsp), %rsp
        .cfi_adjust_cfa_offset -136
        syscall
        testq %rax, %rax
        js 1f
        leaq -128(%rsp), %rsp
        .cfi_adjust_cfa_offset 128
        .byte 0x68
        .long index
        .cfi_adjust_cfa_offset 8
        call culprit_after_entry
        leaq 136(%rsp), %rsp
        .cfi_adjust_cfa_offset -136
1:      .fill 16, 1, 0x90
        .byte 0xe9                      /* jmp rel32 */
        .long 0
        .fill 20, 1, 0xcc
        .quad 0
        .quad 0
        .cfi_endproc
        .set index, index + 1
        .endr
        .globl culprit_stubs_end
        .hidden culprit_stubs_end
culprit_stubs_end:
        .p2align 12

#include "agent/registers.inc"

/* Saves what a C function may destroy and hands it over as struct Registers (stubs.h). Vector registers are not touched by the hooks. */
        .macro entry name, hook
        .text
        .hidden \name
        .globl \name
        .type \name, @function
\name:
        .cfi_startproc
        pushq %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset rbp, -16
        movq %rsp, %rbp
        .cfi_def_cfa_register rbp
        push_registers %r10
        cld
        call \hook
        leaq -72(%rbp), %rsp
        popq %r11
        popq %r10
        popq %r9
        popq %r8
        popq %rdi
        popq %rsi
        popq %rdx
        popq %rcx
        popq %rax
        popq %rbp
        .cfi_def_cfa rsp, 8
        ret
        .cfi_endproc
        .size \name, . - \name
        .endm

        entry culprit_before_entry, culprit_before
        entry culprit_after_entry, culprit_after

/* Where the handler of death.cc returns to. Debuggers know a signal's frame by these two instructions. */
        .text
        .hidden culprit_return_from_signal
        .globl culprit_return_from_signal
        .type culprit_return_from_signal, @function
        nop
culprit_return_from_signal:
        movq $15, %rax                  /* rt_sigreturn */
        syscall
        .size culprit_return_from_signal, . - culprit_return_from_signal

        .section .note.GNU-stack, "", @progbits
