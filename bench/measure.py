"""Running commands for a measurement: one at a time, taken turns, medians."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass


@dataclass
class Run:
    seconds: float  # wall clock
    peak_mib: float  # largest resident set of the process or one of its children
    output: str  # what it wrote to stdout


def run(command, accept=(0,)):
    """Runs the command to its end; raises if its status is not one of `accept`."""
    # Files, not pipes: nothing that the command writes makes it wait for us.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        begin = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begin
        output.seek(0)
        errors.seek(0)
        text, complaint = output.read().decode(errors="replace"), errors.read().decode(errors="replace")
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in accept:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {complaint[-2000:]}")
    return Run(seconds, usage.ru_maxrss / 1024, text)


def interleaved(variants, rounds):
    """{name: function without arguments} -> {name: [its results]}: each variant once per round, so that what the machine
    does meanwhile hits all of them alike. The order turns by one each round."""
    results = {name: [] for name in variants}
    names = list(variants)
    for turn in range(rounds):
        for name in names[turn % len(names):] + names[: turn % len(names)]:
            results[name].append(variants[name]())
        progress(f"round {turn + 1} of {rounds}")
    progress("")
    return results


def median_ratio(results, name, base):
    """The median over rounds of one variant's value divided by that of the base in the same round."""
    return statistics.median(a / b for a, b in zip(results[name], results[base]))


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
