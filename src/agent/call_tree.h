// The thread's call tree: every distinct stack is one node (return address + parent), known to the collector by number.
// Also the previous capture of the thread, from which the next one is worked out, and the names already sent.
// All of it lies in culprit_slot.tree, but for the tables of a large tree: those are mapped, where that may be done
// (not in a sandboxed process).
#pragma once

#include "wire/agent_session.h"

namespace culprit::agent {

inline constexpr uint32_t root_complete = 0;   // parent of outermost frames
inline constexpr uint32_t root_truncated = 1;  // parent of the last frame that could be found
inline constexpr uint32_t first_node = 2;
inline constexpr uint32_t frame_limit = 512;

// In the unused top bits of a return address.
inline constexpr uint64_t exact_address = uint64_t{1} << 62;
inline constexpr uint64_t by_frame_pointer = uint64_t{1} << 61;
inline constexpr uint64_t address_mask = (uint64_t{1} << 57) - 1;

// One step outwards: the caller's state, and where in memory it was read from.
struct CapturedFrame {
  uint64_t cfa;
  uint64_t return_address;  // at cfa - 8; with the bits above
  uint64_t rbp;             // the caller's
  uint64_t rbp_slot;        // where it was read, 0: unchanged
  uint64_t cfa_slot;        // where the cfa was read (realigned frames), 0: computed
  uint32_t node;            // of the stack that begins at return_address
  uint32_t first_check;     // in LastCapture::checks
  bool uses_rbp;            // the callee's rbp was needed to find the cfa or the caller's rbp
  bool rbp_needed;          // `rbp` is needed by a frame further out; else it is not compared, and may be out of date
};

// A word of the stack that a remembered frame depends on.
struct Check {
  uint64_t address, value;
};

// The thread's previous stack, outermost frame first, so that both arrays change at their ends only.
struct LastCapture {
  uint64_t stack_start, stack_end;  // the frames lie in this stack
  uint32_t stack_epoch;             // stacks.h: what is known of stacks has not changed since
  uint32_t count;                   // 0: nothing is remembered
  uint32_t check_count;
  CapturedFrame frames[frame_limit];
  Check checks[frame_limit * 3];
};

// A stack with its node, and all words of memory that it follows from (whole_stacks.h).
inline constexpr uint32_t whole_stack_checks = 64;
struct WholeStack {
  uint64_t pc;  // 0: free
  uint64_t lookup, rsp, rbp;
  uint32_t node;
  uint32_t check_count;
  bool rbp_needed;  // else it is not compared
  Check checks[whole_stack_checks];
};

inline constexpr uint32_t whole_stack_count = 32;
struct WholeStacks {
  uint32_t next;         // place to be used, modulo their count; 0: none is in use
  uint8_t by_site[256];  // the one that was the right one last, by a hash of where it begins
  uint8_t by_words[256];
  WholeStack stacks[whole_stack_count];
};

struct Node {
  uint64_t address;  // 0: free
  uint32_t parent;
  uint32_t id;
};

struct LastChild {
  uint64_t address;
  uint32_t id;
};

struct SentName {
  uint64_t hash;
  uint32_t id;
};
inline constexpr uint32_t sent_name_count = 2048;

// An event inside a signal handler that interrupted a hook: kept until the hook is done.
struct DeferredEvent {
  culprit_record record;
  uint32_t ready;
  uint32_t frame_count;
  uint32_t root;
  uint64_t frames[96];  // innermost first, with the bits above
};
inline constexpr uint32_t deferred_count = 16;

struct CallTree {
  uint32_t generation;  // of the mappings the tree is valid for
  uint32_t next_id;
  uint32_t first_id;  // ids below belong to a tree that was given up
  uint32_t node_count;
  uint32_t capacity;  // of `nodes` (power of two) and of `last_children`
  uint64_t mapped;    // where these lie if they do not lie in the slot; else 0
  uint32_t next_string;
  uint32_t deferred_used;
  Node* nodes;
  LastChild* last_children;
  uint8_t* area;  // rest of the slot's tree memory
  uint8_t* area_end;
  LastCapture last;
  WholeStacks whole;
  CapturedFrame fresh[frame_limit];  // of the capture in progress, innermost first
  SentName sent_names[sent_name_count];
  DeferredEvent deferred[deferred_count];
};
static_assert(sizeof(CallTree) <= CULPRIT_TREE_SIZE / 8);

CallTree* open_call_tree(culprit_slot* slot);

// Roots are shared by all trees: they have places of their own in front of the ids.
inline uint32_t last_child_index(const CallTree& tree, uint32_t parent) {
  return parent < first_node ? parent : parent - tree.first_id + first_node;
}

uint32_t find_or_add_child(CallTree& tree, uint32_t parent, uint64_t address);

// The node for `address` (with bits) called from `parent`; tells the collector when it is new. The addresses of one
// walk are added outermost first.
inline uint32_t child_node(CallTree& tree, uint32_t parent, uint64_t address) {
  uint32_t index = last_child_index(tree, parent);
  if (__builtin_expect(index < tree.capacity, 1)) {
    const LastChild& last = tree.last_children[index];
    if (__builtin_expect(last.address == address, 1)) return last.id;
  }
  return find_or_add_child(tree, parent, address);
}

// Gives back what is mapped. The tree cannot be used any more.
void close_call_tree(CallTree& tree);

// Forgets everything that depends on the mappings as they were.
void reset_call_tree(CallTree& tree, uint32_t generation);

// The number of this name, sending it when it is new. 0: it could not be sent.
uint32_t name_id(CallTree& tree, const char* name);

}  // namespace culprit::agent
