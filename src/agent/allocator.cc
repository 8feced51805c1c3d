#include "agent/allocator.h"

extern "C" {
void* dlsym(void* handle, const char* name) __attribute__((weak));  // in libc since glibc 2.34, before in libdl
extern const char culprit_exported_malloc __attribute__((weak, visibility("hidden")));
// glibc's own, exported for those who stand in front of it.
void* __libc_malloc(size_t) __attribute__((weak));
void* __libc_calloc(size_t, size_t) __attribute__((weak));
void* __libc_realloc(void*, size_t) __attribute__((weak));
void* __libc_memalign(size_t, size_t) __attribute__((weak));
void* __libc_valloc(size_t) __attribute__((weak));
void* __libc_pvalloc(size_t) __attribute__((weak));
void __libc_free(void*) __attribute__((weak));
}

namespace culprit::agent {

namespace {

// For what dlsym() itself allocates (before glibc 2.34 it may).
alignas(16) unsigned char spare_memory[4096];
size_t spare_used;
bool finding;

void* spare_malloc(size_t size) {
  size_t whole = (size + 15) & ~size_t{15};
  if (whole < size || whole > sizeof spare_memory - spare_used) return nullptr;
  void* block = spare_memory + spare_used;
  spare_used += whole;
  return block;
}
void* spare_calloc(size_t count, size_t size) {
  // Nothing was ever written there.
  return size != 0 && count > sizeof spare_memory / size ? nullptr : spare_malloc(count * size);
}
void* no_realloc(void*, size_t) { return nullptr; }
void* no_memalign(size_t, size_t) { return nullptr; }
void no_free(void*) {}

int posix_memalign_by_memalign(void** block, size_t alignment, size_t size) {
  constexpr int invalid = 22, no_memory = 12;
  if (alignment % sizeof(void*) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return invalid;
  void* found = allocator.memalign(alignment, size);
  if (found == nullptr) return no_memory;
  *block = found;
  return 0;
}

template <typename Function>
void find(Function*& function, const char* name, Function* otherwise) {
  auto next_in_search_order = reinterpret_cast<void*>(-1L);  // RTLD_NEXT
  void* found = dlsym == nullptr ? nullptr : dlsym(next_in_search_order, name);
  function = found != nullptr ? reinterpret_cast<Function*>(found) : otherwise;
}

}  // namespace

Allocator allocator{spare_malloc, spare_calloc, no_realloc, no_memalign, no_memalign, posix_memalign_by_memalign,
                    spare_malloc, spare_malloc, no_free};
bool allocator_found;

void find_allocator() {
  if (finding) return;
  finding = true;
  Allocator found{};
  find(found.malloc, "malloc", __libc_malloc);
  find(found.calloc, "calloc", __libc_calloc);
  find(found.realloc, "realloc", __libc_realloc);
  find(found.memalign, "memalign", __libc_memalign);
  find(found.aligned_alloc, "aligned_alloc", found.memalign);
  find(found.posix_memalign, "posix_memalign", posix_memalign_by_memalign);
  find(found.valloc, "valloc", __libc_valloc);
  find(found.pvalloc, "pvalloc", __libc_pvalloc);
  find(found.free, "free", __libc_free);
  allocator = found;
  allocator_found = true;
}

namespace {

bool is_of_libc(const Allocator& real) { return real.malloc == __libc_malloc && real.free == __libc_free; }

}  // namespace

// One that was needed before it was found has spare blocks about, which it does not know.
bool is_allocator_of_libc() { return is_of_libc(real_allocator()) && spare_used == 0; }

bool stands_before_allocator() { return &culprit_exported_malloc != nullptr; }
bool stands_before_foreign_malloc() { return stands_before_allocator() && allocator_found && !is_of_libc(allocator); }

bool is_spare(const void* block) {
  return reinterpret_cast<size_t>(block) - reinterpret_cast<size_t>(spare_memory) < sizeof spare_memory;
}

size_t spare_size(const void* block) {
  return reinterpret_cast<size_t>(spare_memory) + sizeof spare_memory - reinterpret_cast<size_t>(block);
}

}  // namespace culprit::agent
