// Every command. To add one: a row here and a function beside the others of its subject.
#include "shell/attach_command.h"
#include "shell/catch_commands.h"
#include "shell/command.h"
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

constexpr std::string_view run_details =
    "COMMAND runs as it would without culprit: its standard streams, signals, environment and exit status are its "
    "own.\n"
    "Its threads, its children and what they execute are followed. When the last of them has ended, the report goes "
    "to\n"
    "the error stream, or to the file that --report names.";
constexpr std::string_view handles_details =
    "Of a process: what it has open now, with all that the kernel tells: names, flags, offsets, states and other ends "
    "of\n"
    "sockets and pipes, what an epoll watches, locks, deleted files and the room they hold. Nothing is recorded, and "
    "the\n"
    "process is not stopped. Many of a kind are told together; --type, --value N (one in full), --summary, --all "
    "(each),\n"
    "--top, --json and --csv choose. With --for or --until-enter it is recorded first, and all below applies. A core "
    "has\n"
    "no handles: of it, the files that were mapped are shown.\n"
    "\n"
    "RECORDING is a file that `culprit run -o` wrote, here or on another machine. An unfinished one (.partial) is read "
    "to\n"
    "its last whole block. The report goes to standard output.\n"
    "\n"
    "With --by, or any filter, handles come as a tree of groups instead, most outstanding first. A handle that only "
    "the\n"
    "end of its process closed counts as outstanding: `hidden by exit`. Recordings of several process trees are shown "
    "so\n"
    "unless something else is asked for.\n"
    "\n"
    "    culprit handles x.culprit --by owning,type,function --stack curl --min-age 10s\n"
    "    culprit handles x.culprit --over-time --by process\n"
    "    culprit handles x.culprit --value 7 --process server\n"
    "    culprit handles 1234 --type socket,pipe";
constexpr std::string_view heap_details =
    "Of a process (PID or name) or a core file nothing has to be prepared: no symbols, no agent. A process stands "
    "still\n"
    "while its heap is read, for less than half a second per GB and no longer than 2 s (--stop-at-most); what is read\n"
    "later is read while it runs, and the answer says so. Without options: arenas, what is free in them, and what\n"
    "else the memory is used for. Sizes are what a block can hold, which malloc rounds up.\n"
    "--unreachable looks for pointers in variables, stacks, registers and thread-local variables; what no chain of "
    "them\n"
    "leads to is leaked. A word that looks like a pointer by chance hides a leak, at worst.\n"
    "\n"
    "    culprit heap server --by size\n"
    "    culprit heap 1234 --size 0xa45c\n"
    "    culprit heap core.1234 --unreachable\n"
    "\n"
    "A process can also be asked who allocates from now on. --stacks-of-size puts an agent into it that compares "
    "sizes\n"
    "there, so that blocks of other sizes cost next to nothing. --suspect looks at the heap twice, records the size\n"
    "that has grown, and names its stack. The process is left as it was.\n"
    "\n"
    "    culprit heap server --stacks-of-size 0xa45c --for 10s\n"
    "    culprit heap server --suspect\n"
    "\n"
    "RECORDING is a file that `culprit run --heap -o` wrote. Its allocations come as groups of one stack (or size), "
    "most\n"
    "first: what was left when the program ended, what lived when most memory was in use (--peak), or what was freed\n"
    "before its thread allocated again (--temporary); --over-time draws what was in use when. A group grows when more "
    "of it lived at nearly each of eight\n"
    "equally distant moments. What was mapped beside the allocator is told below, or, with --mappings, alone.\n"
    "\n"
    "    culprit run --heap -o x.culprit -- ./server\n"
    "    culprit heap x.culprit --peak\n"
    "    culprit heap x.culprit --mappings\n"
    "    culprit heap x.culprit --block 0x55d0c8a3f2b0\n"
    "    culprit heap x.culprit --by size --from 10s";
constexpr std::string_view diff_details =
    "Of one recording: what was opened since a moment and not closed, what came and went in between, and what became "
    "of\n"
    "older handles. Of two: which stacks have more or fewer handles outstanding. Programs may be different builds at\n"
    "different addresses: stacks are compared by build id and offset, or else by the names of functions.\n"
    "Of recordings of memory (`culprit run --heap`): which stacks have more or less of it left, at the end, or "
    "between\n"
    "two moments of one.\n"
    "\n"
    "    culprit diff x.culprit --from 10s --to 60s\n"
    "    culprit diff monday.culprit tuesday.culprit";
constexpr std::string_view attach_details =
    "Records the handles of a process that runs, from now on, and asks for commands: mark remembers a moment, diff "
    "tells "
    "what\n"
    "was opened since and is still open, handles asks all that `culprit handles` does, detach lets the process go as "
    "it "
    "was.\n"
    "WinDbg's !htrace -snapshot, -diff and -disable do the same. Handles from before are listed as existing.\n"
    "heap on records its allocations, too: then heap tells what of them is left, heap diff what is left since a mark.\n"
    "\n"
    "    culprit attach 1234\n"
    "    culprit attach server -c 'mark; sleep 10s; diff'\n"
    "    culprit attach server -c 'heap on; sleep 10s; heap'";
constexpr std::string_view record_start_details =
    "Puts a recorder into the background and returns when it has begun. It is called after its file. Several can be "
    "at\n"
    "work at a time.\n"
    "\n"
    "A circular recording holds what happened last, and of all that was before the handles that are still open, with\n"
    "the stack that made them. In --stop-when, handles(NAME) are those of the process of that name (or pid) that has\n"
    "most, handles(all) those of all that is recorded; events and size (2G) can be compared as well, with and, or and\n"
    "parentheses.\n"
    "\n"
    "    culprit record start --all --circular 8G -o leak.culprit\n"
    "    culprit record start --name server --stop-when 'handles(server) > 5000'";
