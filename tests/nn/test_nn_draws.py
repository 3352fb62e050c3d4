"""Random numbers of layers: fresh at each call, other ones at each place, the same from the same seed; states of layers
are read when a graph or a plan runs."""

import itertools

import numpy as np
import pytest
from backends import each_backend

import graphnet as gn
from graphnet import nn

X = np.ones((2, 30), "f")
SEQUENCE = np.ones((2, 4, 30), "f")
MANY = 12  # calls, of which some are compiled


def noisy(layer, **options):
    """A layer of this class whose noise is on whatever it is told."""

    class On(layer):
        def call(self, x, training=False):
            return super().call(x, training=True)

    return On(**options)


LAYERS = {
    "Dropout": (lambda **o: noisy(nn.Dropout, rate=0.5, **o), X),
    "GaussianNoise": (lambda **o: noisy(nn.GaussianNoise, stddev=0.5, **o), X),
    "GaussianDropout": (lambda **o: noisy(nn.GaussianDropout, rate=0.5, **o), X),
    "AlphaDropout": (lambda **o: noisy(nn.AlphaDropout, rate=0.5, **o), X),
    "SpatialDropout1D": (lambda **o: noisy(nn.SpatialDropout1D, rate=0.5, **o), SEQUENCE),
    "LSTM": (lambda **o: noisy(nn.LSTM, units=6, dropout=0.5, **o), SEQUENCE),
    "GRU": (lambda **o: noisy(nn.GRU, units=6, recurrent_dropout=0.5, **o), SEQUENCE),
}
each_layer = pytest.mark.parametrize(("make", "x"), LAYERS.values(), ids=LAYERS)


def distinct(arrays):
    return len({np.asarray(a).tobytes() for a in arrays})


