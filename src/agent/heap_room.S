/* Room for the beginnings of the allocator's functions, which the collector moves here (struct culprit_heap_gate). Without unwind
 * information: nobody can say beforehand what they do to the stack, so a walk that meets one ends there. */
        .section .text.moved_entries, "ax", @progbits
        .p2align 6
        .globl culprit_moved_entries
        .hidden culprit_moved_entries
        .type culprit_moved_entries, @object
culprit_moved_entries:
        .fill 10 * 64, 1, 0xcc
        .size culprit_moved_entries, . - culprit_moved_entries

        .section .note.GNU-stack, "", @progbits
