// The system call instructions of libc.so.6 and ld.so that the agent can patch (struct culprit_site in
// wire/agent_session.h).
//
// Every match lies on an instruction boundary (functions are disassembled from their start, which .eh_frame gives) and
// no jump of its function enters the replaced bytes anywhere but at their start or, where it stays intact, at the
// `syscall` itself.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "format/elf.h"
#include "wire/agent_session.h"

namespace culprit {

// A system call of a wanted number that no pattern fits: what is made there is not seen.
struct UnfitSite {
  uint32_t address = 0;  // link-time, of the `syscall` instruction
  uint16_t number = 0;
  std::string function;  // nearest symbol, or empty
  std::string reason;    // e.g. "a jump enters the bytes to replace"
};

struct PatchSites {
  std::vector<culprit_site> sites;  // ascending by address, disjoint
  std::vector<UnfitSite> unfit;     // of wanted numbers
  uint32_t unknown_numbers =
      0;  // `syscall` instructions whose number could not be told (computed, or handed in) and no pattern fits
};

// `wanted`: system call numbers. The function syscall() is fitted always, as any number can pass through it.
// x86-64 only: other machines have no sites. Thread-safe.
PatchSites find_patch_sites(const ElfFile& libc_or_loader, std::span<const uint16_t> wanted);

}  // namespace culprit
