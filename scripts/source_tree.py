"""What the checks of the house share: which files there are, and how a finding is printed."""

import os
import pathlib
import sys

SOURCE_SUFFIXES = {".cc", ".cpp", ".h", ".c", ".S"}
SKIPPED_FOLDERS = {"build", ".git", ".cache", "node_modules", "__pycache__", "corpus"}


def files_below(root, folders=(".",)):
    """All files below the folders of root, as paths relative to root, sorted."""
    for folder in folders:
        for path, names, files in os.walk(os.path.join(root, folder)):
            names[:] = sorted(n for n in names if n not in SKIPPED_FOLDERS)
            for name in sorted(files):
                yield pathlib.PurePath(os.path.relpath(os.path.join(path, name), root))


def sources(root, folders=("src", "tests", "fuzz", "bench")):
    """C and C++ files of ours, generated and collected ones left out."""
    return [p for p in files_below(root, folders) if p.suffix in SOURCE_SUFFIXES]


def lines_of(root, path):
    return (pathlib.Path(root) / path).read_text(encoding="utf-8", errors="replace").splitlines()


def finish(what, findings):
    """Prints the findings, one a line, and ends the program: 1 if there were any."""
    for finding in findings:
        print(finding, file=sys.stderr)
    if findings:
        print(f"{what}: {len(findings)} violations", file=sys.stderr)
        sys.exit(1)
    print(f"{what}: clean")
    sys.exit(0)
