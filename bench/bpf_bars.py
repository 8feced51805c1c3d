"""What recording by the kernel costs: the program that is recorded, those that are not, and the whole machine."""

import os
import signal
import statistics
import subprocess

from measure import interleaved, median_ratio, run


def printed(command):
    return lambda: float(run(command).output.split()[-1])


class Recording:
    """`culprit handles PID --for …` of some other process, while the `with` lasts."""

    def __init__(self, culprit):
        self.culprit = culprit

    def __enter__(self):
        self.victim = subprocess.Popen(["sleep", "1000"])
        self.recorder = subprocess.Popen([self.culprit, "handles", str(self.victim.pid), "--for", "1000s", "--via", "bpf"],
                                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if b"recording" not in self.recorder.stderr.readline():
            raise RuntimeError("culprit does not record by bpf here")
        return self

    def __exit__(self, *_):
        self.recorder.send_signal(signal.SIGINT)
        self.recorder.communicate()
        self.victim.kill()
        self.victim.wait()


def loop(bench):
    """The loop of the agent's bar, recorded by the kernel."""
    native = bench.program("open_close_loop", 500_000)
    recorded = [bench.culprit, "run", "--via", "bpf", "-o", str(bench.folder / "bpf.culprit"), "--report",
                str(bench.folder / "report"), "--", *native]
    results = interleaved({"native": printed(native), "bpf": printed(recorded)}, bench.rounds)
    return [(f"bpf: open+close loop, 16 frames deep (native {statistics.median(results['native']):.0f} ns a pair)", "≤ 1.8 ×",
             f"{median_ratio(results, 'bpf', 'native'):.2f} ×", "")]


def others(bench):
    """A system call of a program that nobody records."""
    native = printed(bench.program("null_call_loop", 3_000_000))

    def beside():
        with Recording(bench.culprit):
            return native()

    results = interleaved({"native": native, "beside": beside}, bench.rounds)
    added = statistics.median(b - a for a, b in zip(results["native"], results["beside"]))
    return [(f"bpf: a system call of a process that is not recorded (native {statistics.median(results['native']):.0f} ns)",
             "≤ +60 ns", f"+{added:.0f} ns", "")]


def bpf(bench):
    if os.geteuid() != 0:
        return [("bpf", "", "needs root", "")]
    return loop(bench) + others(bench)
