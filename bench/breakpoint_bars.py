"""What a breakpoint costs whose condition is false."""

import shutil
import statistics
import subprocess
import time

from measure import interleaved

HITS = 20_000


def conditional_breakpoint(bench, debugger):
    """Microseconds per hit: how much longer the program takes for its calls."""
    with subprocess.Popen(bench.program("called_often", HITS), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as victim:
        victim.stdout.readline()
        session = subprocess.Popen(debugger(victim.pid), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        wait_until_stopped(victim.pid, session)
        victim.stdin.write(b"\n")
        victim.stdin.flush()
        nanoseconds = float(victim.stdout.readline())
        victim.stdin.close()
        victim.wait()
        session.wait()
    return nanoseconds / HITS / 1000


def wait_until_stopped(pid, session):
    """The breakpoint is there: the code of the function begins with int3."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        address = next(int(line.split("-")[0], 16) for line in maps if "called_often" in line)
    with subprocess.Popen(["nm", f"/proc/{pid}/exe"], stdout=subprocess.PIPE, text=True) as names:
        address += next(int(line.split()[0], 16) for line in names.stdout if line.rstrip().endswith(" T called_often"))
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        while session.poll() is None:
            memory.seek(address)
            if memory.read(1) == b"\xcc":
                break
            time.sleep(0.01)
    time.sleep(0.3)


def breakpoints(bench):
    def by_culprit(pid):
        return [bench.culprit, "shell", str(pid), "-c", "bp called_often \"j (@rdi == 0xa45c000) 'k'; 'gc'\"; g"]

    def by_gdb(pid):
        return ["gdb", "-nx", "-batch", "-p", str(pid), "-ex", "break *called_often if $rdi == 0xa45c000", "-ex", "continue"]

    variants = {"culprit": lambda: conditional_breakpoint(bench, by_culprit)}
    if shutil.which("gdb"):
        variants["gdb"] = lambda: conditional_breakpoint(bench, by_gdb)
    results = interleaved(variants, bench.rounds)
    median = {name: statistics.median(values) for name, values in results.items()}
    peers = ", ".join(f"{name} {median[name]:.0f} µs ({median[name] / median['culprit']:.1f} ×)" for name in variants
                      if name != "culprit")
    return [("a conditional breakpoint whose condition is false, a hit", "≤ 40 µs", f"{median['culprit']:.1f} µs", peers)]
