"""How long it takes to say what a process with very many handles has open."""

import shutil
import statistics
import subprocess

from measure import interleaved, median_ratio, run


def inventory(bench):
    """20,000 handles: their counts and groups, every table of the process read; the peers list each."""
    with subprocess.Popen(bench.program("many_handles", 20_000), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as victim:
        held = int(victim.stdout.readline())
        commands = {"culprit": [bench.culprit, "handles", str(victim.pid)],
                    "summary": [bench.culprit, "handles", str(victim.pid), "--summary"]}
        for peer in ("lsof", "lsfd"):
            if shutil.which(peer):
                commands[peer] = [peer, *(["-n", "-P"] if peer == "lsof" else []), "-p", str(victim.pid)]
        results = interleaved({name: lambda command=command: run(command).seconds for name, command in commands.items()},
                              bench.rounds)
        victim.stdin.close()
    seconds = {name: statistics.median(values) for name, values in results.items()}
    peers = ", ".join(f"{name} {seconds[name]:.3f} s ({median_ratio(results, name, 'culprit'):.1f} × ours)"
                      for name in ("lsof", "lsfd") if name in results)
    return [(f"inventory of a process with {held:,} handles", "≤ 0.05 s", f"{seconds['culprit']:.3f} s", peers),
            ("the same, counts only (--summary)", "≤ 0.05 s", f"{seconds['summary']:.3f} s", "")]
