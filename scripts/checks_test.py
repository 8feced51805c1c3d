"""Each check finds a made-up violation, and nothing in a made-up tree without one."""

import pathlib
import tempfile
import unittest

import check_layers
import check_paths
import check_sizes


class Tree:
    """A source tree in a temporary folder: {path: content}."""

    def __init__(self, files):
        self.folder = tempfile.TemporaryDirectory()
        self.root = self.folder.name
        for path, content in files.items():
            target = pathlib.Path(self.root) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)

    def __enter__(self):
        return self.root

    def __exit__(self, *_):
        self.folder.cleanup()


HEADERS = {f"src/{room}/it.h": "#pragma once\n" for room in check_layers.ARROWS}


def layers_of(path, line):
    with Tree({**HEADERS, path: f"// what it is\n{line}\n"}) as root:
        return check_layers.findings(root)


class Layers(unittest.TestCase):
    def test_an_arrow_downwards_is_allowed(self):
        self.assertEqual(layers_of("src/view/as_text.cc", '#include "analysis/it.h"'), [])
        self.assertEqual(layers_of("src/view/as_text.cc", '#include "base/it.h"'), [])

    def test_an_arrow_upwards_is_found_with_its_line(self):
        found = layers_of("src/analysis/growth.cc", '#include "trace/it.h"')
        self.assertEqual(len(found), 1)
        self.assertIn("src/analysis/growth.cc:2", found[0])
        self.assertIn("not trace", found[0])

    def test_the_agent_includes_wire_only(self):
        self.assertEqual(layers_of("src/agent/hook.cc", '#include "wire/it.h"'), [])
        self.assertEqual(len(layers_of("src/agent/hook.cc", '#include "base/it.h"')), 1)
        self.assertEqual(len(layers_of("src/agent/hook.cc", "#include <fmt/format.h>")), 1)

    def test_a_library_stays_in_its_place(self):
        self.assertEqual(layers_of("src/symbols/dwarf.cc", "#include <llvm/Object/ELF.h>"), [])
        self.assertEqual(len(layers_of("src/view/names.cc", "#include <llvm/Demangle/Demangle.h>")), 1)

    def test_an_unknown_library_needs_a_row(self):
        self.assertEqual(layers_of("src/base/fd.cc", "#include <sys/stat.h>"), [])
        self.assertIn("without a row", layers_of("src/base/fd.cc", "#include <boost/asio.hpp>")[0])

    def test_an_unknown_room_needs_a_row(self):
        self.assertIn("no row in ARROWS", layers_of("src/cellar/wine.cc", "#include <vector>")[0])

    def test_a_file_that_is_nowhere_is_found(self):
        self.assertEqual(len(layers_of("src/view/names.cc", '#include "view/gone.h"')), 1)

    def test_no_room_points_at_itself_by_a_detour(self):
        for room, below in check_layers.ARROWS.items():
            for other in below:
                self.assertNotIn(room, check_layers.closure(other))


def function_of(lines):
    return "int f(int a,\n      int b) {\n" + "  ++a;\n" * (lines - 3) + "}\n"


class Sizes(unittest.TestCase):
    def sizes_of(self, content):
        with Tree({"src/base/it.cc": content}) as root:
            return check_sizes.findings(root)

    def test_a_file_may_be_long_but_not_too_long(self):
        self.assertEqual(self.sizes_of("int x;\n" * 400), ([], []))
        violations, warnings = self.sizes_of("int x;\n" * 401)
        self.assertEqual((len(violations), len(warnings)), (0, 1))
        violations, warnings = self.sizes_of("int x;\n" * 801)
        self.assertEqual((len(violations), len(warnings)), (1, 0))

    def test_a_function_fits_a_screen(self):
        self.assertEqual(self.sizes_of(function_of(check_sizes.MOST_FUNCTION_LINES))[0], [])
        found = self.sizes_of("int x;\n" + function_of(check_sizes.MOST_FUNCTION_LINES + 1))[0]
        self.assertEqual(len(found), 1)
        self.assertIn("src/base/it.cc:2: 81 lines", found[0])

    def test_a_method_inside_its_class_is_a_function_too(self):
        body = "".join(f"  {line}\n" for line in function_of(90).splitlines())
        self.assertEqual(len(self.sizes_of("class C {\n" + body + "};\n")[0]), 1)

    def test_a_long_table_is_no_function(self):
        table = "const Row rows[] = {\n" + "    row(1),\n" * 100 + "};\n"
        self.assertEqual(self.sizes_of(table), ([], []))


class Paths(unittest.TestCase):
    def paths_of(self, content):
        with Tree({"docs/it.md": content}) as root:
            return check_paths.findings(root)

    def test_a_home_folder_is_found(self):
        self.assertEqual(len(self.paths_of("see /ho" + "me/jane/culprit/notes\n")), 1)
        self.assertEqual(len(self.paths_of('"/ro' + 'ot/culprit"\n')), 1)

    def test_the_checkout_itself_is_found(self):
        with Tree({}) as root:
            (pathlib.Path(root) / "it.txt").write_text(f"{pathlib.Path(root).resolve()}/src/base\n")
            self.assertEqual(len(check_paths.findings(root)), 1)

    def test_system_folders_are_none(self):
        self.assertEqual(self.paths_of("/proc/1/root/usr, /usr/lib/debug, https://x.org/home/page\n"), [])


if __name__ == "__main__":
    unittest.main()
