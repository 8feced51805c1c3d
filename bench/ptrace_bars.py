"""What recording by ptrace costs: calls that make and end handles, and all the others."""

import statistics

from measure import interleaved, median_ratio, run


def printed(command):
    return lambda: float(run(command).output.split()[-1])


def ptrace(bench):
    """The loop of the agent's bar, and the cheapest system call there is, stopped at entry and exit."""
    recorded = [bench.culprit, "run", "--via", "ptrace", "-o", str(bench.folder / "ptrace.culprit"), "--report",
                str(bench.folder / "report"), "--"]
    loops = {"native": printed(bench.program("open_close_loop", 200_000)),
             "ptrace": printed([*recorded, *bench.program("open_close_loop", 50_000)])}
    pairs = interleaved(loops, bench.rounds)
    calls = {"native": printed(bench.program("null_call_loop", 3_000_000)),
             "ptrace": printed([*recorded, *bench.program("null_call_loop", 100_000)])}
    others = interleaved(calls, bench.rounds)
    added = statistics.median(a - b for a, b in zip(others["ptrace"], others["native"]))
    return [(f"ptrace: open+close loop, 16 frames deep (native {statistics.median(pairs['native']):.0f} ns a pair)", "≤ 25 ×",
             f"{median_ratio(pairs, 'ptrace', 'native'):.1f} ×", ""),
            (f"ptrace: any other system call (native {statistics.median(others['native']):.0f} ns)", "",
             f"+{added / 1000:.1f} us", "")]
