#!/usr/bin/env python3
"""Files one can hold in mind, functions that fit a screen.

Relies on the sources being formatted (.clang-format): a function's head begins a line at the indentation of its
closing brace, and namespaces do not indent.
"""

import re
import sys

import source_tree

THINK_AGAIN_LINES = 400
MOST_LINES = 800
MOST_FUNCTION_LINES = 80

NOT_A_FUNCTION = re.compile(
    r"\s*(#|//|\*|/\*|\}|extern\s+\"C\"\s*\{"
    r"|(namespace|class|struct|enum|union|if|for|while|switch|do|else|case|return|public|private)\b)"
)
TABLE = re.compile(r"=\s*(\w+\s*)?\{+$")


def functions(lines):
    """(first line number, length, head) of each function at file level or directly in a class."""
    index = 0
    while index < len(lines):
        head = lines[index]
        indent = len(head) - len(head.lstrip())
        if indent > 2 or not head.strip() or NOT_A_FUNCTION.match(head) or "(" not in head:
            index += 1
            continue
        opening = index
        while opening < min(index + 12, len(lines)) and not lines[opening].rstrip().endswith(("{", ";", "}")):
            opening += 1
        if opening >= len(lines) or not lines[opening].rstrip().endswith("{") or TABLE.search(lines[opening].rstrip()):
            index = max(opening, index) + 1
            continue
        closing = opening + 1
        while closing < len(lines) and not lines[closing].startswith(" " * indent + "}"):
            closing += 1
        yield index + 1, closing - index + 1, head.strip()
        index = closing + 1


def findings(root):
    violations, warnings = [], []
    for path in source_tree.sources(root):
        lines = source_tree.lines_of(root, path)
        if len(lines) > MOST_LINES:
            violations.append(f"{path}: {len(lines)} lines, more than {MOST_LINES}: take it apart")
        elif len(lines) > THINK_AGAIN_LINES:
            warnings.append(f"{path}: {len(lines)} lines: more than {THINK_AGAIN_LINES}, think again")
        for number, length, head in functions(lines):
            if length > MOST_FUNCTION_LINES:
                violations.append(f"{path}:{number}: {length} lines, more than {MOST_FUNCTION_LINES}, in one function: {head}")
    return violations, warnings


if __name__ == "__main__":
    found, doubtful = findings(sys.argv[1] if len(sys.argv) > 1 else ".")
    for warning in doubtful:
        print(f"warning: {warning}")
    source_tree.finish("sizes", found)
