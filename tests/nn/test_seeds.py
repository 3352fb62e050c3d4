"""Seeds: what `set_random_seed` starts, and layers whose seeds are neighbours."""

import random

import numpy as np
import pytest

from graphnet import nn


def drawn():
    return np.random.normal(), np.random.permutation(5).tolist(), random.random()


@pytest.mark.parametrize("seed", [0, 812, 2**32 - 1, 2**40 + 1])
def test_set_random_seed_starts_numpys_and_pythons_generators(seed):
    nn.utils.set_random_seed(seed)
    first = drawn()
    assert drawn() != first
    nn.set_random_seed(seed)
    assert drawn() == first


def test_they_are_started_as_keras_starts_them():
    np.random.seed(7)
    random.seed(7)
    want = drawn()
    nn.set_random_seed(7)
    assert drawn() == want


def test_a_seed_that_is_none_changes_nothing():
    np.random.seed(1)
    random.seed(1)
    want = drawn()
    np.random.seed(1)
    random.seed(1)
    for bad in (-1, 1.5, "a", True, None):
        with pytest.raises(ValueError, match="random seed"):
            nn.set_random_seed(bad)
    assert drawn() == want


def test_a_seed_of_an_estimator_is_for_it_alone():
    pytest.importorskip("sklearn")
    np.random.seed(1)
    random.seed(1)
    want = drawn()
    np.random.seed(1)
    random.seed(1)
    nn.GraphnetRegressor(epochs=1, random_state=3).fit(np.ones((8, 2)), np.arange(8.0))
    assert drawn() == want


@pytest.mark.parametrize("kind", [nn.Dropout, nn.GaussianDropout, nn.AlphaDropout, nn.GaussianNoise])
def test_layers_with_neighbouring_seeds_draw_other_numbers(kind):
    x = np.ones((6, 9), "float32")
    first, second = kind(0.5, seed=1), kind(0.5, seed=2)
    a, b = ([layer(x, training=True).numpy() for _ in range(4)] for layer in (first, second))
    assert not any(np.array_equal(p, q) for p in a for q in b)
    again = kind(0.5, seed=1)
    assert all(np.array_equal(p, again(x, training=True).numpy()) for p in a)


def test_recurrent_dropout_too():
    x = np.ones((2, 3, 4), "float32")
    found = []
    for seed in (1, 2):
        nn.set_random_seed(0)
        layer = nn.SimpleRNN(5, dropout=0.5, recurrent_dropout=0.5, seed=seed)
        found.append([layer(x, training=True).numpy() for _ in range(3)])
    assert not any(np.allclose(p, q) for p in found[0] for q in found[1])
