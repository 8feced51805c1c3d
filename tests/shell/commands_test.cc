#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/text.h"
#include "shell/command.h"
#include "shell/help.h"

namespace culprit {
namespace {

using ::testing::HasSubstr;

std::string content_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// A file that a command writes into, in place of a terminal.
class Capture {
 public:
  Capture() : file_(std::tmpfile()) {}
  ~Capture() { std::fclose(file_); }
  int fd() const { return fileno(file_); }
  std::string text() const {
    std::string content(static_cast<size_t>(::lseek(fd(), 0, SEEK_END)), '\0');
    EXPECT_EQ(::pread(fd(), content.data(), content.size(), 0), static_cast<ssize_t>(content.size()));
    return content;
  }

 private:
  std::FILE* file_;
};

struct Said {
  Ending ending;
  std::string output, errors;
};
Said say(std::string_view name, const Arguments& arguments) {
  Capture output, errors;
  Ending ending = find_command(name)->run(arguments, {output.fd(), errors.fd()});
  return {ending, output.text(), errors.text()};
}

TEST(Commands, HaveCompleteRows) {
  std::set<std::string_view> names;
  for (const Command& command : all_commands()) {
    EXPECT_TRUE(names.insert(command.name).second) << command.name;
    EXPECT_NE(command.run, nullptr) << command.name;
    EXPECT_FALSE(command.description.empty()) << command.name;
    std::set<std::string_view> options;
    for (const OptionRow& option : command.options) {
      EXPECT_TRUE(options.insert(option.name).second) << option.name;
      EXPECT_TRUE(option.name.starts_with("--")) << option.name;
      EXPECT_EQ(option.value.empty(), option.kind == ValueKind::none) << option.name;
      EXPECT_FALSE(option.description.empty()) << option.name;
    }
  }
}

TEST(Commands, AreDescribedInTheReference) {
  std::filesystem::path docs = std::filesystem::path(CULPRIT_SOURCE_FOLDER) / "docs/commands.md";
  EXPECT_EQ(content_of(docs), commands_markdown()) << "culprit help --markdown > docs/commands.md";
}

// Without the line breaks and columns that make it fit the terminal.
std::string on_one_line(std::string_view text) {
  std::string line;
  for (char c : text) {
    bool is_blank = c == ' ' || c == '\n';
    if (!is_blank || !line.ends_with(' ')) line += is_blank ? ' ' : c;
  }
  return line;
}

TEST(Commands, ExplainEveryOption) {
  for (const Command& command : all_commands()) {
    std::string help = command_help(command);
    EXPECT_THAT(on_one_line(overview_help()), HasSubstr(std::string(command.description)));
    EXPECT_THAT(bash_completion(), HasSubstr("    '" + std::string(command.name) + "') "));
    for (const OptionRow& option : command.options) {
      EXPECT_THAT(help, HasSubstr(std::string(option.name)));
      EXPECT_THAT(bash_completion(), HasSubstr(std::string(option.name)));
    }
  }
}

TEST(Help, FitsItsLines) {
  constexpr size_t widest = 120;
  for (const Command& command : all_commands())
    for (std::istringstream lines(std::string(command.details)); lines.good();) {
      std::string line;
      std::getline(lines, line);
      EXPECT_LE(display_width(line), widest) << command.name << ": " << line;
    }
}

TEST(Help, ExplainsOneCommandOrAll) {
  EXPECT_EQ(say("help", {}).output, overview_help());
  EXPECT_EQ(say("help", {{"run"}, {}}).output, command_help(*find_command("run")));
  Said said = say("help", {{"rnu"}, {}});
  EXPECT_EQ(said.ending.status, 2);
  EXPECT_EQ(said.errors, "culprit: there is no command 'rnu'; did you mean `culprit run`?\n");
}

TEST(Completion, IsForBash) {
  EXPECT_EQ(say("completion", {{"bash"}, {}}).output, bash_completion());
  EXPECT_EQ(say("completion", {{"tcsh"}, {}}).ending.status, 2);
}

TEST(Completion, IsAScriptThatBashUnderstands) {
  std::filesystem::path script = std::filesystem::path(testing::TempDir()) / "culprit_completion.bash";
  std::ofstream(script)
      << bash_completion()
      << "COMP_WORDS=(culprit run --js); COMP_CWORD=2; _culprit; [[ ${COMPREPLY[*]} == --json ]] || exit 1\n"
         "COMP_WORDS=(culprit ha); COMP_CWORD=1; _culprit; [[ ${COMPREPLY[*]} == handles ]] || exit 2\n"
         "COMP_WORDS=(culprit help do); COMP_CWORD=2; _culprit; [[ ${COMPREPLY[*]} == doctor ]] || exit 3\n";
  EXPECT_EQ(std::system(("bash '" + script.string() + "'").c_str()), 0);
  std::filesystem::remove(script);
}

TEST(Handles, SaysWhatItCannotReadInOneSentence) {
  EXPECT_EQ(say("handles", {{"1073741822"}, {}}).errors, "culprit: there is no process 1073741822\n");
  Said program = say("handles", {{"/proc/self/exe"}, {}});
  EXPECT_THAT(program.errors, HasSubstr("/proc/self/exe"));
  EXPECT_EQ(std::count(program.errors.begin(), program.errors.end(), '\n'), 1);
  EXPECT_EQ(program.ending.status, 2);
  Said missing = say("handles", {{"/nowhere/x.culprit"}, {}});
  EXPECT_EQ(missing.ending.status, 2);
  EXPECT_THAT(missing.errors, HasSubstr("/nowhere/x.culprit"));
  EXPECT_EQ(std::count(missing.errors.begin(), missing.errors.end(), '\n'), 1);
}

TEST(Run, ChecksItsOptionsBeforeAnythingStarts) {
  std::filesystem::path witness = std::filesystem::path(testing::TempDir()) / "culprit_run_witness";
  std::filesystem::remove(witness);
  Said said = say("run", {{"touch", witness.string()}, {{"--report", "/nowhere/report"}}});
  EXPECT_EQ(said.ending.status, 2);
  EXPECT_THAT(said.errors, HasSubstr("/nowhere/report"));
  EXPECT_EQ(say("run", {{"touch", witness.string()}, {{"--suppressions", "/nowhere/file"}}}).ending.status, 2);
  EXPECT_FALSE(std::filesystem::exists(witness));
}

TEST(Doctor, SaysTheSameAsTextAndAsJson) {
  Said text = say("doctor", {});
  Said json = say("doctor", {{}, {{"--json", ""}}});
  EXPECT_EQ(text.ending.status, 0);
  for (std::string_view area : {"agent", "ptrace", "BPF", "symbols", "limits"}) {
    EXPECT_THAT(text.output, HasSubstr("\n" + std::string(area) + ": "));
    EXPECT_THAT(json.output, HasSubstr("\"area\": \"" + std::string(area) + "\""));
  }
}

}  // namespace
}  // namespace culprit