constexpr std::string_view record_stop_details =
    "NAME is needed where there are several. Of a recorder that has ended by itself, it says where the recording is.";
constexpr std::string_view watch_details =
    "Looks again and again: handles by type, made and closed per second (where the kernel tells: root), growth by\n"
    "regression over the last 60 looks, and how long until RLIMIT_NOFILE is reached if it goes on like that. On a "
    "terminal\n"
    "the picture is redrawn, else each look is some plain lines.\n"
    "\n"
    "    culprit watch server\n"
    "    culprit watch 1234 --interval 10s --fail-above 900 || alarm\n"
    "    culprit watch --all --prometheus 127.0.0.1:9100";
constexpr std::string_view locks_details =
    "TARGET is a process (PID or name) or a core file. Nothing is stopped for the verdicts: they come from the system "
    "calls\n"
    "that threads wait in and from the locks' own bytes, so they need no symbols. A running process is looked at "
    "twice,\n"
    "50 ms apart: only what stands still in between is called stuck.\n"
    "\n"
    "    culprit locks 1234\n"
    "    culprit locks core.1234 --all\n"
    "    culprit locks server --address g_mutex";
constexpr std::string_view stacks_details =
    "TARGET is a process id, the name of one running program, or a core file. Threads that do the same are one group; "
    "those\n"
    "whose stack has code of one's own come first. Of a process, threads that wait are not stopped; those that run, or "
    "whose\n"
    "stack takes more than the stack pointer to walk, stand still for a moment, one by one: how long is told.\n"
    "\n"
    "    culprit stacks server\n"
    "    culprit stacks 1234 --find pthread_mutex_lock --all\n"
    "    culprit stacks core --thread 'worker*'";
constexpr std::string_view crash_details =
    "One page on what ended a process: the cause in a sentence with what it rests on, the fault, registers and code, "
    "the\n"
    "source, the stack with the frame that is to blame and why, the other threads, locks that matter, the program and "
    "what\n"
    "to look at next. What cannot be known is not claimed. Of a core in which threads wait for each other, the page is "
    "about\n"
    "that. BINARY is the program's file, if it is not where the core says.\n"
    "\n"
    "Of several cores, those with the same bucket are counted as one bug.\n"
    "\n"
    "The bucket names equal crashes alike, across builds; the hash is the bucket's, and WinDbg's of the same words.\n"
    "\n"
    "Whom to blame is decided by rules, of which the most particular one that matches a frame is followed. To add "
    "your\n"
    "own, give FILE to --blame-rules, or write it to ~/.config/culprit/blame for every command:\n"
    "\n"
    "    [the plugin host]              the name of a rule, which the page shows\n"
    "    mod: libhost*.so*              frames of this module …\n"
    "    fun: host::call*|host::retry   … and function …\n"
    "    file: */third_party/*          … and source file; at least one of the three\n"
    "    owner: weak                    none: never to blame (the default); weak: where nobody else is; strong: "
    "always\n"
    "    why: it only calls plugins     shown, too\n"
    "\n"
    "    culprit crash core.1234\n"
    "    culprit crash core.1234 ./server --brief\n"
    "    culprit crash core.1234 --json | jq -r .bucket\n"
    "    culprit crash cores/*";
constexpr std::string_view catch_install_details =
    "From now on the kernel hands every core on this machine to culprit (core_pattern, core(5)), which keeps the page\n"
    "about the crash, as text and JSON, with the handles, memory and limits that the process had. Programs in "
    "containers\n"
    "are looked up in their own file system. At most four crashes are looked at at a time: what comes on top is noted\n"
    "in a line. Root.\n"
    "\n"
    "    culprit catch install --cores --disk 4G\n"
    "    culprit catch list\n"
    "    culprit catch show\n"
    "    culprit catch uninstall";
constexpr std::string_view catch_uninstall_details =
    "The kernel's core_pattern is what it was before, to the letter. If somebody has changed it meanwhile, it is left "
    "as\n"
    "it is, and that is said. What was caught stays.";
constexpr std::string_view catch_handle_details =
    "The kernel calls it so while `culprit catch` is installed. Without PID it works on any core, also one from "
    "elsewhere:\n"
    "\n"
    "    culprit catch handle --state /tmp/crashes < core.1234";
constexpr std::string_view doctor_details =
    "Looks at the agent, the C library, permissions, the clock, limits and symbol sources of this machine, and tells "
    "for\n"
    "each that does not work the reason and the remedy.";
constexpr std::string_view completion_details = "To use it now: source <(culprit completion bash)";

constexpr std::string_view shell_details =
    "The console on a process that runs, a core file, or a recording of handles: threads, stacks, memory, registers, "
    "code,\n"
    "symbols, locks and handles, in culprit's words and WinDbg's (~*k, !findstack, x libc!mem*, dps @rsp …). help "
    "lists\n"
    "them. Nothing of the process is changed; threads that run are stopped for a moment to read their registers.\n"
    "\n"
    "    culprit shell 1234\n"
    "    culprit shell core.1234 -c '~*k; lm'\n"
    "    echo '~#k' | culprit shell core.1234";
constexpr OptionRow shell_options[] = {command_option, blame_option};

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
