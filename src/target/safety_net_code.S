// The page of culprit in a process that has breakpoints: see safety_net.h. It is copied there as it is, so it must not
// depend on where it lies. x86-64.
//
// The handler of SIGTRAP. Culprit, while it lives, sees each such signal first and keeps its own from being delivered:
// what comes here came because culprit is no more, or is not culprit's.

        .section .rodata
        .balign 64
        .globl culprit_safety_net_begin, culprit_safety_net_end
        .globl culprit_safety_net_handler, culprit_safety_net_restorer, culprit_safety_net_header
        .hidden culprit_safety_net_begin, culprit_safety_net_end
        .hidden culprit_safety_net_handler, culprit_safety_net_restorer, culprit_safety_net_header

        // Into siginfo_t and ucontext_t.
        .equ SI_CODE, 8
        .equ UC_RIP, 168
        .equ UC_FLAGS, 176
        .equ SI_KERNEL, 0x80
        .equ TRAP_BRKPT, 1
        .equ TRAP_TRACE, 2
        .equ TRAP_FLAG, 0x100
        .equ INT3, 0xcc
        .equ SIGTRAP, 5
        .equ ENTRY_SIZE, 24

culprit_safety_net_begin:
        // edi: the signal, rsi: siginfo_t, rdx: ucontext_t
culprit_safety_net_handler:
        cmpl    $TRAP_TRACE, SI_CODE(%rsi)
        je      .Lstepped
        cmpl    $TRAP_BRKPT, SI_CODE(%rsi)      // so is a step over a system call told
        je      .Lstepped
        cmpl    $SI_KERNEL, SI_CODE(%rsi)
        jne     .Lnot_ours
        mov     UC_RIP(%rdx), %r10
        lea     -1(%r10), %rax
        lea     culprit_safety_net_header(%rip), %r9
        lea     32(%r9), %r8
        mov     (%r9), %rcx
.Lsearch:
        test    %rcx, %rcx
        jz      .Lunknown
        cmp     (%r8), %rax
        je      .Lfound
        // Culprit was killed when it had told the thread where to go on, but not to do so.
        cmp     8(%r8), %r10
        je      .Lfound
        cmp     (%r8), %r10
        je      .Lfound
        add     $ENTRY_SIZE, %r8
        dec     %rcx
        jmp     .Lsearch

        // The thread goes on with the moved instruction; the breakpoint is taken out, by a way that needs no page to
        // be writable and disturbs no other thread.
.Lfound:
        mov     8(%r8), %rcx
        test    %rcx, %rcx
        jnz     .Lhas_slot
        mov     (%r8), %rcx
.Lhas_slot:
        mov     %rcx, UC_RIP(%rdx)
        testl   $1, 24(%r9)
        jz      .Ldone
        push    %rbx
        mov     $2, %eax                        // open
        lea     .Lown_memory(%rip), %rdi
        mov     $0x80002, %esi                  // O_RDWR | O_CLOEXEC
        xor     %edx, %edx
        syscall
        test    %eax, %eax
        js      .Lclosed
        mov     %eax, %ebx
        mov     $18, %eax                       // pwrite64
        mov     %ebx, %edi
        lea     16(%r8), %rsi
        mov     $1, %edx
        mov     (%r8), %r10
        syscall
        mov     $3, %eax                        // close
        mov     %ebx, %edi
        syscall
.Lclosed:
        pop     %rbx
.Ldone:
        ret

        // The rest of a single step.
.Lstepped:
        andq    $~TRAP_FLAG, UC_FLAGS(%rdx)
        ret

        // Likewise, when it had given the thread other registers: no int3 has been executed here. (The byte before a page
        // may not be there.)
.Lunknown:
        test    $0xfff, %r10d
        jz      .Lnot_ours
        cmpb    $INT3, (%rax)
        jne     .Ldone

        // What the program itself wanted: 0 the default, 1 to ignore it, else a handler.
.Lnot_ours:
        mov     culprit_safety_net_header+8(%rip), %rax
        cmp     $1, %rax
        ja      .Lhandler
        je      .Lignored
.Ldefault:
        push    %rdx
        push    %rsi
        sub     $32, %rsp
        movq    $0, (%rsp)
        movq    $0, 8(%rsp)
        movq    $0, 16(%rsp)
        movq    $0, 24(%rsp)
        mov     $13, %eax                       // rt_sigaction
        mov     $SIGTRAP, %edi
        mov     %rsp, %rsi
        xor     %edx, %edx
        mov     $8, %r10d
        syscall
        add     $32, %rsp
        pop     %rsi
        pop     %rdx
        cmpl    $SI_KERNEL, SI_CODE(%rsi)
        je      .Lagain
        mov     $39, %eax                       // getpid
        syscall
        mov     %eax, %edi
        mov     $186, %eax                      // gettid
        syscall
        mov     %eax, %esi
        mov     $SIGTRAP, %edx
        mov     $234, %eax                      // tgkill
        syscall
        ret
.Lagain:
        decq    UC_RIP(%rdx)
        ret
.Lignored:
        cmpl    $SI_KERNEL, SI_CODE(%rsi)
        je      .Ldefault                       // the kernel lets nobody ignore an int3
        ret
.Lhandler:
        jmp     *%rax

        .balign 16
culprit_safety_net_restorer:
        mov     $15, %rax                       // rt_sigreturn
        syscall

.Lown_memory:
        .asciz  "/proc/self/mem"

        // SafetyNetHeader, and behind it the entries: written by culprit.
        .balign 64
culprit_safety_net_header:
culprit_safety_net_end:

        .section .note.GNU-stack, "", @progbits
