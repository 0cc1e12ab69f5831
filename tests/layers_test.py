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
        layers.SOURCE = source
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


if __name__ == "__main__":
    unittest.main()
