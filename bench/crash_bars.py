"""How long the page about a crash takes, of a large core and of one with many threads."""

import resource
import shutil
import statistics
import subprocess

from core_bars import THREADS, leave_core
from measure import interleaved, run

MEGABYTES = 1024


def may_leave_core():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)


def large_core(bench):
    """As the kernel leaves it; None where it writes no plain files."""
    with open("/proc/sys/kernel/core_pattern", encoding="ascii") as pattern:
        if pattern.read() != "core\n":
            return None
    command = bench.program("large_crash", MEGABYTES)
    subprocess.run(command, cwd=bench.folder, preexec_fn=may_leave_core, check=False)
    found = sorted(bench.folder.glob("core*"))
    return str(found[0]) if found else None


def row(bench, what, bar, core, program, gdb_commands):
    variants = {"culprit": lambda: run([bench.culprit, "crash", core]),
                "gdb": lambda: run(["gdb", "-nx", "-batch", *gdb_commands, program, core])}
    results = interleaved(variants, bench.rounds)
    seconds = {name: statistics.median(each.seconds for each in results[name]) for name in variants}
    peak = max(each.peak_mib for each in results["culprit"])
    return (what, bar, f"{seconds['culprit']:.2f} s, {peak:.0f} MiB",
            f"gdb, its stacks alone {seconds['gdb']:.2f} s ({seconds['gdb'] / seconds['culprit']:.1f} ×)")


def crash(bench):
    """The page, with everything in it; gdb's backtraces beside it."""
    rows = []
    if core := large_core(bench):
        rows.append(row(bench, f"page about a core of {MEGABYTES} MB", "≤ 1.0 s, ≤ 200 MB", core,
                        bench.program("large_crash")[0], ["-ex", "bt"]))
    if shutil.which("gcore"):
        rows.append(row(bench, f"page about a core of {THREADS} threads", "≤ 1.0 s", leave_core(bench),
                        bench.program("blocked_threads")[0], ["-ex", "thread apply all bt"]))
    return rows


def catch(bench):
    """The handler that reads a core from a pipe; cat of the same pipe beside it."""
    core = large_core(bench)
    if core is None:
        return []
    state = str(bench.folder / "caught")
    variants = {"culprit": lambda: run(["sh", "-c", 'cat "$0" | "$1" catch handle --state "$2"', core, bench.culprit, state]),
                "cat": lambda: run(["sh", "-c", 'cat "$0" | cat > /dev/null', core])}
    results = interleaved(variants, bench.rounds)
    seconds = {name: statistics.median(each.seconds for each in results[name]) for name in variants}
    peak = max(each.peak_mib for each in results["culprit"])
    return [(f"`catch` on a core of {MEGABYTES} MB from a pipe", f"≤ {1.5 * seconds['cat'] + 1:.2f} s, ≤ 200 MB",
             f"{seconds['culprit']:.2f} s, {peak:.0f} MiB", f"cat > /dev/null {seconds['cat']:.2f} s")]
