// Every command. To add one: a row here and a function beside the others of its subject.
#include "shell/attach_command.h"
#include "shell/catch_commands.h"
#include "shell/command_details.h"
#include "shell/command_options.h"
#include "shell/crash_commands.h"
#include "shell/diff_command.h"
#include "shell/doctor.h"
#include "shell/handle_commands.h"
#include "shell/heap_commands.h"
#include "shell/help_commands.h"
#include "shell/lock_commands.h"
#include "shell/record_commands.h"
#include "shell/shell_command.h"
#include "shell/thread_commands.h"
#include "shell/watch_command.h"

namespace culprit {

namespace {

constexpr Command commands[] = {
    {"run", "[options] -- COMMAND [ARGUMENT…]", "run a program and report the handles it leaks", run_details,
     run_options, Operands::program, run_run},
    {"handles", "[options] RECORDING|PID|NAME|CORE", "what a process has open, or the report of a recording",
     handles_details, handles_options, Operands::one, run_handles},
    {"heap", "[options] PID|NAME|CORE|RECORDING", "who eats the memory: arenas, sizes, classes, leaks, stacks",
     heap_details, heap_options, Operands::one, run_heap},
    {"attach", "[options] PID|NAME", "watch the handles of a process that runs, and ask about them", attach_details,
     attach_options, Operands::one, run_attach},
    {"shell", "[options] PID|NAME|CORE|RECORDING", "the console: ask about threads, stacks, memory, symbols",
     shell_details, shell_options, Operands::one, run_shell},
    {"diff", "[options] RECORDING [RECORDING]", "what has changed between two moments, or two recordings", diff_details,
     diff_options, Operands::one_or_two, run_diff},
    {"record start", "[options]", "record in the background", record_start_details, record_start_options,
     Operands::none, run_record_start},
    {"record stop", "[NAME]", "end a recorder and complete its recording", record_stop_details, doctor_options,
     Operands::at_most_one, run_record_stop},
    {"record status", "[NAME]", "what the recorders do: events, losses, size, cost", "", doctor_options,
     Operands::at_most_one, run_record_status},
    {"record cancel", "[NAME]", "end a recorder and throw away what it recorded", "", doctor_options,
     Operands::at_most_one, run_record_cancel},
    {"stacks", "[options] TARGET", "what all threads do: their stacks, equal ones folded, and what they wait for",
     stacks_details, stacks_options, Operands::one, run_stacks},
    {"watch", "[options] PID|NAME|--all", "how many handles there are, and whether they grow", watch_details,
     watch_options, Operands::at_most_one, run_watch},
    {"locks", "[options] PID|NAME|CORE", "who holds the lock that everybody waits for: owners, waiters, deadlocks",
     locks_details, locks_options, Operands::one, run_locks},
    {"crash", "[options] CORE|PID|NAME [BINARY|CORE…]", "what ended a process: where, why and whose fault it was",
     crash_details, crash_options, Operands::one_or_more, run_crash},
    {"catch install", "[options]", "keep a page about every crash on this machine", catch_install_details,
     catch_install_options, Operands::none, run_catch_install},
    {"catch uninstall", "[options]", "catch no more crashes, and restore the kernel's core_pattern",
     catch_uninstall_details, state_options, Operands::none, run_catch_uninstall},
    {"catch list", "[options]", "the crashes that were caught", "", catch_options, Operands::none, run_catch_list},
    {"catch show", "[options] [N]", "the page about a crash that was caught (the newest)", "", catch_options,
     Operands::at_most_one, run_catch_show},
    {"catch handle", "[options] [PID]", "read a core from standard input and keep the page about it",
     catch_handle_details, state_options, Operands::at_most_one, run_catch_handle},
    {"doctor", "[--json]", "what works on this machine, and what to do about the rest", doctor_details, doctor_options,
     Operands::none, run_doctor},
    {"help", "[COMMAND]", "explain culprit, or one command", "", help_options, Operands::at_most_two, run_help},
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
