// What can be said to each command, for all_commands.cc.
#pragma once

#include "shell/command.h"

namespace culprit {

constexpr OptionRow output_option{"--output", "-o", ValueKind::file, "FILE",
                                  "keep the recording, for `culprit handles FILE`"};
constexpr OptionRow json_option{"--json", "", ValueKind::none, "", "as JSON (docs/json.md)"};
constexpr OptionRow report_option{"--report", "", ValueKind::file, "FILE", "write the report to FILE"};
constexpr OptionRow fail_option{"--fail-on-leak", "", ValueKind::none, "", "exit status 1 when a leak is found"};
constexpr OptionRow suppressions_option{"--suppressions", "", ValueKind::file, "FILE",
                                        "leave out the stacks that FILE's patterns (function, module, file) match"};
constexpr OptionRow blame_option{
    "--blame-rules", "", ValueKind::file, "FILE",
    "more rules on whom to blame, before culprit's own and those of ~/.config/culprit/blame"};
constexpr OptionRow after_option{"--after", "", ValueKind::duration, "DURATION",
                                 "ignore handles made in the first 10s, 500ms, 2min … (warm-up)"};
constexpr OptionRow top_option{"--top", "", ValueKind::count, "N", "show the N worst groups (10)"};
constexpr OptionRow all_option{"--all", "", ValueKind::none, "",
                               "every group, also those with nothing left open, with every frame"};
constexpr OptionRow no_source_option{"--no-source", "", ValueKind::none, "", "no source lines"};
constexpr OptionRow wrappers_option{"--wrappers", "", ValueKind::none, "",
                                    "wrap libc's functions instead of patching its system calls (sees less)"};

constexpr OptionRow run_via_option{
    "--via", "", ValueKind::text, "agent|bpf|ptrace",
    "who watches: the agent inside (the default); the kernel (root), which sees every way to make a handle and touches "
    "nothing; or ptrace, slow, for programs without glibc (the default for those)"};

constexpr OptionRow by_option{
    "--by", "", ValueKind::text, "LIST",
    "a tree of groups: any of closing, owning, program, type, creating, stack, how, object, name, "
    "thread, module, function, closing_stack in any order; `default` is closing,owning,type,creating,stack"};
constexpr OptionRow handles_all_option{"--all", "", ValueKind::none, "",
                                       "every group, also those with nothing left open, with every frame; with --by "
                                       "also closed handles, and those that were there before"};
constexpr OptionRow process_option{"--process", "", ValueKind::text, "NAME|PID[,…]",
                                   "only handles owned by these processes (* and ? match)"};
constexpr OptionRow type_option{"--type", "", ValueKind::text, "TYPE[,…]",
                                "only these types: socket, pipe, perf_event …"};
constexpr OptionRow stack_option{"--stack", "", ValueKind::text, "REGEX",
                                 "only made by stacks with a function, file:line or module like that"};
constexpr OptionRow not_stack_option{"--not-stack", "", ValueKind::text, "REGEX", "only made by stacks without one"};
constexpr OptionRow min_age_option{"--min-age", "", ValueKind::duration, "DURATION",
                                   "only handles that were open for at least that long"};
constexpr OptionRow from_option{"--from", "--since", ValueKind::text, "TIME|MARK",
                                "only made since then: 10s after the beginning, or a mark's name"};
constexpr OptionRow to_option{"--to", "", ValueKind::text, "TIME|MARK", "as if the recording had ended then"};
constexpr OptionRow outstanding_option{"--outstanding", "", ValueKind::none, "",
                                       "only handles that nothing in the program closed (the default of --by)"};
constexpr OptionRow csv_option{"--csv", "", ValueKind::none, "", "as comma-separated values, one row per group"};
constexpr OptionRow depth_option{"--depth", "", ValueKind::count, "N", "only the first N columns of --by"};
constexpr OptionRow over_time_option{"--over-time", "", ValueKind::none, "",
                                     "how many were open when; with --by process or --by type a line for each"};
constexpr OptionRow value_option{"--value", "", ValueKind::text, "N",
                                 "all that happened to the handle number N, with both stacks"};
constexpr OptionRow summary_option{"--summary", "", ValueKind::none, "",
                                   "of a process as it is now: only how many of each type"};
constexpr OptionRow diff_from_option{"--from", "--since", ValueKind::text, "TIME|MARK",
                                     "the first moment: 10s after the beginning, or a mark (the newest one)"};
constexpr OptionRow diff_to_option{"--to", "", ValueKind::text, "TIME|MARK", "the second moment (the end)"};
constexpr OptionRow diff_all_option{"--all", "", ValueKind::none, "", "of two recordings, also what did not change"};
constexpr OptionRow diff_handles_option{"--handles", "", ValueKind::none, "",
                                        "of recordings of memory: compare their handles all the same"};
constexpr OptionRow diff_top_option{"--top", "", ValueKind::count, "N", "show the N groups that changed most"};

constexpr OptionRow live_via_option{
    "--via", "", ValueKind::text, "bpf|agent|ptrace",
    "who watches: the kernel (root; touches nothing), an agent put inside, or a tracer; by itself the best that works"};
constexpr OptionRow for_option{"--for", "", ValueKind::duration, "DURATION",
                               "of a process: record it that long, then answer (Ctrl-C ends it earlier)"};
constexpr OptionRow until_enter_option{"--until-enter", "", ValueKind::none, "",
                                       "of a process: record it until Enter is pressed, then answer"};
constexpr OptionRow command_option{"--command", "-c", ValueKind::text, "COMMANDS",
                                   "these commands, separated by semicolons, instead of asking for some"};

constexpr OptionRow watch_all_option{"--all", "", ValueKind::none, "",
                                     "the whole machine: the ten processes with the most"};
constexpr OptionRow interval_option{"--interval", "", ValueKind::duration, "DURATION", "between two looks (1s)"};
constexpr OptionRow looks_option{"--count", "", ValueKind::count, "N", "end after N looks"};
constexpr OptionRow above_option{"--fail-above", "", ValueKind::count, "N",
                                 "end with exit status 1 as soon as a process has more than N handles open"};
constexpr OptionRow prometheus_option{"--prometheus", "", ValueKind::text, "ADDRESS",
                                      "serve the counts to Prometheus: 127.0.0.1:9100 or another port of loopback"};
constexpr OptionRow watch_json_option{"--json", "", ValueKind::none, "",
                                      "one JSON object per line and look (docs/json.md)"};

constexpr OptionRow heap_option{"--heap", "", ValueKind::none, "",
                                "record what it allocates, too, and report its memory instead of its handles"};
constexpr OptionRow sample_option{"--sample", "", ValueKind::size, "SIZE",
                                  "with --heap: record only the block of one byte of so many, and estimate (512K)"};
constexpr OptionRow left_option{
    "--outstanding", "", ValueKind::none, "",
    "with --heap: all memory that is left is the leak; the program is not looked at as it ends"};
constexpr OptionRow mappings_option{"--mappings", "", ValueKind::none, "",
                                    "of a recording: what was mapped beside the allocator (mmap, mremap, brk)"};
constexpr OptionRow peak_option{"--peak", "", ValueKind::none, "", "what lived when most memory was in use"};
constexpr OptionRow temporary_option{"--temporary", "", ValueKind::none, "",
                                     "what was freed before its thread allocated again"};
constexpr OptionRow heap_over_time_option{"--over-time", "", ValueKind::none, "",
                                          "how much was in use when, of all and of each group"};
constexpr OptionRow heap_by_option{"--by", "", ValueKind::text, "size|type|stack",
                                   "what makes a group: size, class (of a process or core), stack (of a recording)"};
constexpr OptionRow heap_from_option{"--from", "--since", ValueKind::text, "TIME|MARK",
                                     "only allocated since then: 10s after the beginning, or a mark's name"};

constexpr OptionRow run_options[] = {output_option,       json_option,    report_option, fail_option,
                                     suppressions_option, after_option,   top_option,    all_option,
                                     heap_option,         sample_option,  left_option,   no_source_option,
                                     wrappers_option,     run_via_option, blame_option};
constexpr OptionRow handles_options[] = {
    json_option,     csv_option,         report_option,    fail_option,      suppressions_option, after_option,
    top_option,      handles_all_option, no_source_option, by_option,        depth_option,        outstanding_option,
    process_option,  type_option,        stack_option,     not_stack_option, min_age_option,      from_option,
    to_option,       over_time_option,   value_option,     summary_option,   for_option,          until_enter_option,
    live_via_option, output_option,      blame_option};
constexpr OptionRow watch_options[] = {watch_all_option, interval_option,   looks_option,
                                       above_option,     prometheus_option, watch_json_option};
constexpr OptionRow attach_options[] = {live_via_option, output_option, command_option, blame_option};
constexpr OptionRow diff_options[] = {json_option,         csv_option,       report_option,    diff_top_option,
                                      diff_all_option,     diff_from_option, diff_to_option,   process_option,
                                      type_option,         stack_option,     not_stack_option, min_age_option,
                                      diff_handles_option, mappings_option,  blame_option};
constexpr OptionRow record_start_options[] = {
    {"--all", "", ValueKind::none, "", "every process, also those that start later (root)"},
    {"--pid", "", ValueKind::text, "PID[,…]", "these processes and their children"},
    {"--name", "", ValueKind::text, "NAME[,…]", "programs called so, also those that start later"},
    {"--cgroup", "", ValueKind::text, "PATH[,…]", "the processes in a cgroup, also those that come later"},
    {"--uid", "", ValueKind::text, "USER[,…]", "the processes of a user, by name or number"},
    {"--types", "", ValueKind::text, "TYPE[,…]", "only handles of these types: socket, pipe, perf_event …"},
    {"--output", "-o", ValueKind::file, "FILE", "the recording (culprit-1.culprit, -2 …)"},
    {"--circular", "", ValueKind::size, "SIZE", "keep the newest events in a file of that size; what is open is kept"},
    {"--max-size", "", ValueKind::size, "SIZE", "end when the file has that size"},
    {"--for", "", ValueKind::duration, "DURATION", "end by itself after that time"},
    {"--stop-when", "", ValueKind::text, "CONDITION", "end by itself: handles(server) > 5000 or size > 2G"},
    {"--buffer", "", ValueKind::size, "SIZE", "between the kernel or process and the recorder (16M)"},
    {"--memory", "", ValueKind::size, "SIZE", "at most so much for the recorder's own tables (256M)"},
    live_via_option,
    json_option};
constexpr OptionRow executable_option{"--executable", "", ValueKind::text, "FILE",
                                      "where the program of a core is, if not where the core says"};
constexpr OptionRow heap_options[] = {
    json_option,
    heap_by_option,
    {"--count", "", ValueKind::none, "", "of a process or core: most blocks first, instead of most bytes"},
    {"--size", "", ValueKind::text, "N", "the same: blocks of this size, as it was asked for; alone: each of them"},
    {"--range", "", ValueKind::text, "A-B", "the same: blocks that can hold from A to B bytes; alone: each of them"},
    {"--arena", "", ValueKind::text, "ARENA", "the same: one arena, by address or by number (0 is the main one)"},
    {"--list", "", ValueKind::none, "", "the same: blocks in use one by one"},
    {"--block", "", ValueKind::text, "ADDRESS",
     "what lies there: state, size, class, neighbours, who points to it; of a recording: all blocks that lay there"},
    {"--unreachable", "", ValueKind::none, "", "the same: leaks, blocks in use that nothing points to"},
    {"--stacks-of-size", "", ValueKind::text, "[N|A-B]",
     "of a process: who allocates blocks of this size from now on (0xa45c, or 100-200, or those of --range); until "
     "Ctrl-C or --for"},
    {"--suspect", "", ValueKind::none, "",
     "of a process: which size grows, and who allocates it; takes 15 s, or 1.5 × --for"},
    {"--for", "", ValueKind::duration, "DURATION", "the same two: record so long (Ctrl-C ends it earlier)"},
    {"--output", "-o", ValueKind::file, "FILE", "the same two: keep the recording, for `culprit heap FILE`"},
    {"--stop-at-most", "", ValueKind::duration, "DURATION",
     "of a process: how long it may stand still (2s); the rest is read while it runs"},
    {"--no-stop", "", ValueKind::none, "", "of a process: read its heap while it runs; the answer is partial"},
    executable_option,
    mappings_option,
    peak_option,
    temporary_option,
    heap_over_time_option,
    heap_from_option,
    to_option,
    report_option,
    suppressions_option,
    after_option,
    top_option,
    all_option,
    no_source_option,
    blame_option,
    {"--fail-on-leak", "", ValueKind::none, "",
     "exit status 1 if --unreachable finds leaks, or a recording's program had unreachable blocks as it ended"},
    {"--outstanding", "", ValueKind::none, "",
     "with --fail-on-leak: all that is left at a recording's end is the leak"}};
constexpr OptionRow locks_options[] = {
    executable_option,
    {"--all", "", ValueKind::none, "", "every lock and every wait, and whole stacks"},
    {"--address", "", ValueKind::text, "ADDRESS|NAME",
     "one lock: its kind, state, owner and waiters; by address (0x…) or the name of its variable"},
    {"--no-wait", "", ValueKind::none, "", "one look instead of two: not told what only waits for a moment"},
    {"--no-stacks", "", ValueKind::none, "", "no stacks and names of functions: the verdicts alone, at once"},
    blame_option,
    json_option};
constexpr OptionRow stacks_options[] = {
    json_option,
    executable_option,
    {"--thread", "", ValueKind::text, "TID|NAME", "only this thread, or those of that name (* and ? match)"},
    {"--find", "", ValueKind::text, "SYMBOL",
     "only threads with such a function on their stack: part of its name, or a pattern with * and ? for all of it"},
    {"--raw", "", ValueKind::none, "", "addresses and how each was found, without symbols"},
    blame_option,
    {"--top", "", ValueKind::count, "N", "show N different stacks (20)"},
    {"--all", "", ValueKind::none, "", "every stack with every frame, and every thread"}};
constexpr OptionRow crash_options[] = {
    json_option,
    executable_option,
    {"--brief", "", ValueKind::none, "", "the sentence and ten frames, as for the log of a build"},
    blame_option,
    {"--all", "", ValueKind::none, "", "every frame, and every other stack"}};
constexpr OptionRow state_option{"--state", "", ValueKind::file, "FOLDER",
                                 "where crashes are kept (/var/lib/culprit/catch)"};
constexpr OptionRow catch_install_options[] = {
    state_option,
    {"--keep", "", ValueKind::count, "N", "keep the newest N crashes (100)"},
    {"--disk", "", ValueKind::size, "SIZE", "in so much room at most (1G)"},
    {"--cores", "", ValueKind::none, "",
     "keep a small core of each, too: threads, stacks, and up to 48 MB of the memory that is worth most"}};
constexpr OptionRow catch_options[] = {state_option, json_option};
constexpr OptionRow state_options[] = {state_option};
constexpr OptionRow doctor_options[] = {json_option};
constexpr OptionRow help_options[] = {
    {"--markdown", "", ValueKind::none, "", "the whole reference, as in docs/commands.md"}};

constexpr OptionRow shell_options[] = {command_option, blame_option};

}  // namespace culprit
