// Every command. To add one: a row here and a function beside the others of its subject.
#include "shell/command.h"
#include "shell/doctor.h"
#include "shell/handle_commands.h"
#include "shell/help_commands.h"

namespace culprit {

namespace {

constexpr OptionRow output_option{"--output", "-o", ValueKind::file, "FILE",
                                  "keep the recording, for `culprit handles FILE`"};
constexpr OptionRow json_option{"--json", "", ValueKind::none, "", "as JSON (docs/json.md)"};
constexpr OptionRow report_option{"--report", "", ValueKind::file, "FILE", "write the report to FILE"};
constexpr OptionRow fail_option{"--fail-on-leak", "", ValueKind::none, "", "exit status 1 when a leak is found"};
constexpr OptionRow suppressions_option{"--suppressions", "", ValueKind::file, "FILE",
                                        "leave out the stacks that FILE's patterns (function, module, file) match"};
constexpr OptionRow after_option{"--after", "", ValueKind::duration, "DURATION",
                                 "ignore handles made in the first 10s, 500ms, 2min … (warm-up)"};
constexpr OptionRow top_option{"--top", "", ValueKind::count, "N", "show the N worst groups (10)"};
constexpr OptionRow all_option{"--all", "", ValueKind::none, "",
                               "every group, also those with nothing left open, with every frame"};
constexpr OptionRow no_source_option{"--no-source", "", ValueKind::none, "", "no source lines"};
constexpr OptionRow wrappers_option{"--wrappers", "", ValueKind::none, "",
                                    "wrap libc's functions instead of patching its system calls (sees less)"};

constexpr OptionRow run_options[] = {output_option, json_option, report_option, fail_option,      suppressions_option,
                                     after_option,  top_option,  all_option,    no_source_option, wrappers_option};
constexpr OptionRow handles_options[] = {json_option,  report_option, fail_option, suppressions_option,
                                         after_option, top_option,    all_option,  no_source_option};
constexpr OptionRow doctor_options[] = {json_option};
constexpr OptionRow help_options[] = {
    {"--markdown", "", ValueKind::none, "", "the whole reference, as in docs/commands.md"}};

constexpr std::string_view run_details =
    "COMMAND runs as it would without culprit: its standard streams, signals, environment and exit status are its "
    "own.\n"
    "Its threads, its children and what they execute are followed. When the last of them has ended, the report goes "
    "to\n"
    "the error stream, or to the file that --report names.";
constexpr std::string_view handles_details =
    "RECORDING is a file that `culprit run -o` wrote, here or on another machine. An unfinished one (.partial) is read "
    "to\n"
    "its last whole block. The report goes to standard output.";
constexpr std::string_view doctor_details =
    "Looks at the agent, the C library, permissions, the clock, limits and symbol sources of this machine, and tells "
    "for\n"
    "each that does not work the reason and the remedy.";
constexpr std::string_view completion_details = "To use it now: source <(culprit completion bash)";

constexpr Command commands[] = {
    {"run", "[options] -- COMMAND [ARGUMENT…]", "run a program and report the handles it leaks", run_details,
     run_options, Operands::program, run_run},
    {"handles", "[options] RECORDING", "the same report, from a recording", handles_details, handles_options,
     Operands::one, run_handles},
    {"doctor", "[--json]", "what works on this machine, what does not, and what to do about it", doctor_details,
     doctor_options, Operands::none, run_doctor},
    {"help", "[COMMAND]", "explain culprit, or one command", "", help_options, Operands::at_most_one, run_help},
    {"completion",
     "bash",
     "print the completion script for a shell",
     completion_details,
     {},
     Operands::one,
     run_completion},
};

}  // namespace

std::span<const Command> all_commands() { return commands; }

}  // namespace culprit
