"""What it takes to see all stacks of a live process, and how long its threads stand still for it."""

import json
import statistics
import subprocess

from measure import interleaved, run

THREADS = 1000
RUNNING = 200  # more of them would mostly wait for each other


class Victim:
    def __init__(self, bench, program, threads):
        self.process = subprocess.Popen(bench.program(program, threads), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.stdout.readline()
        self.pid = str(self.process.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise RuntimeError("the process that was looked at came to harm")
        self.process.stdout.close()


def longest_stop(bench, program, threads):
    """In ms, of any thread, as culprit says it."""
    with Victim(bench, program, threads) as victim:
        answers = [json.loads(run([bench.culprit, "stacks", victim.pid, "--json"]).output) for _ in range(bench.rounds)]
    for answer in answers:
        if len(answer["threads"]) != threads + 1 or not answer["exact"]:
            raise RuntimeError("not all stacks were seen")
    stops = [answer["longest_stop"] * 1e3 for answer in answers]
    return f"{statistics.median(stops):.2f} ms (worst of {len(stops)}: {max(stops):.2f} ms)"


def stacks(bench):
    """Blocked threads are not stopped; running ones are, one by one."""
    with Victim(bench, "blocked_threads", THREADS) as victim:
        gdb = ["gdb", "-nx", "-p", victim.pid, "-batch", "-ex", "thread apply all bt"]
        results = interleaved({"culprit": lambda: run([bench.culprit, "stacks", victim.pid]).seconds,
                               "gdb": lambda: run(gdb).seconds}, bench.rounds)
    median = {name: statistics.median(values) for name, values in results.items()}
    rows = [(f"all stacks of {THREADS} blocked threads, live, with names", "≤ 0.6 s", f"{median['culprit']:.2f} s",
             f"gdb {median['gdb']:.2f} s ({median['gdb'] / median['culprit']:.0f} ×), all of it stopped for most of that")]
    for program, threads, what, bar in (("blocked_threads", THREADS, "blocked", "0"),
                                        ("spinning_threads", RUNNING, "running", "≤ 40 ms")):
        rows.append((f"longest stop of any of {threads} {what} threads", bar, longest_stop(bench, program, threads), ""))
    return rows