@each_layer
def test_noise_outside_of_training_is_fresh_at_each_call_and_repeatable(make, x):
    def runs():
        nn.set_random_seed(3)
        model = nn.Sequential([nn.Input(x.shape[1:]), make()])
        model.compile("sgd", "mse")
        shape = model(x).shape
        results = [model.predict(x, verbose=0) for _ in range(MANY)]
        results += [model.predict_on_batch(x) for _ in range(3)]
        whole = model.predict(np.tile(x, (MANY, *[1] * (x.ndim - 1))), batch_size=2, verbose=0)
        results += list(whole.reshape(MANY, *shape))
        results += [model(x).numpy() for _ in range(3)]
        losses = [model.evaluate(x, np.zeros(shape, "f"), verbose=0) for _ in range(MANY)]
        return results, losses

    before = gn.repeatable()
    try:
        results, losses = runs()
        assert distinct(results) == len(results) and len(set(losses)) > MANY // 2
        again, other = runs()
    finally:
        gn.repeatable(before)
    for a, b in zip(results, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert losses == other


@each_backend
@each_layer
def test_compiled_and_eager_calls_draw_the_same(make, x, backend):
    eager, other = make(seed=5), make(seed=5)
    other(x)
    other._calls.count.assign(0)
    eager(x)
    eager._calls.count.assign(0)
    other.set_weights(eager.get_weights())
    compiled = gn.compile(lambda t: other(t), backend=backend)
    found = [compiled(x).numpy() for _ in range(5)]
    expected = [eager(x).numpy() for _ in range(5)]
    assert distinct(found) == 5
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert int(other._calls) == 5


@each_layer
def test_a_layer_called_twice_in_a_step_draws_twice(make, x):
    class Twice(nn.Layer):
        def __init__(self):
            super().__init__()
            self.inner = make(seed=1)

        def call(self, x):
            return gn.stack([self.inner(x), self.inner(x), self.inner(x)])

    for training in (False, True):
        layer = Twice()
        for call in (layer, gn.compile(lambda t, layer=layer: layer(t))):
            seen = []
            for count in range(3):
                with nn.layer.running(training, gn.tensor(count) if training else None):
                    seen += list(call(x).numpy())
            if training and call is not layer:
                # The step was a plain number when it was traced.
                seen = seen[:3]
            assert distinct(seen) == len(seen)


def test_a_layer_called_twice_in_a_training_step_draws_twice_eagerly_and_compiled():
    class Difference(nn.Layer):
        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout(0.5, seed=2)

        def call(self, x, training=False):
            return gn.square(self.drop(x, training=training) - self.drop(x, training=training))

    def losses(eager):
        nn.set_random_seed(0)
        model = nn.Sequential([nn.Input((30,)), nn.Dense(30, kernel_initializer="identity"), Difference()])
        model.compile(nn.optimizers.SGD(0.0), lambda t, p: gn.mean(p, axis=-1), run_eagerly=eager)
        return [model.train_on_batch(X, X) for _ in range(MANY)]

    compiled = losses(False)
    assert compiled == losses(True) and len(set(compiled)) > MANY // 2
    assert 1.0 < np.mean(compiled) < 3.0


def test_a_train_step_of_ones_own_that_calls_the_model_twice():
    class RDrop(nn.Sequential):
        def train_step(self, data):
            x, _ = data
            difference = gn.mean(gn.square(self(x, training=True) - self(x, training=True)))
            self.optimizer.apply(gn.gradients(difference, self.trainable_weights), self.trainable_weights)
            return {"difference": difference}

    for eager in (True, False):
        model = RDrop([nn.Input((30,)), nn.Dense(30), nn.Dropout(0.5)])
        model.compile(nn.optimizers.SGD(0.0), "mse", run_eagerly=eager)
        seen = [model.train_on_batch(X, X) for _ in range(MANY)]
        assert min(seen) > 0 and len(set(seen)) == MANY


def test_one_layer_in_two_places_and_two_layers_of_one_seed():
    shared = nn.Dropout(0.5, seed=1)
    kept = shared(shared(X, training=True), training=True).numpy()
    assert set(np.unique(kept)) == {0.0, 4.0} and 0 < (kept > 0).mean() < 0.45
    a, b = nn.Dropout(0.5, seed=1), nn.Dropout(0.5, seed=2)
    masks = [layer(X, training=True).numpy() for layer in (a, b) for _ in range(6)]
    assert distinct(masks) == len(masks)


def test_the_count_of_calls_is_no_weight_and_goes_with_files_and_copies(tmp_path):
    from copy import deepcopy

    model = nn.Sequential([nn.Input((30,)), noisy(nn.Dropout, rate=0.5, seed=4)])
    assert model.weights == [] and model.count_params() == 0
    plain = nn.Sequential([nn.Input((30,)), nn.Dropout(0.5)])
    for _ in range(3):
        plain(X, training=True)
    plain.save(tmp_path / "m.graphnet")
    back = nn.load_model(tmp_path / "m.graphnet")
    copied = deepcopy(plain)
    expected = plain(X, training=True).numpy()
    for other in (back, copied):
        assert int(other.layers[0]._calls) == 3
        np.testing.assert_array_equal(other(X, training=True).numpy(), expected)
    # A plan reads a count that was put back.
    call = gn.compile(lambda t: plain(t, training=True))
    first = call(X).numpy()
    call(X)
    plain.layers[0]._calls.count.assign(4)
    np.testing.assert_array_equal(call(X).numpy(), first)


def test_a_step_that_fails_draws_nothing():
    layer = nn.Dropout(0.5, seed=1)
    table = gn.tensor(np.arange(5.0))

    @gn.compile
    def f(x, places):
        return layer(x, training=True), table[places]

    good = np.array([0, 1])
    f(X, good)
    with pytest.raises(IndexError):
        f(X, np.array([0, 99]))
    assert int(layer._calls) == 1


def test_noise_in_loops_and_checkpoints():
    drop = nn.Dropout(0.5, seed=1)

    def loop(x):
        return gn.scan(lambda c, _: (c + drop(x, training=True), None), x * 0.0, length=3)[0]

    def once(x):
        return gn.checkpoint(lambda t: drop(t, training=True) * 2.0)(x)

    for f in (loop, once):
        for call in (f, gn.compile(f)):
            values = [call(gn.tensor(X)).numpy() for _ in range(4)]
            assert distinct(values) == 4
            # What was dropped has no gradient, and nothing else.
            x = gn.tensor(X, requires_grad=True)
            y = call(x)
            slope = gn.gradients(y.sum(), x)
            np.testing.assert_array_equal(slope.numpy() != 0, y.numpy() != 0)


# States.


def test_a_graph_of_a_model_reads_states_when_it_runs():
    rng = np.random.default_rng(0)
    model = nn.Sequential([nn.Input((3,)), nn.BatchNormalization(), nn.Dense(2)])
    x = rng.normal(size=(32, 3)).astype("f") * 3 + 1
    with gn.no_grad():
        by_hand = gn.Graph([s := gn.input((32, 3))], model(s))
    graphs = [model.graph(), gn.trace(model, x), by_hand]
    plans = [g.compile(backend="numpy") for g in graphs]
    for _ in range(3):
        model(x, training=True)
        expected = model(x).numpy()
        for run in (*graphs, *plans):
            np.testing.assert_allclose(run(x).numpy(), expected, rtol=1e-5, atol=1e-5)
    assert len(model.graph().parameters) == 6


def test_what_a_layer_makes_of_its_state_alone_is_computed_when_a_graph_runs():
    class Rated(nn.Layer):
        def __init__(self):
            super().__init__()
            self.rate = gn.Parameter(0.0, trainable=False)

        def call(self, x):
            # Its value may be looked at where shapes are asked for.
            assert float(self.rate) >= 0 and (gn.exp(self.rate) * 1.0).item() >= 1
            return x * (gn.exp(self.rate) * 2.0)

    layer = Rated()
    x = gn.input((2,))
    with gn.no_grad():
        graph = gn.Graph([x], layer(x))
    plan = graph.compile(backend="numpy")
    for rate in (0.0, 1.0):
        layer.rate.assign(rate)
        for run in (graph, plan):
            np.testing.assert_allclose(run(np.ones(2, "f")).numpy(), 2 * np.exp(rate), rtol=1e-6)


def test_building_asks_for_shapes_and_changes_no_state():
    class Counting(nn.Layer):
        def __init__(self):
            super().__init__()
            self.calls = gn.Parameter(0.0, trainable=False)
            self.mean = gn.Parameter(0.0, trainable=False)

        def build(self, shape):
            self.scale = self.add_weight(shape=(shape[-1],), name="scale")
            self.scale.assign(np.full(shape[-1], 2.0))

        def call(self, x):
            self.calls.assign(self.calls + 1.0)
            self.mean.assign(self.mean * 0.5 + gn.mean(x))
            return x * self.scale + self.mean

    layer = Counting()
    model = nn.Sequential([nn.Input((3,)), layer])
    model.graph()
    model.compute_output_shape((None, 3))
    assert layer.calls.item() == layer.mean.item() == 0
    np.testing.assert_array_equal(layer.scale.numpy(), [2, 2, 2])
    x = np.ones((4, 3), "f")
    for n in range(1, MANY):
        expected = 2 + layer.mean.numpy() * 0.5 + 1
        np.testing.assert_allclose(model.predict(x, verbose=0), np.full((4, 3), expected), rtol=1e-6)
        assert layer.calls.item() == n
    # Built in a trace, the weights are there once.
    other = Counting()
    compiled = gn.compile(lambda t: other(t))
    compiled(x)
    other.scale.assign([5.0, 5.0, 5.0])
    np.testing.assert_allclose(compiled(x).numpy()[0], 5 + 1.5)


@pytest.mark.parametrize("make", [nn.SimpleRNN, nn.LSTM, nn.GRU], ids=lambda c: c.__name__)
def test_a_stateful_layer_in_every_kind_of_call(make):
    x = np.random.default_rng(1).normal(size=(2, 8, 3)).astype("f")
    whole = make(4, return_sequences=True)
    expected = whole(x).numpy()

    def pieces(call, layer):
        layer.reset_states()
        return np.concatenate([np.asarray(call(x[:, i : i + 2])) for i in range(0, 8, 2)], axis=1)

    layer = make(4, return_sequences=True, stateful=True)
    model = nn.Sequential([nn.Input((2, 3)), layer])
    layer.set_weights(whole.get_weights())
    calls = [layer, model, model.predict_on_batch, gn.compile(model), gn.compile(lambda t: layer(t))]
    traced = gn.trace(lambda t: layer(t), x[:, :2])
    calls += [traced, traced.compile(backend="numpy")]
    for call, _ in itertools.product(calls, range(3)):
        np.testing.assert_allclose(pieces(call, layer), expected, rtol=2e-5, atol=1e-6)


def test_stateful_training_is_the_same_eagerly_compiled_and_from_the_first_batch(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 3, 3)).astype("f"), rng.normal(size=(24, 1)).astype("f")

    def losses(steady=False, **options):
        nn.set_random_seed(1)
        model = nn.Sequential([nn.Input((3, 3)), nn.GRU(4, stateful=True), nn.Dense(1)])
        model.compile(nn.optimizers.SGD(0.1), "mse", **options)
        kept = [nn.callbacks.BackupAndRestore(tmp_path / str(steady))] if steady else []
        return model.fit(x, y, batch_size=2, epochs=3, shuffle=False, verbose=0, callbacks=kept).history["loss"]

    expected = losses(run_eagerly=True)
    np.testing.assert_allclose(losses(), expected, rtol=1e-4)
    np.testing.assert_allclose(losses(steady=True), expected, rtol=1e-4)
