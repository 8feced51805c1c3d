#!/usr/bin/env python3
"""No file tells where somebody's checkout or home lies: what is in the repository means the same on every machine."""

import pathlib
import re
import sys

import source_tree

# Where people keep things. /proc/PID/root/ is none of these, nor is a URL. Tests may make up whatever homes they like.
PRIVATE = re.compile(r"(?<![\w.})>*:/])/(?:work|root|home)/\w")
TEXT = {".md", ".txt", ".cmake", ".json", ".py", ".sh", ".yml", ".yaml", ".html", ".supp", ".rules", ".tsv", ".csv", ""}


def findings(root):
    checkout = str(pathlib.Path(root).resolve()) + "/"
    result = []
    for path in source_tree.files_below(root):
        if path.suffix not in TEXT | source_tree.SOURCE_SUFFIXES or path.name == ".git":
            continue
        content = (pathlib.Path(root) / path).read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
            if checkout in line or (path.parts[0] != "tests" and PRIVATE.search(line)):
                result.append(f"{path}:{number}: a path of one machine: {line.strip()[:100]}")
    return result


if __name__ == "__main__":
    source_tree.finish("paths", findings(sys.argv[1] if len(sys.argv) > 1 else "."))
