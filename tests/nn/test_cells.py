"""Cells and the loop over them: the layers' own values, cells of one's own, states, gradients, files."""

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn

rng = np.random.default_rng(0)
X = rng.normal(size=(3, 5, 4)).astype("float32")
MASK = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1], [1, 1, 1, 1, 1]], bool)
PAIRS = [
    (nn.SimpleRNNCell, nn.SimpleRNN, {}),
    (nn.LSTMCell, nn.LSTM, {}),
    (nn.LSTMCell, nn.LSTM, {"unit_forget_bias": False, "activation": "relu"}),
    (nn.GRUCell, nn.GRU, {}),
    (nn.GRUCell, nn.GRU, {"reset_after": False}),
]


class Minimal(nn.Layer):
    """The cell of Keras' documentation."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="uniform", name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, self.units), initializer="uniform", name="recurrent_kernel"
        )

    def call(self, inputs, states):
        output = nn.ops.matmul(inputs, self.kernel) + nn.ops.matmul(states[0], self.recurrent_kernel)
        return output, [output]


class Counter(nn.Layer):
    """Two states of different shapes, an output that is neither, layers inside that are built when they are called."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.state_size = [2, (3, 2)]
        self.output_size = 5
        self.first, self.last = nn.Dense(2, activation="tanh"), nn.Dense(5)

    def call(self, inputs, states, training=False):
        total, table = states
        total = total + self.first(inputs)
        table = table * 0.5 + nn.ops.expand_dims(total, 1)
        y = self.last(nn.ops.concatenate([total, nn.ops.sum(table, axis=1)], axis=-1))
        return y, (total, table)


def written_out(cell, x, mask=None, zero=False, states=None):
    """The loop in NumPy and eager calls: outputs of all steps, and the last states."""
    states = [gn.zeros(s.shape, "float32") for s in nn.RNN(cell)._start(None, len(x))] if states is None else states
    last, outputs = None, []
    for t in range(x.shape[1]):
        y, new = cell(gn.tensor(x[:, t]), states)
        y, new = y.numpy(), [n.numpy() for n in new]
        if mask is not None:
            kept = mask[:, t]
            pick = lambda a, b: np.where(kept.reshape(-1, *[1] * (a.ndim - 1)), a, b)  # noqa: B023, E731
            new = [pick(n, s.numpy()) for n, s in zip(new, states, strict=True)]
            y = pick(y, np.zeros_like(y) if zero or last is None else last)
        states, last = [gn.tensor(n) for n in new], y
        outputs.append(y)
    return np.stack(outputs, 1), [s.numpy() for s in states]


@pytest.mark.parametrize("cell, layer, options", PAIRS)
@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize(
    "loop", [{}, {"return_sequences": True, "return_state": True}, {"go_backwards": True, "zero_output_for_mask": True}]
)
def test_a_loop_over_a_cell_is_the_layer(cell, layer, options, mask, loop):
    a, b = nn.RNN(cell(6, **options), **loop), layer(6, **options, **loop)
    given = {} if mask is None else {"mask": mask}
    a(X), b(X)
    assert [w.shape for w in a.weights] == [w.shape for w in b.weights]
    a.set_weights(b.get_weights())
    got, want = a(X, **given), b(X, **given)
    for p, q in zip(got if isinstance(got, tuple) else [got], want if isinstance(want, tuple) else [want], strict=True):
        np.testing.assert_allclose(p, q, atol=1e-6)


@pytest.mark.parametrize("make", [lambda: Minimal(6), Counter, lambda: nn.LSTMCell(6)])
@pytest.mark.parametrize("mask, zero", [(None, False), (MASK, False), (MASK, True)])
def test_cells_are_run_as_if_written_out(make, mask, zero):
    cell = make()
    given = {} if mask is None else {"mask": mask}
    layer = nn.RNN(cell, return_sequences=True, return_state=True, zero_output_for_mask=zero)
    y, *states = layer(X, **given)
    want, last = written_out(cell, X, mask, zero)
    np.testing.assert_allclose(y, want, atol=1e-5)
    for s, t in zip(states, last, strict=True):
        np.testing.assert_allclose(s, t, atol=1e-5)
    alone = nn.RNN(cell, zero_output_for_mask=zero)
    np.testing.assert_allclose(alone(X, **given), want[:, -1], atol=1e-5)


