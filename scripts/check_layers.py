#!/usr/bin/env python3
"""Who may include whom. A new arrow needs a line here, and therefore a review.

The tables are the arrows of docs/architecture.md; a room may use what it points at and everything below that.
"""

import pathlib
import re
import sys

import source_tree

# room: the rooms it points at. "wire" is what crosses a process border; the agent may use nothing else.
ARROWS = {
    "base": [],
    "wire": [],
    "model": ["base"],
    "arch": ["model"],
    "format": ["model"],
    "unwind": ["format", "arch", "wire"],
    "target": ["format", "arch"],
    "symbols": ["format", "arch"],
    "trace": ["model"],
    "analysis": ["symbols", "unwind", "target"],
    "capture": ["format", "unwind", "target", "wire"],
    "view": ["analysis"],
    "shell": ["view", "capture", "trace"],
    "cli": ["shell"],
    "agent": ["wire"],
    "bpf": ["wire"],
}

# A third-party library is included by one file or one folder: what the include starts with, and where that may stand.
THIRD_PARTY = {
    "llvm/": ["src/symbols/"],
    "llvm-c/": ["src/symbols/"],
    "elfutils/debuginfod.h": ["src/symbols/"],
    "CLI/": ["src/cli/"],
    "nlohmann/": ["src/view/", "src/shell/", "tests/", "bench/"],
    "zstd": ["src/trace/", "src/target/", "tests/trace/", "tests/target/"],
    "lz4": ["src/target/", "tests/target/"],
    "xxhash.h": ["src/trace/", "tests/trace/", "tests/support/"],
    "httplib.h": ["src/shell/exporter.cc"],
    "editline/": ["src/shell/line_reader.cc"],
    "capstone/": ["src/arch/", "src/target/moved_instruction.cc", "tests/capture/"],
    "bpf/": ["src/capture/bpf_program.cc", "src/bpf/"],
    "tl/": ["src/base/"],
    "fmt/": ["src/", "tests/", "fuzz/", "bench/"],
    "gtest/": ["tests/"],
    "gmock/": ["tests/"],
    "benchmark/": ["bench/"],
}
# Folders of the system's own headers.
SYSTEM = {"sys", "linux", "asm", "net", "netinet", "netpacket", "arpa", "bits", "experimental"}

INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def closure(room):
    """The rooms a room may include, itself among them."""
    reached, waiting = set(), [room]
    while waiting:
        current = waiting.pop()
        if current not in reached:
            reached.add(current)
            waiting.extend(ARROWS[current])
    return reached


def third_party_finding(path, header):
    for start, places in THIRD_PARTY.items():
        if header.startswith(start):
            if any(str(path).startswith(place) for place in places) and not str(path).startswith("src/agent/"):
                return None
            return f"<{header}> belongs in {' or '.join(places)} only"
    folder = header.split("/")[0]
    if "/" in header and folder not in SYSTEM:
        return f"<{header}> is of a library without a row in THIRD_PARTY of scripts/check_layers.py"
    return None


def own_finding(root, path, header):
    """A finding about an include in quotes, or None."""
    here = pathlib.Path(root) / path.parent / header
    if here.exists():
        return None
    room = header.split("/")[0]
    if (pathlib.Path(root) / "src" / header).exists():
        if path.parts[0] == "src":
            user = path.parts[1]
            if room not in closure(user):
                return f"{user} may include {', '.join(sorted(closure(user) - {user})) or 'nothing'} — not {room} ({header})"
        return None
    if path.parts[0] in ("tests", "fuzz", "bench") and (pathlib.Path(root) / "tests" / header).exists():
        return None
    return f'"{header}" is no file below src/; what is not ours is included with <>'


def findings(root):
    result = []
    for path in source_tree.sources(root):
        if path.parts[0] == "src" and path.parts[1] not in ARROWS:
            result.append(f"{path}: src/{path.parts[1]} has no row in ARROWS of scripts/check_layers.py")
            continue
        if path.parts[:2] == ("tests", "programs"):
            continue  # programs in their own right: whatever they want, nothing of ours
        for number, line in enumerate(source_tree.lines_of(root, path), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            mark, header = match.groups()
            found = own_finding(root, path, header) if mark == '"' else third_party_finding(path, header)
            if found:
                result.append(f"{path}:{number}: {found}")
    return result


if __name__ == "__main__":
    source_tree.finish("layers", findings(sys.argv[1] if len(sys.argv) > 1 else "."))
