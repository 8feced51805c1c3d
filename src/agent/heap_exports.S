/* The functions of libculprit_agent_heap.so that stand in front of the program's allocator (allocation_functions.cc),
 * under the names that the program calls. A jump leaves the caller's frame as it is. */
        .macro export name target
        .text
        .globl \name
        .type \name, @function
\name:
        .cfi_startproc
        jmp \target
        .cfi_endproc
        .size \name, . - \name
        .endm

        export malloc culprit_malloc
        export calloc culprit_calloc
        export realloc culprit_realloc
        export memalign culprit_memalign
        export aligned_alloc culprit_aligned_alloc
        export posix_memalign culprit_posix_memalign
        export valloc culprit_valloc
        export pvalloc culprit_pvalloc
        export free culprit_free
        export cfree culprit_free
        export free_sized culprit_free_sized
        export free_aligned_sized culprit_free_aligned_sized

/* For allocator.cc: that these are part of this library, and where. */
        .globl culprit_exported_malloc
        .hidden culprit_exported_malloc
        .set culprit_exported_malloc, malloc

        .section .note.GNU-stack, "", @progbits
