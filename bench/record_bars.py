"""What recording the whole machine costs: how soon it begins, what it takes, and what a large build pays."""

import contextlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import time

import big_unit
import measure
from measure import median_ratio, run

CIRCULAR_MIB = 64


class Recorder:
    """`culprit record start --all`, until the `with` ends; its place is a folder of its own."""

    def __init__(self, bench, *options):
        self.bench = bench
        self.options = options
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=str(bench.folder))
        self.file = bench.folder / "machine.culprit"

    def command(self, *words):
        return subprocess.run([self.bench.culprit, "record", *words], env=self.environment, check=True,
                              stdout=subprocess.PIPE, text=True).stdout

    def status(self):
        return json.loads(self.command("status", "--json"))["recorders"][0]

    def __enter__(self):
        self.begun = time.monotonic()
        self.pid = json.loads(self.command("start", "--all", "-o", str(self.file), "--json", *self.options))["pid"]
        return self

    def __exit__(self, *_):
        self.command("stop")

    def peak_mib(self):
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        return int(re.search(r"VmHWM:\s+(\d+)", text).group(1)) / 1024

    def map_mib(self):
        """Kernel memory of its BPF maps, as the kernel counts it."""
        total = 0
        for info in pathlib.Path(f"/proc/{self.pid}/fdinfo").iterdir():
            with contextlib.suppress(OSError):
                text = info.read_text(encoding="utf-8")
                if "map_type" in text:
                    total += int(re.search(r"memlock:\s+(\d+)", text).group(1))
        return total / (1 << 20)


def first_event(bench):
    """With 300 processes there, and one that opens files."""
    opens = ["sh", "-c", "while sleep 0.01; do : < /etc/passwd; done"]
    processes = [subprocess.Popen(["sleep", "1000"]) for _ in range(300)] + [subprocess.Popen(opens)]
    seconds, maps = [], []
    try:
        for _ in range(bench.rounds):
            with Recorder(bench) as recorder:
                while recorder.status()["events"] == 0:
                    time.sleep(0.01)
                seconds.append(time.monotonic() - recorder.begun)
                maps.append(recorder.map_mib())
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [("`record start --all` to the first event, 300 processes", "≤ 3 s, maps ≤ 256 MB",
             f"{statistics.median(seconds):.2f} s, {max(maps):.0f} MiB", "")]


def build(bench, units):
    """Compiles them with both processors busy; seconds."""
    begin = time.monotonic()
    sources = " ".join(str(unit) for unit in units)
    run(["sh", "-c", f"printf '%s\\n' {sources} | xargs -P 2 -n 1 g++ -std=c++20 -O1 -c -o /dev/null"])
    return time.monotonic() - begin


def large_build(bench):
    units = []
    for number in range(8):
        units.append(bench.folder / f"unit{number}.cc")
        big_unit.write(units[-1], 2)
    peaks, sizes, lost = [], [], []

    def recorded():
        with Recorder(bench, "--circular", f"{CIRCULAR_MIB}M") as recorder:
            seconds = build(bench, units)
            peaks.append(recorder.peak_mib())
            sizes.append(pathlib.Path(f"{recorder.file}.partial").stat().st_size / (1 << 20))
            lost.append(recorder.status()["lost"])
        return seconds

    results = measure.interleaved({"native": lambda: build(bench, units), "recorded": recorded}, bench.rounds)
    return [(f"a build on both processors, whole machine recorded (native {statistics.median(results['native']):.1f} s)",
             f"≤ 1.05 ×, ≤ 300 MB, file ≤ {CIRCULAR_MIB} MiB",
             f"{median_ratio(results, 'recorded', 'native'):.3f} ×, {max(peaks):.0f} MiB, {max(sizes):.0f} MiB, "
             f"{max(lost)} events lost", "")]


def record(bench):
    if os.geteuid() != 0:
        return [("record --all", "", "needs root", "")]
    return first_event(bench) + large_build(bench)
