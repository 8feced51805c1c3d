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

bool patch_site(const culprit_site& site, const culprit_patch_list& list) {
  // The function syscall() passes any number: both hooks are asked each time.
  bool any = site.kind == CULPRIT_SITE_ANY_CALL;
  const Hook* hook = any ? nullptr : find_hook(site.number);
  if (!any && hook == nullptr) return true;  // not of interest: nothing is lost
  bool before = any || hook->before != nullptr;
  bool after = any || hook->after != nullptr;
  if (site.kind == CULPRIT_SITE_AFTER) before = false;
  if (site.kind == CULPRIT_SITE_BEFORE_EXIT) after = false;
  return holds_original(site, list) && install_stub(site, list.bias, before, after);
}

void patch_library(const culprit_patch_list& list) {
  const culprit_site* sites = sites_of(list);
  uint64_t size = list.text_end - list.text_start;
  if (sites == nullptr || list.text_end <= list.text_start) return;
  // Writable but not executable meanwhile: nothing of libc runs now, and a kernel that refuses both at once need not be
  // asked.
  int64_t refused = raw_syscall(__NR_mprotect, list.text_start, size, read | write);
  if (refused < 0) {
    process.record->patch_error = static_cast<int32_t>(-refused);
    process.record->sites_refused += list.site_count;
    return;
  }
  for (uint32_t i = 0; i < list.site_count; ++i)
    ++(patch_site(sites[i], list) ? process.record->sites_patched : process.record->sites_refused);
  raw_syscall(__NR_mprotect, list.text_start, size, read | execute);
}

}  // namespace

void patch_libraries() {
  if (int64_t refused = protect_stubs(true); refused < 0) {
    process.record->patch_error = static_cast<int32_t>(-refused);
    return;
  }
  uint32_t count = process.record->patch_list_count;
  for (uint32_t i = 0; i < count && i < CULPRIT_PATCH_LISTS; ++i) patch_library(process.record->patches[i]);
  protect_stubs(false);
}

}  // namespace culprit::agent
