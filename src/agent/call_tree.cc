#include "agent/call_tree.h"

#include "agent/memory.h"
#include "agent/raw_syscall.h"
#include "agent/ring.h"
#include "agent/whole_stacks.h"

namespace culprit::agent {

namespace {

constexpr uint32_t initial_capacity = 1024;
// The collector remembers the newest million nodes of a thread.
constexpr uint32_t largest_capacity = 1u << 21;

constexpr uint64_t bytes_per_place = sizeof(Node) + sizeof(LastChild);

uint64_t mix(uint64_t address, uint32_t parent) {
  uint64_t hash = (address ^ (uint64_t{parent} << 40) ^ parent) * 0x9e3779b97f4a7c15ull;
  return hash ^ (hash >> 29);
}

// Tables of that capacity: a piece of the slot's memory, which may hold what an earlier user of the slot left and is
// cleared here, or mapped memory. 0: there is none.
uint64_t take_tables(CallTree& tree, uint32_t capacity, bool& is_mapped) {
  uint64_t size = capacity * bytes_per_place;
  is_mapped = size > static_cast<uint64_t>(tree.area_end - tree.area);
  if (!is_mapped) {
    uint64_t piece = address_of(tree.area);
    tree.area += size;
    memset(reinterpret_cast<void*>(piece), 0, size);
    return piece;
  }
  // Nothing may be left in a process that is let go of again.
  if (process.restricted || (process.record->flags & CULPRIT_PROCESS_ATTACHED) != 0) return 0;
  constexpr uint64_t read_write = 3, private_anonymous_no_reserve = 0x4022, do_not_fork = 10, huge_pages = 14,
                     do_not_dump = 16;
  int64_t mapped = raw_syscall(__NR_mmap, 0, size, read_write, private_anonymous_no_reserve, ~uint64_t{0}, 0);
  if (mapped < 0) return 0;
  auto address = static_cast<uint64_t>(mapped);
  raw_syscall(__NR_madvise, address, size, do_not_fork);
  raw_syscall(__NR_madvise, address, size, do_not_dump);
  // Looked up at random: most of what a miss costs with small pages is finding the page.
  raw_syscall(__NR_madvise, address, size, huge_pages);
  return address;
}

void use_tables(CallTree& tree, uint64_t tables, uint32_t capacity) {
  tree.nodes = reinterpret_cast<Node*>(tables);
  tree.last_children = reinterpret_cast<LastChild*>(tree.nodes + capacity);
  tree.capacity = capacity;
}

void unmap_tables(CallTree& tree, uint32_t capacity) {
  if (tree.mapped != 0 && !process.restricted) raw_syscall(__NR_munmap, tree.mapped, capacity * bytes_per_place);
  tree.mapped = 0;
}

// Where the node stands, or belongs. It is looked for first where its parent's number says: numbers were given along
// the paths that the program takes again, so that is close to where its parent was found, and in the cache. A parent
// with more children than find room there has the others anywhere. As no node is ever taken out alone, a free place
// ends the search.
Node& place_of(CallTree& tree, uint32_t parent, uint64_t address) {
  constexpr uint32_t near_places = 4;
  const uint32_t mask = tree.capacity - 1;
  auto ends_here = [&](const Node& place) {
    return place.id == 0 || (place.address == address && place.parent == parent);
  };
  for (uint32_t first = 2 * last_child_index(tree, parent), i = 0; i < near_places; ++i)
    if (Node& place = tree.nodes[(first + i) & mask]; ends_here(place)) return place;
  for (uint64_t i = mix(address, parent);; ++i)
    if (Node& place = tree.nodes[i & mask]; ends_here(place)) return place;
}

// Doubles the tables in a fresh piece of memory. False: the bound is reached.
bool grow(CallTree& tree) {
  if (tree.capacity == largest_capacity) return false;
  bool is_mapped = false;
  uint64_t tables = take_tables(tree, tree.capacity * 2, is_mapped);
  if (tables == 0) return false;
  const Node* old_nodes = tree.nodes;
  const LastChild* old_children = tree.last_children;
  uint32_t old_capacity = tree.capacity;
  use_tables(tree, tables, old_capacity * 2);
  memcpy(tree.last_children, old_children, old_capacity * sizeof(LastChild));
  for (uint32_t i = 0; i < old_capacity; ++i)
    if (const Node& node = old_nodes[i]; node.id != 0) place_of(tree, node.parent, node.address) = node;
  unmap_tables(tree, old_capacity);
  if (is_mapped) tree.mapped = tables;
  return true;
}

void forget_nodes(CallTree& tree) {
  memset(tree.nodes, 0, tree.capacity * sizeof(Node));
  memset(tree.last_children, 0, tree.capacity * sizeof(LastChild));
  tree.first_id = tree.next_id;
  tree.node_count = 0;
  tree.last.count = 0;
  forget_whole_stacks(tree);
}

bool send_node(uint32_t id, uint32_t parent, uint64_t address) {
  uint8_t flags = 0;
  if ((address & exact_address) != 0) flags |= CULPRIT_NODE_EXACT;
  if ((address & by_frame_pointer) != 0) flags |= CULPRIT_NODE_BY_FRAME_POINTER;
  if (parent == root_truncated) flags |= CULPRIT_NODE_TRUNCATED_ROOT;
  culprit_record record{};
  record.kind = CULPRIT_RECORD_NODE;
  record.flags = flags;
  record.node = id;
  record.argument = parent < first_node ? 0 : parent;
  record.extra = address & address_mask;
  return put(record);
}

uint32_t find_or_add(CallTree& tree, uint32_t parent, uint64_t address) {
  if (const uint32_t known = place_of(tree, parent, address).id; known != 0) return known;
  // Half full at most, and one id per place of last_children. At the bound the tree starts anew; `parent` then belongs
  // to the old tree, whose ids stay defined, so the new node may still hang from it.
  if ((tree.node_count + 1) * 2 > tree.capacity && !grow(tree)) forget_nodes(tree);
  uint32_t id = tree.next_id;
  if (!send_node(id, parent, address)) return root_truncated;  // not known to the collector: the stack is cut here
  ++tree.next_id;
  ++tree.node_count;
  place_of(tree, parent, address) = Node{address, parent, id};
  return id;
}

}  // namespace

CallTree* open_call_tree(culprit_slot* slot) {
  auto* tree = reinterpret_cast<CallTree*>(slot->tree);
  // Not the frames: they are as many as count says, and untouched pages cost nothing.
  tree->last.count = tree->node_count = tree->deferred_used = 0;
  tree->whole.next = 1;
  forget_whole_stacks(*tree);
  memset(tree->sent_names, 0, sizeof tree->sent_names);
  for (DeferredEvent& event : tree->deferred) event.ready = 0;
  tree->area = slot->tree + ((sizeof(CallTree) + 63) & ~size_t{63});
  tree->area_end = slot->tree + CULPRIT_TREE_SIZE;
  tree->next_id = tree->first_id = first_node;
  tree->next_string = 1;
  tree->mapped = 0;
  bool is_mapped = false;
  use_tables(*tree, take_tables(*tree, initial_capacity, is_mapped), initial_capacity);
  tree->generation = __atomic_load_n(&process.record->table_generation, __ATOMIC_RELAXED);
  return tree;
}

void close_call_tree(CallTree& tree) { unmap_tables(tree, tree.capacity); }

uint32_t find_or_add_child(CallTree& tree, uint32_t parent, uint64_t address) {
  uint32_t id = find_or_add(tree, parent, address);
  uint32_t index = last_child_index(tree, parent);  // after that: the tree may have been renewed
  if (id >= first_node && index < tree.capacity) tree.last_children[index] = LastChild{address, id};
  return id;
}

void reset_call_tree(CallTree& tree, uint32_t generation) {
  forget_nodes(tree);
  tree.generation = generation;
  culprit_record record{};
  record.kind = CULPRIT_RECORD_TREE_RESET;
  record.extra = generation;
  put(record);
}

uint32_t name_id(CallTree& tree, const char* name) {
  constexpr size_t limit = 4096;
  uint64_t hash = 0x9ae16a3b2f90404full;
  size_t length = 0;
  for (; length < limit && name[length] != 0; ++length)
    hash = (hash ^ static_cast<uint8_t>(name[length])) * 0x100000001b3ull;
  hash ^= hash >> 32;
  hash |= 1;
  SentName& sent = tree.sent_names[hash & (sent_name_count - 1)];
  if (sent.hash == hash) return sent.id;

  if (length == limit) count_lost(CULPRIT_LOST_NAME_CUT);
  uint32_t cells = static_cast<uint32_t>((length + sizeof(culprit_record) - 1) / sizeof(culprit_record));
  if (length == 0 || !reserve_records(1 + cells)) return 0;
  uint32_t id = tree.next_string++;
  uint64_t head = thread.slot->head;
  culprit_record& definition = record_at(head);
  definition = culprit_record{};
  definition.kind = CULPRIT_RECORD_STRING;
  definition.node = id;
  definition.argument = static_cast<uint32_t>(length);
  for (uint32_t i = 0; i < cells; ++i) {
    size_t start = i * sizeof(culprit_record);
    size_t size = length - start < sizeof(culprit_record) ? length - start : sizeof(culprit_record);
    memcpy(&record_at(head + 1 + i), name + start, size);
  }
  publish_records(1 + cells);
  sent = SentName{hash, id};
  return id;
}

}  // namespace culprit::agent
