"""What recording allocations costs, beside heaptrack in the same rounds."""

import re
import shutil
import statistics

import big_unit
from measure import interleaved, median_ratio, run


def heap_recorded(bench, command, name="heap.culprit"):
    return [bench.culprit, "run", "--heap", "-o", str(bench.folder / name), "--report", str(bench.folder / "report"), "--",
            *command]


def heaptracked(bench, command):
    return ["heaptrack", "-o", str(bench.folder / "heaptrack"), *command]


def pair_time(command):
    """What allocation_loop prints; heaptrack writes words of its own around it."""
    def take():
        numbers = re.findall(r"^\d+\.\d+$", run(command).output, re.MULTILINE)
        return float(numbers[-1])
    return take


def added(results, name):
    return statistics.median(a - b for a, b in zip(results[name], results["native"]))


def heap_loop(bench):
    """malloc+free, 16 functions deep, no frame pointers; added nanoseconds per pair."""
    rows = []
    for paths, words in ((1, "one path"), (8, "8 paths in turn")):
        loop = bench.program("allocation_loop", 1_000_000, 1, paths)
        variants = {"native": pair_time(loop), "culprit": pair_time(heap_recorded(bench, loop))}
        if shutil.which("heaptrack"):
            variants["heaptrack"] = pair_time(heaptracked(bench, loop))
        results = interleaved(variants, bench.rounds)
        ours, theirs = added(results, "culprit"), added(results, "heaptrack") if "heaptrack" in variants else None
        peer = f"heaptrack +{theirs:.0f} ns: {ours / theirs:.2f} × its cost" if theirs else ""
        native = statistics.median(results["native"])
        rows.append((f"malloc+free loop, 16 frames deep, {words} (native {native:.0f} ns a pair)",
                     "≤ 0.4 × heaptrack's", f"+{ours:.0f} ns", peer))
    return rows


def heap_sample(bench):
    """The same loop, of which one block in about ten thousand is recorded."""
    loop = bench.program("allocation_loop", 5_000_000)
    sampled = heap_recorded(bench, loop, "sampled.culprit")
    sampled[3:3] = ["--sample", "512K"]
    results = interleaved({"native": pair_time(loop), "culprit": pair_time(sampled)}, bench.rounds)
    return [("the same loop, one path, with `--sample 512K`", "≤ 1.1 × native",
             f"{median_ratio(results, 'culprit', 'native'):.2f} ×", "")]


def heap_threads(bench):
    """Two threads at full speed: no event lost, and no more than twice what one costs."""
    def variants(threads):
        loop = bench.program("allocation_loop", 500_000, threads, 8)
        return pair_time(heap_recorded(bench, loop, f"threads{threads}.culprit"))
    results = interleaved({"one": variants(1), "two": variants(2)}, bench.rounds)
    report = run([bench.culprit, "heap", str(bench.folder / "threads2.culprit")]).output
    lost = "none lost" if "exact: nothing" in report else "LOST"
    return [("malloc+free loop in two threads at once", "≤ 2 × one thread, none lost",
             f"{median_ratio(results, 'two', 'one'):.2f} ×, {lost}", "")]


def heap_analysis(bench):
    """A recording of 100 million events: outstanding, peak, temporaries and what was in use when, by stack."""
    def events_a_second(pairs, command):
        answers = [run(command) for _ in range(bench.rounds)]
        speed = 2 * pairs / statistics.median(answer.seconds for answer in answers) / 1e6
        return speed, max(answer.peak_mib for answer in answers)

    pairs, recording = 50_000_000, bench.folder / "loop.culprit"
    run(heap_recorded(bench, bench.program("allocation_loop", pairs, 1, 8), recording.name))
    ours, memory = events_a_second(pairs, [bench.culprit, "heap", str(recording), "--json"])
    peer = ""
    if shutil.which("heaptrack"):
        fewer = pairs // 10
        run(heaptracked(bench, bench.program("allocation_loop", fewer, 1, 8)))
        written = next(bench.folder.glob("heaptrack.*"))
        theirs, _ = events_a_second(fewer, ["heaptrack_print", str(written)])
        peer = f"heaptrack_print {theirs:.1f} million/s"
    return [("analysis of 100 million events by stack", "≥ 15 million events/s, ≤ 500 MB",
             f"{ours:.1f} million/s, {memory:.0f} MiB", peer)]


def heap_compiler(bench):
    source, unit = bench.folder / "unit.cc", bench.folder / "unit.ii"
    big_unit.write(source, 6)
    run(["g++", "-std=c++20", "-E", "-P", "-o", str(unit), str(source)])
    compiler = run(["g++", "-print-prog-name=cc1plus"]).output.strip()
    compile_it = [compiler, "-quiet", "-std=c++20", "-O2", str(unit), "-o", "/dev/null"]
    variants = {"native": lambda: run(compile_it).seconds,
                "culprit": lambda: run(heap_recorded(bench, compile_it, "compiler.culprit")).seconds}
    if shutil.which("heaptrack"):
        variants["heaptrack -r"] = lambda: run(["heaptrack", "-r", "-o", str(bench.folder / "raw"), *compile_it]).seconds
    results = interleaved(variants, bench.rounds)
    peer = f"heaptrack -r {median_ratio(results, 'heaptrack -r', 'native'):.2f} ×" if "heaptrack -r" in variants else ""
    native = statistics.median(results["native"])
    rows = [(f"cc1plus -O2 on a large file (native {native:.2f} s; the report included)", "≤ 1.5 ×",
             f"{median_ratio(results, 'culprit', 'native'):.2f} ×", peer)]
    return rows + heap_file(bench, bench.folder / "compiler.culprit")


def heap_file(bench, recording):
    """The recording of the compiler: its size, and how fast it is analysed."""
    answers = [run([bench.culprit, "heap", str(recording), "--by", "size"]) for _ in range(bench.rounds)]
    report = answers[0].output
    made = int(re.search(r"([\d,]+) allocations in", report)[1].replace(",", ""))
    left = int(re.search(r"([\d,]+) left,", report)[1].replace(",", ""))
    events = 2 * made - left
    seconds = statistics.median(answer.seconds for answer in answers)
    return [(f"its recording ({events / 1e6:.1f} million events)", "≤ 3 bytes an event",
             f"{recording.stat().st_size / events:.2f} bytes", ""),
            ("its analysis by size: outstanding, peak, temporaries", "≥ 15 million events/s, ≤ 500 MB",
             f"{events / seconds / 1e6:.1f} million/s, {max(answer.peak_mib for answer in answers):.0f} MiB", "")]
