"""How long it takes to find a deadlock among many threads."""

import os
import statistics
import subprocess
import time

from measure import interleaved, run

THREADS = 1000
BETWEEN_LOOKS = 0.05  # seconds that `culprit locks` waits on purpose


def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)


def locks(bench):
    """Two threads deadlocked among 1000, most of which wait on a condition variable."""
    program = bench.programs.parent / "tests" / "programs" / "locks_stuck"
    if not program.exists():
        return []
    ready = bench.folder / "deadlocked"
    with subprocess.Popen([str(program), "crowd", str(ready)]) as victim:
        wait_for(ready)
        target = str(victim.pid)
        gdb = ["gdb", "-nx", "-batch", "-p", target, "-ex", "thread apply all bt"]
        variants = {"verdict": lambda: run([bench.culprit, "locks", target, "--no-stacks"]).seconds - BETWEEN_LOOKS,
                    "stacks": lambda: run([bench.culprit, "locks", target]).seconds - BETWEEN_LOOKS,
                    "gdb": lambda: run(gdb).seconds}
        results = interleaved(variants, bench.rounds)
        victim.kill()
    median = {name: statistics.median(results[name]) for name in variants}

    def row(name, what, bar):
        return (f"deadlock among {THREADS} threads, {what}", bar, f"{median[name] * 1000:.0f} ms",
                f"gdb, all stacks {median['gdb']:.2f} s ({median['gdb'] / median[name]:.0f} ×)")

    return [row("verdict", "verdict without stacks, besides the 50 ms between the looks", "≤ 60 ms"),
            row("stacks", "with the stacks and lines of those in it", "")]
