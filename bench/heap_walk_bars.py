"""How fast the heap of a process is read that was not prepared for it, and how long the process stands still for it."""

import json
import statistics
import subprocess

from measure import interleaved, run

MEGABYTES = 1000


def heap_walk(bench):
    """1 GB in blocks of 16 to 3000 bytes, one in four freed; glibc's own mallinfo2 in the process is the peer."""
    with subprocess.Popen(bench.program("filled_heap", MEGABYTES), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as victim:
        mallinfo = float(victim.stdout.readline().split()[1])

        def ask(*options):
            return json.loads(run([bench.culprit, "heap", str(victim.pid), "--json", *options]).output)

        results = interleaved({"size": lambda: ask("--by", "size"), "unreachable": lambda: ask("--unreachable")},
                              bench.rounds)
        victim.stdin.close()

    def median(name, value):
        return statistics.median(value(answer) for answer in results[name])

    gigabytes = results["size"][0]["read"] / 1e9
    stop = median("size", lambda answer: answer["stopped_for"])
    copy = median("unreachable", lambda answer: answer["stopped_for"])
    search = median("unreachable", lambda answer: answer["seconds"])
    return [(f"heap walk by size, {gigabytes:.2f} GB", "≥ 2 GB/s", f"{gigabytes / stop:.2f} GB/s",
             f"mallinfo2 in the process itself, free lists only, {mallinfo:.1f} ms"),
            ("stop of the process for it", "≤ 0.5 s per GB", f"{stop / gigabytes:.2f} s per GB", ""),
            ("stop of the process for --unreachable", "≤ 0.5 s per GB", f"{copy / gigabytes:.2f} s per GB",
             f"the search behind it, while it runs again: {search:.2f} s")]
