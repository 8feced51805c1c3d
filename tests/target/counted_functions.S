// See debugged_program.h. x86-64.
        .text
        .macro function name
        .globl \name
        .type \name, @function
        .balign 16
\name:
        .endm

        function begins_with_endbr
        endbr64
        jmp     counted_end

        function begins_with_push
        push    %rbp
        mov     %rsp, %rbp
        pop     %rbp
        jmp     counted_end

        function begins_with_relative_load
        mov     counted_word(%rip), %rax
        cmp     $0x1234, %rax
        jne     counted_wrong
        jmp     counted_end

        function begins_with_call
        call    counted_nothing
        jmp     counted_end

        function begins_with_jump
        jmp     counted_end

        // Called with n: even ones jump, odd ones do not.
        function has_branch
        test    $1, %dil
        .globl  place_of_branch
place_of_branch:
        jz      1f
        jmp     counted_end
1:      jmp     counted_end

        function begins_with_loop
        jrcxz   1f
        jmp     counted_end
1:      jmp     counted_end

        function begins_with_indirect_call
        call    *counted_pointer(%rip)
        jmp     counted_end

        function has_stack_call
        push    counted_pointer(%rip)
        .globl  place_of_stack_call
place_of_stack_call:
        call    *(%rsp)
        pop     %rdx
        jmp     counted_end

        function has_system_call
        mov     $39, %eax                       // getpid
        .globl  place_of_system_call
place_of_system_call:
        syscall
        jmp     counted_end

        .type counted_end, @function
counted_end:
        mov     counted_calls@GOTPCREL(%rip), %rdx
        mov     (%rdx), %rdx
        lock incq (%rdx)
        lea     1(%rdi), %rax
        ret
counted_nothing:
        ret
counted_wrong:
        ud2

        .data
        .balign 8
counted_word:
        .quad   0x1234
        .section .data.rel.local, "aw"
counted_pointer:
        .quad   counted_nothing
        .section .note.GNU-stack, "", @progbits
