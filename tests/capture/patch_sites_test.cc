#include "capture/patch_sites.h"

#include <gmock/gmock.h>

#include <set>

#include "base/mapping.h"
#include "support/eh_frame_builder.h"
#include "support/elf_builder.h"

namespace culprit {
namespace {

using namespace std::string_literals;
using testing::EhFrameBuilder;
using testing::ElfBuilder;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t text = 0x2000, frame_address = 0x8000;
constexpr uint16_t wanted[] = {0, 3, 16, 39, 60, 231, 257, 299};

const std::string ret = "\xc3", call = "\x0f\x05";
const std::string mov_close = "\xb8\x03\x00\x00\x00"s;    // mov $3,%eax
const std::string compare = "\x48\x3d\x00\xf0\xff\xff"s;  // cmp $-4096,%rax

// One library of these functions, one after the other, each with its FDE.
PatchSites sites_of(const std::vector<std::string>& functions) {
  EhFrameBuilder frame(frame_address);
  frame.cie();
  std::string code;
  ElfBuilder builder;
  for (const std::string& function : functions) {
    frame.fde(text + code.size(), function.size());
    builder.function("function" + std::to_string(code.size()), text + code.size(), function.size());
    code += function;
  }
  std::string file = builder.code(text, code).section(".eh_frame", frame_address, frame.finish()).finish();
  auto elf = parse_elf(as_bytes(file));
  EXPECT_TRUE(elf);
  return find_patch_sites(*elf, wanted);
}

std::string original(const culprit_site& site) { return {reinterpret_cast<const char*>(site.original), site.length}; }

TEST(PatchSites, FitTheUsualMoveBeforeTheCall) {
  PatchSites found = sites_of({"\x90" + mov_close + call + compare + ret});
  ASSERT_EQ(found.sites.size(), 1u);
  const culprit_site& site = found.sites[0];
  EXPECT_EQ(site.start, text + 1);
  EXPECT_EQ(site.number, 3);
  EXPECT_EQ(site.kind, CULPRIT_SITE_CALL);
  EXPECT_EQ(site.length, 7);
  EXPECT_EQ(site.syscall_offset, 5);
  EXPECT_EQ(original(site), mov_close + call);
  EXPECT_THAT(found.unfit, IsEmpty());
}

TEST(PatchSites, FitMovableInstructionsBetweenTheNumberAndTheCall) {
  const std::string between[] = {"\x8b\x7c\x24\x04",
                                 "\xbf\x9c\xff\xff\xff",
                                 "\x48\x89\xfe",
                                 "\x8b\x7d\xa0",
                                 "\x48\x89\xfe\xbf\x9c\xff\xff\xff",
                                 "\x31\xff",
                                 "\x45\x31\xd2",
                                 "\x4c\x8b\x54\x24\x08",
                                 "\x41\xb8\x08\x00\x00\x00"s};
  for (const std::string& instructions : between) {
    PatchSites found = sites_of({mov_close + instructions + call + ret});
    ASSERT_EQ(found.sites.size(), 1u) << instructions.size();
    EXPECT_EQ(found.sites[0].start, text);
    EXPECT_EQ(original(found.sites[0]), mov_close + instructions + call);
    EXPECT_EQ(found.sites[0].syscall_offset, 5 + instructions.size());
  }
}

TEST(PatchSites, DoNotFitWhatDependsOnItsAddressOrDoesMore) {
  const std::string between[] = {
      "\x48\x8d\x35\x00\x01\x00\x00"s,  // lea 0x100(%rip),%rsi
      "\x8b\x3d\x00\x01\x00\x00"s,      // mov 0x100(%rip),%edi
      "\x48\x83\xec\x08",               // sub $8,%rsp
      "\x48\x89\xfc",                   // mov %rdi,%rsp
      "\x8b\x3e",                       // mov (%rsi),%edi
      "\x57",                           // push %rdi
  };
  for (const std::string& instructions : between) {
    PatchSites found = sites_of({mov_close + instructions + call + ret});
    EXPECT_THAT(found.sites, IsEmpty()) << instructions.size();
    ASSERT_EQ(found.unfit.size(), 1u);
    EXPECT_EQ(found.unfit[0].number, 3);
    EXPECT_EQ(found.unfit[0].function, "function0");
    EXPECT_EQ(found.unfit[0].address, text + 5 + instructions.size());
  }
}

TEST(PatchSites, DoNotFitMoreThanSixteenBytes) {
  std::string long_way = "\xbf\x01\x00\x00\x00\x48\x89\xfe"s;
  EXPECT_THAT(sites_of({mov_close + long_way + call}).unfit, IsEmpty());
  PatchSites found = sites_of({mov_close + long_way + "\x31\xd2\x31\xff"s + call});
  ASSERT_EQ(found.unfit.size(), 1u);
  EXPECT_THAT(found.unfit[0].reason, HasSubstr("too long"));
}

TEST(PatchSites, DoNotFitWhereAJumpEntersTheReplacedBytes) {
  // jmp to the second movable instruction; then the site
  std::string jump_inside = "\xeb\x05"s + mov_close + "\x31\xff" + call + ret;
  PatchSites found = sites_of({jump_inside});
  EXPECT_THAT(found.sites, IsEmpty());
  ASSERT_EQ(found.unfit.size(), 1u);
  EXPECT_THAT(found.unfit[0].reason, HasSubstr("jump"));
}

TEST(PatchSites, FitWhereAJumpGoesToTheirStartOrToTheCallThatStays) {
  EXPECT_EQ(sites_of({"\xeb\x00"s + mov_close + call + ret}).sites.size(), 1u);
  EXPECT_EQ(sites_of({"\xeb\x05"s + mov_close + call + ret}).sites.size(), 1u);
}

TEST(PatchSites, DoNotFitWhereAnotherFunctionJumpsInside) {
  // The cold part of the first function: jmp rel32 back to its `xor`.
  std::string first = mov_close + "\x31\xff" + call + ret;
  std::string cold =
      "\xe9"s + testing::ByteWriter().u32(static_cast<uint64_t>(-int64_t{static_cast<int64_t>(first.size())})).text();
  PatchSites found = sites_of({first, cold});
  EXPECT_THAT(found.sites, IsEmpty());
  ASSERT_EQ(found.unfit.size(), 1u);
  EXPECT_THAT(found.unfit[0].reason, HasSubstr("elsewhere"));
}

TEST(PatchSites, FitTheFunctionThatMakesAnyCall) {
  std::string last_move = "\x4c\x8b\x4c\x24\x08";
  PatchSites found =
      sites_of({"\x48\x89\xf8\x48\x89\xf7\x48\x89\xd6\x48\x89\xca\x4d\x89\xc2\x4d\x89\xc8"s + last_move + call + ret});
  ASSERT_EQ(found.sites.size(), 1u);
  EXPECT_EQ(found.sites[0].kind, CULPRIT_SITE_ANY_CALL);
  EXPECT_EQ(found.sites[0].start, text + 18);
  EXPECT_EQ(found.sites[0].syscall_offset, 5);
  EXPECT_EQ(original(found.sites[0]), last_move + call);
}

TEST(PatchSites, FitReadBehindTheCallWhereThereIsNoRoomBefore) {
  PatchSites found = sites_of({"\x74\x0a\x31\xc0"s + call + compare + ret});
  ASSERT_EQ(found.sites.size(), 1u);
  EXPECT_EQ(found.sites[0].kind, CULPRIT_SITE_AFTER);
  EXPECT_EQ(found.sites[0].number, 0);
  EXPECT_EQ(original(found.sites[0]), compare);
  // With a movable instruction before it there is room.
  PatchSites roomy = sites_of({"\x8b\x7c\x24\x08\x31\xc0"s + call + compare + ret});
  ASSERT_EQ(roomy.sites.size(), 1u);
  EXPECT_EQ(roomy.sites[0].kind, CULPRIT_SITE_CALL);
  EXPECT_EQ(roomy.sites[0].length, 8);
}

TEST(PatchSites, DoNotFitBehindTheCallWhereTheComparisonIsJumpedTo) {
  PatchSites found = sites_of({"\xeb\x04\x31\xc0"s + call + compare + ret});
  EXPECT_THAT(found.sites, IsEmpty());
  EXPECT_EQ(found.unfit.size(), 1u);
}

TEST(PatchSites, FitTheNumberOfExitWhereItIsKeptForALoop) {
  // mov $60,%edx; loop: xor %edi,%edi; mov %edx,%eax; syscall; jmp loop
  PatchSites found = sites_of({"\x90\xba\x3c\x00\x00\x00\x31\xff\x89\xd0"s + call + "\xeb\xf8"});
  ASSERT_EQ(found.sites.size(), 1u);
  EXPECT_EQ(found.sites[0].kind, CULPRIT_SITE_BEFORE_EXIT);
  EXPECT_EQ(found.sites[0].number, 60);
  EXPECT_EQ(found.sites[0].start, text + 1);
  EXPECT_EQ(original(found.sites[0]), "\xba\x3c\x00\x00\x00"s);
}

TEST(PatchSites, TakeTheFallbackBehindExitGroupForNoEndOfAThread) {
  // _exit(): mov $231,%esi; mov $60,%edx; jmp 2f; 1: mov %edx,%eax; syscall; hlt; 2: mov %esi,%eax; syscall; jmp 1b
  PatchSites found =
      sites_of({"\xbe\xe7\x00\x00\x00\xba\x3c\x00\x00\x00\xeb\x05\x89\xd0\x0f\x05\xf4\x89\xf0\x0f\x05\xeb\xf5"s});
  ASSERT_EQ(found.sites.size(), 1u);
  EXPECT_EQ(found.sites[0].number, 231);
  EXPECT_EQ(found.sites[0].kind, CULPRIT_SITE_BEFORE_EXIT);
  EXPECT_THAT(found.unfit, IsEmpty());
}

TEST(PatchSites, BelongToTheFunctionBeforeThemWhereItsUnwindInformationEndsEarly) {
  EhFrameBuilder frame(frame_address);
  frame.cie().fde(text, 5);  // clone(): only the mov is covered
  std::string file =
      ElfBuilder().code(text, mov_close + call + ret).section(".eh_frame", frame_address, frame.finish()).finish();
  EXPECT_EQ(find_patch_sites(*parse_elf(as_bytes(file)), wanted).sites.size(), 1u);
}

TEST(PatchSites, AreNotFoundInsideOtherInstructionsNorForOtherNumbers) {
  // movabs whose constant looks like a site
  EXPECT_THAT(sites_of({"\x48\xb8\xb8\x03\x00\x00\x00\x0f\x05\x90"s + ret}).sites, IsEmpty());
  PatchSites other = sites_of({"\xb8\x01\x00\x00\x00"s + call + ret});
  EXPECT_THAT(other.sites, IsEmpty());
  EXPECT_THAT(other.unfit, IsEmpty());
}

TEST(PatchSites, CountCallsOfUnknownNumber) { EXPECT_EQ(sites_of({"\x8b\x07"s + call + ret}).unknown_numbers, 1u); }

TEST(PatchSites, UseSymbolsWhereThereIsNoUnwindInformation) {
  std::string file = ElfBuilder().code(text, mov_close + call + ret).function("close", text, 8).finish();
  EXPECT_EQ(find_patch_sites(*parse_elf(as_bytes(file)), wanted).sites.size(), 1u);
}

// What the agent asks for.
constexpr uint16_t hooked[] = {2,   85,  257, 437, 3,   436, 32,  33,  292, 72,  22,  293, 41,  53,  43,
                               288, 47,  299, 0,   55,  16,  284, 290, 213, 291, 283, 282, 289, 253, 294,
                               300, 319, 447, 434, 438, 304, 240, 298, 321, 323, 425, 428, 430, 432, 433,
                               444, 317, 157, 56,  57,  58,  435, 59,  322, 60,  231, 11,  9,   25,  272};

class InstalledLibrary : public ::testing::TestWithParam<const char*> {};

TEST_P(InstalledLibrary, IsFittedEverywhere) {
  auto file = Mapping::of_file(GetParam());
  if (!file) GTEST_SKIP() << file.error().what;
  auto elf = parse_elf(file->bytes());
  ASSERT_TRUE(elf);
  PatchSites found = find_patch_sites(*elf, hooked);
  for (const UnfitSite& site : found.unfit)
    ADD_FAILURE() << std::hex << site.address << std::dec << " call " << site.number << " in " << site.function << ": "
                  << site.reason;
  EXPECT_GT(found.sites.size(), 5u);
  uint64_t end = 0;
  for (const culprit_site& site : found.sites) {
    EXPECT_GE(site.start, end);
    end = site.start + site.length;
    EXPECT_GE(site.length, 5);
    EXPECT_EQ(as_text(elf->at_address(site.start, site.length)), original(site));
    bool has_call = site.kind == CULPRIT_SITE_CALL || site.kind == CULPRIT_SITE_ANY_CALL;
    if (has_call) {
      EXPECT_EQ(original(site).substr(site.syscall_offset), call);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Glibc, InstalledLibrary,
                         ::testing::Values("/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"));

TEST(PatchSites, CoverWhatLibcUsesToMakeAndCloseHandles) {
  auto file = Mapping::of_file("/lib/x86_64-linux-gnu/libc.so.6");
  if (!file) GTEST_SKIP() << file.error().what;
  std::set<uint16_t> numbers;
  bool has_any = false;
  for (const culprit_site& site : find_patch_sites(*parse_elf(file->bytes()), hooked).sites) {
    numbers.insert(site.number);
    has_any = has_any || site.kind == CULPRIT_SITE_ANY_CALL;
  }
  EXPECT_TRUE(has_any);
  for (uint16_t number :
       {3, 257, 32, 33, 292, 293, 41, 53, 288, 47, 299, 290, 291, 283, 289, 294, 319, 436, 56, 59, 60, 231})
    EXPECT_TRUE(numbers.contains(number)) << number;
}

}  // namespace
}  // namespace culprit
