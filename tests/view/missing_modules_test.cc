#include "view/missing_modules.h"

#include <gtest/gtest.h>

namespace culprit {
namespace {

TEST(MissingModules, AreNamedWithTheirBuildIdAndWhereItWasLookedFor) {
  std::vector<MissingModule> modules = {{.module = {"/opt/server/bin/server", "12ab"},
                                         .why = "build id 12ab: /opt/server/bin/server is another build (99cd); not at "
                                                "./server, /usr/lib/debug/.build-id/12/ab",
                                         .stacks = 3},
                                        {.start = 0x7f0000, .why = "no build id: its path is not known"}};
  EXPECT_EQ(missing_modules_text(modules, {}),
            "2 files are missing that the process had mapped: functions in them have no\n"
            "  names, and stacks through them may end early\n"
            "  /opt/server/bin/server, on 3 stacks\n"
            "      build id 12ab: /opt/server/bin/server is another build (99cd); not at\n"
            "      ./server, /usr/lib/debug/.build-id/12/ab\n"
            "  a file without name at 0x7f0000\n"
            "      no build id: its path is not known\n"
            "  Put the very files beside the core, or install what they come from.\n");
}

TEST(MissingModules, SayNothingWhenNoneIsMissing) { EXPECT_EQ(missing_modules_text({}, {}), ""); }

TEST(MissingModules, DoNoHarmToATerminal) {
  std::vector<MissingModule> modules = {{.module = {"/bin/\x1b[2J", ""}, .why = "not at /bin/\x1b[2J"}};
  EXPECT_EQ(missing_modules_text(modules, {}).find('\x1b'), std::string::npos);
}

TEST(MissingModules, OfWhichThereAreManyAreNotAllTold) {
  std::vector<MissingModule> modules(1234, {.module = {"/lib/one", "ab"}, .why = "build id ab: not at /lib/one"});
  std::string text = missing_modules_text(modules, {.most = 2});
  EXPECT_NE(text.find("1,234 files"), std::string::npos);
  EXPECT_NE(text.find("… and 1,232 more"), std::string::npos);
}

}  // namespace
}  // namespace culprit
