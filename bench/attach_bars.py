"""What a process pays that is attached to while it runs."""

import re
import statistics
import subprocess

import measure
from measure import run

STOPPED = re.compile(r"the process was stopped for ([\d.]+) ms at most")


def longest_stop(bench, threads):
    """In ms, as culprit says it: from the moment threads are asked to stop until all run again, in and out."""
    with subprocess.Popen(bench.program("blocked_threads", threads), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as victim:
        victim.stdout.readline()
        attached = run([bench.culprit, "attach", str(victim.pid), "--via", "agent", "-c", "detach"])
        victim.stdin.close()
        if victim.wait() != 0:
            raise RuntimeError("the process that was attached to came to harm")
    return float(STOPPED.search(attached.output).group(1))


def attach(bench):
    """The agent put into a process with 200 threads, and taken out again."""
    stops = []
    for turn in range(3 * bench.rounds):
        stops.append(longest_stop(bench, 200))
        measure.progress(f"round {turn + 1} of {3 * bench.rounds}")
    return [("agent attach: longest stop of the victim, 200 threads", "≤ 10 ms",
             f"{statistics.median(stops):.1f} ms (worst of {len(stops)}: {max(stops):.1f} ms)", "")]
