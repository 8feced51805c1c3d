"""What a process pays whose allocations of one size are recorded, for those of another size."""

import os
import statistics
import subprocess

import measure

TURNS = 5  # of a million pairs


class Victim:
    """bench/programs/allocation_pace: a line after each turn."""

    def __init__(self, bench):
        self.process = subprocess.Popen(bench.program("allocation_pace"), stdout=subprocess.PIPE, text=True)

    def pace(self):
        return statistics.median(float(self.process.stdout.readline()) for _ in range(TURNS))

    def skip(self):
        """Past what was written before now: the pipe's content, and the turn in which something changed."""
        os.set_blocking(self.process.stdout.fileno(), False)
        while self.process.stdout.readline():
            pass
        os.set_blocking(self.process.stdout.fileno(), True)
        self.process.stdout.readline()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def pace_under(victim, command, begun, during):
    """Until `command` has said `begun`; then the victim's pace, and the command is told to end."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as culprit:
        for line in culprit.stdout:
            if begun in line:
                break
        victim.skip()
        pace = victim.pace()
        during(culprit)
        culprit.stdout.read()
    return pace


def heap_filter(bench):
    filtered, unfiltered, native = [], [], []
    for turn in range(bench.rounds):
        victim = Victim(bench)
        pid = str(victim.process.pid)
        victim.skip()
        native.append(victim.pace())
        filtered.append(pace_under(victim, [bench.culprit, "heap", pid, "--stacks-of-size", "0xa45c"], "recording who",
                                   lambda culprit: culprit.send_signal(2)))
        victim.skip()
        unfiltered.append(pace_under(victim, [bench.culprit, "heap", pid, "--stacks-of-size", "0-0xffffffff"], "recording who",
                                     lambda culprit: culprit.send_signal(2)))
        victim.end()
        measure.progress(f"round {turn + 1} of {bench.rounds}")
    measure.progress("")
    added = statistics.median(a - b for a, b in zip(filtered, native))
    all_added = statistics.median(a - b for a, b in zip(unfiltered, native))
    return [(f"`heap PID --stacks-of-size N`: malloc+free of another size (native {statistics.median(native):.1f} ns a pair)",
             "≤ +5 ns an allocation", f"+{added:.1f} ns a pair", f"every size recorded +{all_added:.0f} ns")]