@pytest.mark.parametrize(
    "make", [lambda: Minimal(3), Counter, lambda: nn.StackedRNNCells([nn.LSTMCell(3), Minimal(2)])]
)
@pytest.mark.parametrize("mask", [None, MASK[:, :4]])
def test_gradients(make, mask):
    layer = nn.RNN(make(), dtype="float64")
    x = rng.normal(size=(3, 4, 2))
    for part in layer.walk():
        part._dtype = np.dtype("float64")
    layer(x)
    gn.check_grads(lambda v: layer(v, mask=mask), x, order=1)
    given = {} if mask is None else {"mask": mask}
    loss = (layer(gn.tensor(x), **given) ** 2).sum()
    grads = gn.gradients(loss, layer.weights)
    for w, g in zip(layer.weights, grads, strict=True):
        value = w.numpy().copy()
        step = rng.normal(size=w.shape)
        moved = []
        for sign in (1, -1):
            w.assign(value + sign * 1e-6 * step)
            moved.append(float((layer(x, **given) ** 2).sum()))
        w.assign(value)
        assert (moved[0] - moved[1]) / 2e-6 == pytest.approx(float((g.numpy() * step).sum()), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("make", [lambda: Minimal(8), Counter, lambda: [nn.LSTMCell(8, dropout=0.2), nn.GRUCell(8)]])
def test_a_model_learns(make):
    nn.set_random_seed(0)
    x = rng.normal(size=(64, 6, 2)).astype("float32")
    y = x.sum((1, 2))
    model = nn.Sequential([nn.Input((6, 2)), nn.RNN(make()), nn.Dense(1)])
    model.compile(nn.optimizers.Adam(0.02), "mse")
    loss = model.fit(x, y, batch_size=16, epochs=12, verbose=0).history["loss"]
    assert loss[-1] < 0.7 * loss[0]
    np.testing.assert_allclose(model.predict(x[:3]), model(x[:3]), atol=1e-5)


def test_dropout_of_a_cell_is_the_same_at_every_step_and_another_in_the_next_batch():
    cell = nn.SimpleRNNCell(
        4, dropout=0.5, kernel_initializer="identity", recurrent_initializer="zeros", use_bias=False
    )
    layer = nn.RNN(cell, return_sequences=True)
    ones = np.ones((2, 6, 4), "float32")
    a, b = layer(ones, training=True).numpy(), layer(ones, training=True).numpy()
    assert (a == a[:, :1]).all() and len(np.unique(a)) == 2 and not np.array_equal(a, b)
    assert cell.held is None
    first, second = (cell(ones[:, 0], cell.get_initial_state(2), training=True)[0].numpy() for _ in range(2))
    assert not np.array_equal(first, second)


def test_states_from_batch_to_batch_and_from_outside():
    layer = nn.RNN(nn.StackedRNNCells([nn.LSTMCell(2), nn.GRUCell(3)]), stateful=True, return_state=True)
    whole = nn.RNN(layer.cell)
    parts = [layer(X[:, :2]), layer(X[:, 2:])]
    np.testing.assert_allclose(parts[1][0], whole(X), atol=1e-6)
    assert len(parts[1]) == 3 and not [w for w in layer.weights if "state" in w.name]
    layer.reset_states()
    np.testing.assert_allclose(layer(X[:, :2])[0], parts[0][0], atol=1e-6)
    np.testing.assert_allclose(whole(X[:, 2:], initial_state=parts[0][1:]), parts[1][0], atol=1e-6)
    with pytest.raises(ValueError, match="its state has 3 rows"):
        layer(X[:2])


def test_a_stateful_model_trains_and_is_reset():
    model = nn.Sequential([nn.Input(batch_shape=(4, 3, 2)), nn.RNN(Minimal(3), stateful=True), nn.Dense(1)])
    model.compile("sgd", "mse")
    x = rng.normal(size=(40, 3, 2)).astype("float32")
    model.fit(x, x.sum((1, 2)), batch_size=4, epochs=2, shuffle=False, verbose=0)
    model.reset_states()
    first = model.predict(x[:4], batch_size=4)
    assert not np.allclose(model.predict(x[:4], batch_size=4), first)
    model.reset_states()
    np.testing.assert_allclose(model.predict(x[:4], batch_size=4), first, atol=1e-6)


@pytest.mark.parametrize("ending", ["graphnet", "keras"])
def test_models_of_cells_are_saved_and_cloned(tmp_path, ending):
    if ending == "keras":
        pytest.importorskip("h5py")
    cells = [nn.LSTMCell(3, recurrent_dropout=0.1), nn.GRUCell(2)]
    model = nn.Sequential([nn.Input((5, 4)), nn.RNN(cells, return_sequences=True), nn.RNN(nn.SimpleRNNCell(2))])
    path = tmp_path / f"m.{ending}"
    model.save(path)
    again = nn.load_model(path)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.layers[0].cell.cells[0].recurrent_dropout == 0.1
    copy = nn.clone_model(model)
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(copy.predict(X), model.predict(X))


def test_a_cell_of_ones_own_in_a_file(tmp_path):
    model = nn.Sequential([nn.Input((5, 4)), nn.RNN(Minimal(3))])
    model.save(tmp_path / "m.graphnet")
    again = nn.load_model(tmp_path / "m.graphnet", custom_objects={"Minimal": Minimal})
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_both_directions_of_a_cell():
    layer = nn.Bidirectional(nn.RNN(nn.GRUCell(3), return_sequences=True))
    y = layer(X).numpy()
    backward = layer.backward_layer.cell
    np.testing.assert_allclose(y[:, ::-1, 3:], written_out(backward, X[:, ::-1])[0], atol=1e-5)
    with pytest.raises(TypeError, match="recurrent layer"):
        nn.Bidirectional(nn.GRUCell(3))


class Wrong(nn.Layer):
    state_size = 4

    def __init__(self, give):
        super().__init__()
        self.give = give

    def call(self, x, states):
        return self.give(x, states)


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda: nn.RNN(nn.Dense(3)), TypeError, "a cell is a layer with `state_size`"),
        (lambda: nn.RNN(lambda x: x), TypeError, "a cell is a layer"),
        (lambda: nn.RNN([]), TypeError, "list of cells"),
        (lambda: nn.LSTMCell(3, return_sequences=True), TypeError, "return_sequences is an argument of RNN"),
        (lambda: nn.RNN(Wrong(lambda x, s: x))(X), TypeError, r"gives \(output, new states\)"),
        (lambda: nn.RNN(Wrong(lambda x, s: (x, [])))(X), TypeError, "has 1 states, and its call gives 0"),
        (lambda: nn.RNN(Wrong(lambda x, s: (x, [x[:, :2]])))(X), TypeError, r"\(1, 4\) becomes \(1, 2\)"),
        (lambda: nn.RNN(nn.GRUCell(3))(X[:, 0]), ValueError, r"takes \(batch, time, ...\)"),
        (lambda: nn.GRUCell(3)(X, [gn.zeros((3, 3))]), ValueError, r"takes \(batch, features\)"),
        (lambda: nn.LSTMCell(3)(X[:, 0], [gn.zeros((3, 3))]), ValueError, "has 2 states"),
        (lambda: nn.RNN(nn.GRUCell(3))(X, initial_state=[gn.zeros((3, 2))]), TypeError, "states keep their shapes"),
        (lambda: nn.RNN(nn.GRUCell(3))(X, mask=MASK[:, :2]), ValueError, r"takes a mask \(batch, time\)"),
    ],
)
def test_what_is_no_cell_says_so(make, error, text):
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize(("cell", "layer", "more"), PAIRS)
def test_a_cell_that_was_built_by_hand_keeps_its_weights(cell, layer, more):
    made = cell(3, **more)
    made.build((None, 4))
    assert made.built
    given = [np.full(w.shape, 0.25, "float32") for w in made.weights]
    made.set_weights(given)
    whole = layer(3, **more)
    whole.build((None, 5, 4))
    whole.set_weights(given)
    y, _ = made(X[:, 0], made.get_initial_state(3))
    assert [w.shape for w in made.weights] == [w.shape for w in given]
    np.testing.assert_allclose(y.numpy(), whole(X[:, :1]).numpy(), rtol=1e-6)
    np.testing.assert_allclose(nn.RNN(made)(X).numpy(), whole(X).numpy(), rtol=1e-6)


