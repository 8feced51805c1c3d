#!/usr/bin/env python3
"""Measures what docs/performance.md promises, and prints it as the table that stands there.

Each figure is the median of runs which took turns with the ones they are compared with. `./dev bench` builds and calls
this; `./dev bench --only loop` measures one part, `--rounds N` changes how often.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import tempfile

import attach_bars
import big_unit
import bpf_bars
import breakpoint_bars
import core_bars
import crash_bars
import heap_bars
import heap_filter_bars
import heap_walk_bars
import inventory_bars
import lock_bars
import measure
import ptrace_bars
import record_bars
import stack_bars
from measure import interleaved, median_ratio, run


class Bench:
    """Where things are, and how often to measure."""

    def __init__(self, build, folder, rounds):
        self.programs = build / "bench"
        self.culprit = str(build / "culprit")
        self.folder = folder
        self.rounds = rounds

    def program(self, name, *arguments):
        return [str(self.programs / name), *map(str, arguments)]

    def recorded(self, command, name="bench.culprit"):
        return [self.culprit, "run", "-o", str(self.folder / name), "--report", str(self.folder / "report"), "--", *command]


def printed(command):
    """A function that runs the command and gives the number it prints."""
    return lambda: float(run(command).output.split()[-1])


def timed(command, accept=(0,)):
    return lambda: run(command, accept).seconds


def loop(bench):
    """open+close, 16 functions deep, no frame pointers; nanoseconds per pair as the program itself sees them."""
    pairs, few = 500_000, 2_000
    native = bench.program("open_close_loop", pairs)
    variants = {"native": printed(native), "culprit": printed(bench.recorded(native))}
    if shutil.which("valgrind"):
        variants["valgrind"] = printed(
            ["valgrind", "-q", "--tool=none", "--track-fds=yes", *bench.program("open_close_loop", pairs // 10)])
    if shutil.which("strace"):
        variants["strace"] = printed(
            ["strace", "-f", "-k", "-o", "/dev/null", "-e", "trace=openat,close", *bench.program("open_close_loop", few)])
    results = interleaved(variants, bench.rounds)
    ratio = {name: median_ratio(results, name, "native") for name in variants}
    peers = ", ".join(f"{name} {ratio[name]:.1f} ×" for name in ("valgrind", "strace") if name in ratio)
    native_ns = statistics.median(results["native"])
    return [(f"open+close loop, 16 frames deep (native {native_ns:.0f} ns a pair)", "≤ 1.35 ×",
             f"{ratio['culprit']:.2f} ×", peers.replace("valgrind", "valgrind --track-fds").replace("strace", "strace -k"))]


def untouched(bench):
    """Programs that open nothing, or next to nothing."""
    compute = bench.program("compute_loop", 200)
    source, unit = bench.folder / "unit.cc", bench.folder / "unit.ii"
    big_unit.write(source, 6)
    run(["g++", "-std=c++20", "-E", "-P", "-o", str(unit), str(source)])
    compiler = run(["g++", "-print-prog-name=cc1plus"]).output.strip()
    compile_it = [compiler, "-quiet", "-std=c++20", "-O1", str(unit), "-o", "/dev/null"]
    rows = []
    for name, command in (("compute loop", compute), ("cc1plus on a large file", compile_it)):
        results = interleaved({"native": timed(command), "culprit": timed(bench.recorded(command))}, bench.rounds)
        rows.append((f"{name} (native {statistics.median(results['native']):.2f} s)", "≤ 1.02 ×",
                     f"{median_ratio(results, 'culprit', 'native'):.3f} ×", ""))
    return rows


def start_up(bench):
    true = shutil.which("true")
    results = interleaved({"native": timed([true]), "culprit": timed([bench.culprit, "run", "--", true])}, 4 * bench.rounds)
    added = statistics.median(a - b for a, b in zip(results["culprit"], results["native"]))
    return [("start-up added to `culprit run -- true`", "≤ 60 ms", f"{1000 * added:.0f} ms", "")]


def size(bench):
    """Bytes of recording per event."""
    rows = []
    for name, command in (("loop", bench.program("open_close_loop", 1_000_000)),
                          ("mixed program", bench.program("mixed_handles", 20_000))):
        made = float(run(bench.recorded(command)).output.split()[-1])
        events = 2_000_000 if name == "loop" else 2 * made
        written = (bench.folder / "bench.culprit").stat().st_size
        rows.append((f"recording size, {name} ({events / 1e6:.1f} million events)", "≤ 3 bytes an event",
                     f"{written / events:.2f} bytes", ""))
    return rows


def report(bench):
    """10 million events to the grouped report; symbols of the few stacks are included."""
    rows = []
    for name, command in (("loop", bench.program("open_close_loop", 5_000_000)),
                          ("mixed program", bench.program("mixed_handles", 218_000))):
        run(bench.recorded(command, "large.culprit"))
        answer = bench.folder / "answer.json"
        show = [bench.culprit, "handles", str(bench.folder / "large.culprit"), "--json", "--report", str(answer)]
        runs = [run(show) for _ in range(bench.rounds)]
        json.loads(answer.read_text())
        rows.append((f"10 million events to report, {name}", "≤ 2 s, ≤ 300 MB",
                     f"{statistics.median(r.seconds for r in runs):.2f} s, {max(r.peak_mib for r in runs):.0f} MiB", ""))
        os.unlink(bench.folder / "large.culprit")
    return rows


def symbols(bench):
    """What symbols_bench measured on its 10,000 addresses."""
    program = bench.programs / "symbols_bench"
    if not program.exists():
        return []
    output = run([str(program), "--benchmark_format=json", f"--benchmark_repetitions={min(bench.rounds, 3)}"]).output
    to_seconds = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}
    times = {}
    for entry in json.loads(output)["benchmarks"]:
        if entry.get("run_type") == "iteration" and "real_time" in entry:
            times.setdefault(entry["run_name"], []).append(entry["real_time"] * to_seconds[entry["time_unit"]])
    return [(f"symbolizing 10,000 addresses: {name}", "≤ 1 s", f"{statistics.median(values):.2f} s", "")
            for name, values in times.items()]


PARTS = {"loop": loop, "bpf": bpf_bars.bpf, "ptrace": ptrace_bars.ptrace, "attach": attach_bars.attach, "record": record_bars.record,
         "untouched": untouched, "start_up": start_up, "size": size, "report": report, "symbols": symbols,
         "cores": core_bars.cores, "crash": crash_bars.crash, "catch": crash_bars.catch, "breakpoints": breakpoint_bars.breakpoints,
         "locks": lock_bars.locks, "stacks": stack_bars.stacks, "inventory": inventory_bars.inventory,
         "heap-walk": heap_walk_bars.heap_walk, "heap-filter": heap_filter_bars.heap_filter,
         "heap": heap_bars.heap_loop, "heap-sample": heap_bars.heap_sample, "heap-threads": heap_bars.heap_threads,
         "heap-compiler": heap_bars.heap_compiler,
         "heap-analysis": heap_bars.heap_analysis}


def machine():
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    system = os.uname()
    return f"{os.cpu_count()} × {cpu.group(1) if cpu else system.machine}, Linux {system.release}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    arguments.add_argument("--only", choices=PARTS, action="append", help="measure this part (can be repeated)")
    arguments.add_argument("--rounds", type=int, default=7)
    chosen = arguments.parse_args()

    rows = []
    with tempfile.TemporaryDirectory(prefix="culprit-bench-") as folder:
        bench = Bench(chosen.build.resolve(), pathlib.Path(folder), chosen.rounds)
        for name in chosen.only or PARTS:
            measure.progress(name)
            rows += PARTS[name](bench)
    measure.progress("")

    print(f"Medians of {chosen.rounds} interleaved runs. {machine()}.\n")
    print("| measure | bar | culprit | others |\n|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
