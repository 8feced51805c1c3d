// Programs that no agent can be loaded into are recorded by ptrace, without being asked for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "support/run_culprit.h"

namespace culprit::test {
namespace {

using ::testing::HasSubstr;

// By culprit's own choice.
Json report_on(const Words& command) {
  TemporaryFolder folder;
  Words words{culprit_path(), "run", "--json", "--all", "--report", folder / "report", "--"};
  words.insert(words.end(), command.begin(), command.end());
  Ran ran = run(words);
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  std::string text = contents(folder / "report");
  return text.empty() ? Json() : Json::parse(text);
}

TEST(ByPtrace, AProgramWithoutLibcHasStacksByItsFramePointers) {
  Json report = report_on({program("without_libc")});
  ASSERT_FALSE(report.is_null());
  EXPECT_EQ(report["processes"][0].at("sight"), "ptrace");
  EXPECT_THAT(report["processes"][0].at("sight_reason").get<std::string>(), HasSubstr("static"));
  EXPECT_EQ(made_under(report, "leak_without_libc"), (Made{12, 0, 12}));
  EXPECT_EQ(made_under(report, "close_without_libc"), (Made{50, 50, 0}));
  EXPECT_EQ(made_under(report, "begin_without_libc"), (Made{62, 50, 12}));
  EXPECT_TRUE(report.at("exact").get<bool>());
  EXPECT_EQ(loss(report, "stack_truncated"), 0u);
}

TEST(ByPtrace, AGoProgramIsSeenWhole) {
  if (tool("go").empty()) GTEST_SKIP() << "go is not installed";
  TemporaryFolder folder;
  write_file(folder / "main.go", R"(package main

import "os"

var kept []*os.File

//go:noinline
func leakInGo() {
	file, _ := os.Open("/etc/passwd")
	kept = append(kept, file)
}

func main() {
	leakInGo() // the runtime's own handles are made with the first one
	done := make(chan bool)
	for i := 0; i < 8; i++ {
		go func() {
			for j := 0; j < 50; j++ {
				file, _ := os.Open("/dev/null")
				file.Close()
			}
			done <- true
		}()
	}
	for i := 0; i < 8; i++ {
		<-done
		leakInGo()
	}
}
)");
  RunOptions options;
  options.environment = {"GOCACHE=" + (folder / "cache"), "GO111MODULE=off", "CGO_ENABLED=0", "HOME=" + folder.path()};
  Ran built = run({tool("go"), "build", "-o", folder / "leaky", folder / "main.go"}, options);
  ASSERT_EQ(built.ending(), "exit 0") << built.err;
  Json report = report_on({folder / "leaky"});
  ASSERT_FALSE(report.is_null());
  EXPECT_EQ(report["processes"][0].at("sight"), "ptrace");
  EXPECT_EQ(made_under(report, "main.leakInGo", "runtime.netpollinit"), (Made{9, 0, 9}));
  EXPECT_EQ(made_under(report, "main.main.func1"), (Made{400, 400, 0}));
  EXPECT_TRUE(report.at("exact").get<bool>());
}

TEST(ByPtrace, A32BitProgramIsRefusedInASentence) {
  TemporaryFolder folder;
  std::string path = folder / "small";
  write_file(path, std::string("\x7f"
                               "ELF\1\1\1",
                               7) +
                       std::string(9, '\0') + std::string("\2\0\3\0\1\0\0\0", 8) + std::string(28, '\0'));
  chmod(path.c_str(), 0755);
  Ran ran = run({culprit_path(), "run", "--via", "ptrace", "--", path});
  EXPECT_EQ(ran.exit_code(), 2);
  EXPECT_THAT(ran.err, HasSubstr("is a 32-bit program: culprit does not know its system calls"));
}

TEST(ByPtrace, AProgramThatRunsIsAttachedTo) {
  TemporaryFolder folder;
  Running victim({program("steady_worker"), "1000000", folder / "ready", folder / "go"});
  ASSERT_TRUE(wait_for_file(folder / "ready"));
  Ran ran = run({culprit_path(), "handles", std::to_string(victim.pid()), "--via", "ptrace", "--for", "500ms"});
  EXPECT_EQ(ran.ending(), "exit 0") << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("by ptrace"));
  EXPECT_THAT(contents("/proc/" + std::to_string(victim.pid()) + "/status"), HasSubstr("TracerPid:\t0\n"));
}

}  // namespace
}  // namespace culprit::test
