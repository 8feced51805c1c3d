#include "agent/patch.h"

#include "agent/hooks.h"
#include "agent/process.h"
#include "agent/raw_syscall.h"
#include "agent/stubs.h"

namespace culprit::agent {

namespace {

constexpr uint64_t read = 1, write = 2, execute = 4;

const culprit_site* sites_of(const culprit_patch_list& list) {
  if (list.sites > process.tables_end || list.site_count > (process.tables_end - list.sites) / sizeof(culprit_site))
    return nullptr;
  return reinterpret_cast<const culprit_site*>(process.base + list.sites);
}

bool holds_original(const culprit_site& site, const culprit_patch_list& list) {
  uint64_t start = list.bias + site.start;
  if (site.length > sizeof site.original || start < list.text_start || start + site.length > list.text_end)
    return false;
  auto* bytes = reinterpret_cast<const uint8_t*>(start);
  for (uint8_t i = 0; i < site.length; ++i)
    if (bytes[i] != site.original[i]) return false;
  return true;
}

// Makes the stub of a site. Its address; 0: there is none, as the site is not as expected, or no stub can reach it.
uint64_t stub_of(const culprit_site& site, const culprit_patch_list& list) {
  // The function syscall() passes any number: both hooks are asked each time.
  bool any = site.kind == CULPRIT_SITE_ANY_CALL;
  const Hook* hook = any ? nullptr : find_hook(site.number);
  bool before = any || (hook != nullptr && hook->is_before() && site.kind != CULPRIT_SITE_AFTER);
  bool after = any || (hook != nullptr && hook->is_after() && site.kind != CULPRIT_SITE_BEFORE_EXIT);
  return holds_original(site, list) ? make_stub(site, list.bias, before, after) : 0;
}

// Not of interest: nothing is lost.
bool is_unwanted(const culprit_site& site) {
  return site.kind != CULPRIT_SITE_ANY_CALL && find_hook(site.number) == nullptr;
}

// Makes the stubs of a library's sites and has `connect(stub, place)` lead there.
template <typename Connect>
void make_stubs(const culprit_patch_list& list, Connect connect) {
  const culprit_site* sites = sites_of(list);
  for (uint32_t i = 0; sites != nullptr && i < list.site_count; ++i) {
    if (is_unwanted(sites[i])) continue;
    uint64_t stub = stub_of(sites[i], list);
    if (stub != 0) connect(stub, list.bias + sites[i].start);
    ++(stub != 0 ? process.record->sites_patched : process.record->sites_refused);
  }
}

void patch_library(const culprit_patch_list& list) {
  uint64_t size = list.text_end - list.text_start;
  if (list.text_end <= list.text_start) return;
  // Writable but not executable meanwhile: nothing of libc runs now, and a kernel that refuses both at once need not be
  // asked.
  int64_t refused = raw_syscall(__NR_mprotect, list.text_start, size, read | write);
  if (refused < 0) {
    process.record->patch_error = static_cast<int32_t>(-refused);
    process.record->sites_refused += list.site_count;
    return;
  }
  make_stubs(list, put_jump_to);
  raw_syscall(__NR_mprotect, list.text_start, size, read | execute);
}

template <typename Work>
bool with_each_list(Work work) {
  if (int64_t refused = protect_stubs(true); refused < 0) {
    process.record->patch_error = static_cast<int32_t>(-refused);
    return false;
  }
  uint32_t count = process.record->patch_list_count;
  for (uint32_t i = 0; i < count && i < CULPRIT_PATCH_LISTS; ++i) work(process.record->patches[i]);
  protect_stubs(false);
  return true;
}

}  // namespace

void patch_libraries() { with_each_list(patch_library); }

bool prepare_jumps(culprit_attach& attach) {
  return with_each_list([&](const culprit_patch_list& list) {
    make_stubs(list, [&](uint64_t stub, uint64_t place) { attach.jumps[attach.jump_count++] = {place, stub}; });
  });
}

}  // namespace culprit::agent
