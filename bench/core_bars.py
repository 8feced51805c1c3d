"""How long a core of many threads takes to be understood."""

import resource
import shutil
import statistics
import subprocess

from measure import interleaved, run

THREADS = 1000


def small_stacks():
    """gcore stores all of each thread's stack, 8 MB by default."""
    resource.setrlimit(resource.RLIMIT_STACK, (1 << 18, resource.getrlimit(resource.RLIMIT_STACK)[1]))


def leave_core(bench):
    program = bench.program("blocked_threads", THREADS)
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=small_stacks) as victim:
        victim.stdout.readline()
        run(["gcore", "-o", str(bench.folder / "core"), str(victim.pid)])
        victim.kill()
    return str(bench.folder / f"core.{victim.pid}")


def cores(bench):
    """All stacks of a core with 1000 threads, with names."""
    if not shutil.which("gcore"):
        return []
    core, program = leave_core(bench), bench.program("blocked_threads")[0]
    variants = {"culprit": lambda: run([bench.culprit, "stacks", core]).seconds,
                "gdb": lambda: run(["gdb", "-nx", "-batch", "-ex", "thread apply all bt", program, core]).seconds}
    if shutil.which("eu-stack"):
        variants["eu-stack"] = lambda: run(["eu-stack", f"--core={core}", f"--executable={program}"]).seconds
    results = interleaved(variants, bench.rounds)
    median = {name: statistics.median(results[name]) for name in variants}
    peers = ", ".join(f"{name} {median[name]:.2f} s ({median[name] / median['culprit']:.0f} ×)" for name in variants
                      if name != "culprit")
    return [(f"all stacks from a core of {THREADS} threads", "≤ 0.6 s", f"{median['culprit']:.2f} s", peers)]
