"""The measured behaviours of Keras, by number: each has a test in this folder, named `test_NN_...`."""

import re
from pathlib import Path

#: data 1 to 10, losses to 21, logs to 30, layers to 41, optimizers to 48, callbacks and files to 58
COUNT = 58


def test_every_item_has_a_test():
    found = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        found |= {int(number) for number in re.findall(r"def test_(\d\d)_", path.read_text("utf-8"))}
    assert found == set(range(1, COUNT + 1))
