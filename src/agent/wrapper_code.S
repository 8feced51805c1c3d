/* The exported wrappers of libculprit_agent_wrappers.so. Each leaves its number and goes to the common part, which saves the arguments as
 * struct Registers (stubs.h), calls the before-hook, the real function, and, if that succeeded, the after-hook. */

#include <asm/unistd.h>

#include "agent/registers.inc"
#include "agent/wrapped_functions.h"

        .macro wrapper name
        .text
        .globl \name
        .type \name, @function
\name:
        .cfi_startproc
        pushq $index
        .cfi_adjust_cfa_offset 8
        call culprit_wrap
        leaq 8(%rsp), %rsp
        .cfi_adjust_cfa_offset -8
        ret
        .cfi_endproc
        .size \name, . - \name
        .set index, index + 1
        .endm

        .set index, 0
#define WRAPPER(function, call) wrapper function ;
        CULPRIT_WRAPPED_FUNCTIONS(WRAPPER)

        .text
        .type culprit_wrap, @function
culprit_wrap:
        .cfi_startproc
        pushq %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset rbp, -16
        movq %rsp, %rbp
        .cfi_def_cfa_register rbp
        push_registers %rcx             /* a system call takes its fourth argument in r10 */
        call culprit_wrapper_before     /* returns the real function */
        movq %rax, %r11
        movq -16(%rbp), %rcx
        movq -24(%rbp), %rdx
        movq -32(%rbp), %rsi
        movq -40(%rbp), %rdi
        movq -48(%rbp), %r8
        movq -56(%rbp), %r9
        movq -8(%rbp), %rax
        call *%r11
        movslq %eax, %rcx               /* a negative int is a failure */
        movq %rax, -8(%rbp)
        testq %rcx, %rcx
        js 1f
        movq %rcx, -8(%rbp)
        leaq -72(%rbp), %rdi
        call culprit_wrapper_after
1:      movq -8(%rbp), %rax
        movq %rbp, %rsp
        popq %rbp
        .cfi_def_cfa rsp, 8
        ret
        .cfi_endproc
        .size culprit_wrap, . - culprit_wrap

/* Tells wrappers.cc that the wrappers are part of this library. */
        .section .rodata
        .globl culprit_wrappers_are_linked
        .hidden culprit_wrappers_are_linked
culprit_wrappers_are_linked:
        .byte 1
        .size culprit_wrappers_are_linked, 1

        .section .note.GNU-stack, "", @progbits
