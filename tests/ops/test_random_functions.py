"""`nn.random`: fresh numbers at each call, also in plans, that a seed repeats."""

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.nn import random


def differ(found):
    return len({np.asarray(f).tobytes() for f in found}) == len(found)


def test_one_seed_gives_the_same_run():
    runs = []
    for _ in range(2):
        nn.set_random_seed(5)
        runs.append([random.normal((4,)).numpy() for _ in range(3)])
    assert differ(runs[0])
    np.testing.assert_array_equal(*runs)
    np.testing.assert_array_equal(random.normal((3,), seed=3).numpy(), random.normal((3,), seed=3).numpy())


@pytest.mark.parametrize("seed", [None, 7], ids=["shared", "own"])
def test_plans_draw_afresh(seed):
    source = None if seed is None else random.SeedGenerator(seed)
    f = gn.compile(lambda x: x + random.normal((2,), seed=source))
    assert differ([f(np.zeros(2, np.float32)).numpy() for _ in range(5)])


@pytest.mark.parametrize("own", [False, True])
def test_training_steps_draw_afresh_and_repeat_from_the_seed(own):
    class Noise(nn.Layer):
        def __init__(self):
            super().__init__()
            self.source = random.SeedGenerator(3) if own else None

        def build(self, shape):
            self.w, self.last = self.add_weight(shape=(3,)), self.add_weight(shape=(3,), trainable=False)

        def call(self, x):
            drawn = random.normal((3,), seed=self.source)
            self.last.assign(drawn)
            return x * self.w + drawn

    runs = []
    for eager in (False, True):
        nn.set_random_seed(1)
        layer = Noise()
        model = nn.Sequential([nn.Input((3,)), layer])
        model.compile("sgd", "mse", run_eagerly=eager)
        seen = []
        note = nn.callbacks.LambdaCallback(on_train_batch_end=lambda b, logs, s=seen, n=layer: s.append(n.last.numpy()))
        model.fit(np.zeros((10, 3)), np.zeros((10, 3)), batch_size=2, verbose=0, callbacks=[note])
        runs.append(seen)
        assert len(seen) == 5 and differ(seen)
        assert differ([model.predict(np.zeros((1, 3)), verbose=0) for _ in range(5)])
    np.testing.assert_allclose(*runs, rtol=1e-6)


def test_distributions():
    nn.set_random_seed(2)
    normal = random.normal((20000,), 5.0, 2.0).numpy()
    assert abs(normal.mean() - 5) < 0.1 and abs(normal.std() - 2) < 0.05
    uniform = random.uniform((20000,), -2, 4, dtype="float64").numpy()
    assert uniform.dtype == np.float64 and uniform.min() >= -2 and uniform.max() < 4 and abs(uniform.mean() - 1) < 0.1
    counts = np.bincount(random.randint((3000,), 2, 5).numpy())
    assert counts[:2].sum() == 0 and len(counts) == 5 and counts[2:].min() > 850
    kept = random.dropout(np.ones(4000, np.float32), 0.25).numpy()
    assert set(np.unique(kept).round(4)) == {0.0, np.float32(1.3333)} and abs((kept == 0).mean() - 0.25) < 0.05


def test_what_is_no_seed():
    with pytest.raises(TypeError, match="a seed is None, a whole number or a SeedGenerator; received 'a'"):
        random.normal((2,), seed="a")
    with pytest.raises(ValueError, match="minval is less than maxval"):
        random.randint((2,), 3, 3)


@pytest.mark.parametrize("own", [False, True])
def test_a_training_that_is_resumed_goes_on_with_the_same_numbers(own, tmp_path):
    class Noise(nn.Layer):
        def __init__(self):
            super().__init__()
            self.source = random.SeedGenerator() if own else None

        def call(self, x, training=False):
            return x + random.normal((4,), seed=self.source) if training else x

    def fitted(folder, *more):
        nn.set_random_seed(3)
        model = nn.Sequential([nn.Input((3,)), nn.Dense(4), Noise(), nn.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(x, x[:, 0], epochs=4, verbose=0, callbacks=[nn.callbacks.BackupAndRestore(folder), *more])
        return model.get_weights()

    class Stop(nn.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    whole = fitted(tmp_path / "a")
    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path / "b", Stop())
    for a, b in zip(whole, fitted(tmp_path / "b"), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_a_generator_in_a_file(tmp_path):
    @nn.register_serializable()
    class FileNoise(nn.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.source = random.SeedGenerator()

        def call(self, x):
            return x + random.normal((2,), seed=self.source)

    model, x = nn.Sequential([nn.Input((2,)), FileNoise()]), np.zeros((1, 2), np.float32)
    first = model.predict(x)
    model.save(tmp_path / "m.graphnet")
    loaded = nn.load_model(tmp_path / "m.graphnet")
    np.testing.assert_array_equal(loaded.predict(x), second := model.predict(x))
    assert (first != second).all()
