"""Every public function of `graphnet` and `graphnet.ops` says its result first, and shows an example.

The examples themselves run as doctests.
"""

import doctest
import inspect

import pytest

import graphnet as gn


def public(module):
    """Name and function of each public callable that is no class."""
    for name in module.__all__:
        found = getattr(module, name)
        if callable(found) and not inspect.isclass(found):
            yield name, found


FUNCTIONS = {f"{m.__name__}.{name}": found for m in (gn, gn.ops) for name, found in public(m)}


def faults(name, doc):
    """What a docstring lacks."""
    if not doc:
        return ["no docstring"]
    lacks = []
    first, _, _ = inspect.cleandoc(doc).partition("\n\n")
    if ">>>" in first or not first.rstrip().endswith((".", ":")):
        lacks.append("the first paragraph is not a sentence")
    if len(first.split()) < 3 or first.lower().startswith(("raises", "see ", "todo")):
        lacks.append("the first paragraph does not say the result")
    examples = doctest.DocTestParser().get_examples(doc)
    if not examples:
        lacks.append("no example with >>>")
    elif not any(e.want for e in examples):
        lacks.append("no example shows a result")
    return lacks


def test_all_functions_are_looked_at():
    assert {"graphnet.sum", "graphnet.ops.sum", "graphnet.grad", "graphnet.composite", "graphnet.toposort"} <= {
        *FUNCTIONS
    }
    assert "graphnet.Tensor" not in FUNCTIONS and len(FUNCTIONS) > 300


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstring_says_the_result_and_has_an_example(name):
    assert not faults(name, FUNCTIONS[name].__doc__)


@pytest.mark.parametrize(
    ("doc", "lack"),
    [
        (None, "no docstring"),
        ("", "no docstring"),
        ("The sum of all elements.", "no example with >>>"),
        ("The sum of all elements.\n\n>>> y = 1", "no example shows a result"),
        ("The sum of all elements\n\n>>> 1\n1", "the first paragraph is not a sentence"),
        (">>> 1\n1", "the first paragraph is not a sentence"),
        ("Sum.\n\n>>> 1\n1", "the first paragraph does not say the result"),
        ("Raises `ValueError` for no numbers.\n\n>>> 1\n1", "the first paragraph does not say the result"),
    ],
)
def test_a_docstring_that_lacks_something_is_found(doc, lack):
    assert lack in faults("f", doc)


def test_a_docstring_that_lacks_nothing_passes():
    assert not faults("f", "The sum of all elements.\n\n>>> 1 + 1\n2")
