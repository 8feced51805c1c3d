// What `culprit help COMMAND` says beyond the command's options, for all_commands.cc.
#pragma once

#include <string_view>

namespace culprit {

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
    "before its thread allocated again (--temporary); --over-time draws what was in use when. A group grows when more\n"
    "of it lived at nearly each of eight equally distant moments. What was mapped beside the allocator is told below,\n"
    "or, with --mappings, alone.\n"
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

}  // namespace culprit
