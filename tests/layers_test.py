#!/usr/bin/env python3
"""The layers check finds what it is there to find, in trees made for it."""
import pathlib
import tempfile
import unittest

import layers


def faults(rooms, files):
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "src"
        for name, text in {"CMakeLists.txt": rooms, **files}.items():
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return layers.check(source)


class Layers(unittest.TestCase):
    rooms = "room(base)\nroom(graph base)\nroom(quant base)\n"

    def test_an_allowed_include_passes(self):
        self.assertEqual(faults(self.rooms, {"graph/a.hpp": '#include "base/b.hpp"\n', "base/b.hpp": "",
                                             "quant/c.cpp": ""}), [])

    def test_an_include_of_a_room_that_the_line_does_not_name_is_found(self):
        self.assertEqual(faults(self.rooms, {"quant/c.cpp": '\n#include "graph/a.hpp"\n'}),
                         ["src/quant/c.cpp:2: room 'quant' may not include 'graph'"])

    def test_a_line_that_names_a_room_below_it_is_found(self):
        self.assertEqual(faults("room(graph base)\nroom(base)\n", {}), ["room graph uses 'base', which is not above it"])

    def test_torch_outside_train_is_found(self):
        self.assertEqual(faults(self.rooms, {"base/a.cpp": "#include <torch/torch.h>\n"}),
                         ["src/base/a.cpp:1: only room 'train' includes <torch/torch.h>"])

    def test_a_folder_without_a_line_is_found(self):
        self.assertEqual(faults(self.rooms, {"util/a.cpp": ""}), ["src/util is no room"])

    def test_a_subroom_includes_those_before_it_and_the_rooms_own_headers(self):
        rooms = self.rooms + "subrooms(graph infer evaluate)\n"
        self.assertEqual(faults(rooms, {"graph/evaluate/a.cpp": '#include "graph/infer/b.hpp"\n#include "graph/c.hpp"\n',
                                        "graph/infer/b.hpp": "", "graph/c.hpp": "",
                                        "graph/c.cpp": '#include "graph/evaluate/a.hpp"\n'}), [])

    def test_a_subroom_that_includes_one_behind_it_is_found(self):
        rooms = self.rooms + "subrooms(graph infer evaluate)\n"
        self.assertEqual(faults(rooms, {"graph/infer/a.cpp": '#include "graph/evaluate/b.hpp"\n', "graph/evaluate/b.hpp": ""}),
                         ["src/graph/infer/a.cpp:1: subroom 'infer' may not include 'evaluate'"])

    def test_a_header_of_the_rooms_own_folder_that_includes_a_subroom_is_found(self):
        rooms = self.rooms + "subrooms(graph infer)\n"
        self.assertEqual(faults(rooms, {"graph/a.hpp": '#include "graph/infer/b.hpp"\n', "graph/infer/b.hpp": ""}),
                         ["src/graph/a.hpp:1: a header of the room's own folder may not include 'infer'"])

    def test_a_folder_that_no_line_names_and_one_of_too_many_files_are_found(self):
        files = {f"base/f{i}.hpp": "" for i in range(36)}
        self.assertEqual(faults(self.rooms, {**files, "graph/odd/a.cpp": ""}),
                         ["src/base holds 36 files (at most 35)", "src/graph/odd is no subroom"])


if __name__ == "__main__":
    unittest.main()