def test_a_layer_whose_build_is_a_mix_ins_is_built_once():
    class Scaled:
        def build(self, input_shape):
            self.scale = self.add_weight(name="scale", shape=(input_shape[-1],), initializer="ones")

    class Scale(Scaled, nn.Layer):
        def call(self, x):
            return x * self.scale

    layer = Scale()
    layer.build((None, 2))
    layer.set_weights([np.array([2.0, 3.0], "float32")])
    assert layer([[1.0, 1.0]]).numpy().tolist() == [[2.0, 3.0]]
    assert layer.built and len(layer.weights) == 1


def test_stacked_cells_are_built_by_hand_each_for_what_the_one_before_gives():
    cell = nn.StackedRNNCells([nn.LSTMCell(2), Minimal(3), nn.GRUCell(4)])
    cell.build((None, 5))
    assert all(c.built for c in cell.cells) and cell.cells[2].built_shape == (None, 3)
    before = cell.get_weights()
    assert nn.RNN(cell)(np.ones((2, 6, 5))).shape == (2, 4)
    assert len(before) == len(cell.get_weights()) > 6
    for a, b in zip(before, cell.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "make", [lambda: nn.LSTM(2), lambda: nn.RNN(nn.GRUCell(2)), lambda: nn.Bidirectional(nn.GRU(1))]
)
def test_sequences_is_the_name_of_the_input(make):
    layer, x = make(), np.ones((2, 3, 4))
    np.testing.assert_array_equal(layer(sequences=x).numpy(), layer(x).numpy())
