"""Recurrent layers, embeddings and masks: Keras' figures, the loop written out in NumPy, states, compiled steps."""

import warnings

import numpy as np
import pytest

import graphnet as gn

nn = gn.nn
LAYERS = [nn.SimpleRNN, nn.LSTM, nn.GRU]
RNG = np.random.default_rng(5)
X = RNG.standard_normal((4, 6, 3)).astype("float32")
MASK = np.array([[1, 1, 0, 1, 1, 0], [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1], [0, 1, 1, 0, 1, 1]], bool)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def written_out(layer, x, mask=None, states=None):
    """All outputs and the last states of a layer, in NumPy."""
    kernel, recurrent, *bias = (w.astype("float64") for w in layer.get_weights())
    x, n, rows = x.astype("float64"), layer.units, len(x)
    states = states or [np.zeros((rows, n))] * layer.states
    steps = range(x.shape[1])[::-1] if layer.go_backwards else range(x.shape[1])
    ys = []
    for t in steps:
        h = states[0]
        z = x[:, t] @ kernel
        if isinstance(layer, nn.GRU):
            b, c = bias[0] if layer.reset_after else (bias[0], np.zeros(3 * n))
            z, inner = z + b, h @ recurrent + c
            update, reset = sigmoid(z[:, :n] + inner[:, :n]), sigmoid(z[:, n : 2 * n] + inner[:, n : 2 * n])
            late = reset * inner[:, 2 * n :] if layer.reset_after else (reset * h) @ recurrent[:, 2 * n :]
            new = [update * h + (1 - update) * np.tanh(z[:, 2 * n :] + late)]
        elif isinstance(layer, nn.LSTM):
            i, f, g, o = np.split(z + h @ recurrent + bias[0], 4, axis=1)
            c = sigmoid(f) * states[1] + sigmoid(i) * np.tanh(g)
            new = [sigmoid(o) * np.tanh(c), c]
        else:
            new = [np.tanh(z + h @ recurrent + bias[0])]
        if mask is not None:
            new = [np.where(mask[:, t, None], a, b) for a, b in zip(new, states, strict=True)]
        states = new
        ys.append(states[0])
    return np.stack(ys, 1), states


def built(kind, **options):
    layer = kind(5, **options)
    layer.build((None, None, 3))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.standard_normal(w.shape) * 0.6 for w in layer.weights])
    return layer


@pytest.mark.parametrize(
    ("kind", "single", "pair"),
    [(nn.LSTM, 0.70377535, 0.8166920), (nn.GRU, 0.04719133, 0.2813154), (nn.SimpleRNN, 0.9950548, 0.9920456)],
)
def test_39_figures_of_keras(kind, single, pair):
    layer = kind(1, kernel_initializer="ones", recurrent_initializer="ones")
    assert float(layer([[[1.0], [2.0]]])[0, 0]) == pytest.approx(pair, abs=1e-6)
    layer = kind(1, kernel_initializer="ones", recurrent_initializer="ones")
    assert float(layer([[[1.0, 2.0]]])[0, 0]) == pytest.approx(single, abs=1e-6)


@pytest.mark.parametrize(
    "options", [{}, {"go_backwards": True}, {"masked": True}, {"go_backwards": True, "masked": True}]
)
@pytest.mark.parametrize("kind", LAYERS)
def test_sequences_and_states_are_those_of_the_loop_written_out(kind, options):
    options = dict(options)
    mask = MASK if options.pop("masked", False) else None
    layer = built(kind, return_sequences=True, return_state=True, **options)
    y, *states = layer(X, mask=mask)
    ys, last = written_out(layer, X, mask)
    np.testing.assert_allclose(y.numpy(), ys, rtol=2e-5, atol=2e-6)
    for found, wanted in zip(states, last, strict=True):
        np.testing.assert_allclose(found.numpy(), wanted, rtol=2e-5, atol=2e-6)
    short = built(kind, **options)
    np.testing.assert_allclose(short(X, mask=mask).numpy(), ys[:, -1], rtol=2e-5, atol=2e-6)


def test_gru_with_the_reset_before_the_product():
    layer = built(nn.GRU, reset_after=False, return_sequences=True)
    assert [w.shape for w in layer.weights] == [(3, 15), (5, 15), (15,)]
    np.testing.assert_allclose(layer(X).numpy(), written_out(layer, X)[0], rtol=2e-5, atol=2e-6)


def test_39_shapes_and_starts_of_weights():
    lstm, gru, simple = (built(kind) for kind in (nn.LSTM, nn.GRU, nn.SimpleRNN))
    assert [w.shape for w in lstm.weights] == [(3, 20), (5, 20), (20,)]
    assert [w.shape for w in gru.weights] == [(3, 15), (5, 15), (2, 15)]
    assert [w.shape for w in simple.weights] == [(3, 5), (5, 5), (5,)]
    layer = nn.LSTM(4)
    layer.build((None, None, 3))
    np.testing.assert_array_equal(layer.bias.numpy(), np.repeat([0.0, 1.0, 0.0, 0.0], 4))
    q = layer.recurrent_kernel.numpy()
    np.testing.assert_allclose(q @ q.T, np.eye(4), atol=1e-6)
    layer = nn.LSTM(4, unit_forget_bias=False, use_bias=True)
    layer.build((None, None, 3))
    assert not layer.bias.numpy().any()
    assert [w.name.split("/")[1] for w in layer.weights] == ["kernel", "recurrent_kernel", "bias"]
    layer = nn.GRU(4, use_bias=False)
    layer.build((None, None, 3))
    assert len(layer.weights) == 2


@pytest.mark.parametrize("kind", LAYERS)
def test_gradients_to_second_order(kind):
    layer = kind(2, dtype="float64", return_sequences=True)
    layer.build((None, None, 2))
    x = RNG.standard_normal((2, 3, 2))
    mask = np.array([[True, False, True], [True, True, True]])
    start = [w.numpy().copy() for w in layer.weights]

    def f(x, *weights):
        layer.kernel, layer.recurrent_kernel, layer.bias = weights
        return layer.call(x, mask=mask)

    gn.check_grads(f, x, *start, order=2)


@pytest.mark.parametrize("options", [{"activation": "relu"}, {"activation": "softmax"}, {"unroll": True}])
@pytest.mark.parametrize("kind", LAYERS)
def test_other_activations_and_gradients_of_weights(kind, options):
    layer = built(kind, **options)
    layer(X).sum().backward()
    for w in layer.weights:
        step = np.zeros(w.shape, "float32")
        place = (0,) * w.ndim
        step[place] = 0.01
        before = w.numpy().copy()
        values = []
        for sign in (1, -1):
            w.assign(before + sign * step)
            values.append(float(layer(X).sum()))
        w.assign(before)
        assert float(w.grad[place]) == pytest.approx((values[0] - values[1]) / 0.02, rel=0.05, abs=0.01)


@pytest.mark.parametrize("kind", LAYERS)
def test_one_step_no_rows_and_float64(kind):
    layer = built(kind, return_sequences=True)
    assert layer(X[:, :1]).shape == (4, 1, 5)
    assert layer(X[:0]).shape == (0, 6, 5)
    assert layer(X[:, :0]).shape == (4, 0, 5)
    double = kind(5, dtype="float64")
    assert double(X).dtype == np.float64


@pytest.mark.parametrize("kind", LAYERS)
def test_states_go_on_from_batch_to_batch(kind):
    layer, whole = built(kind, stateful=True), built(kind)
    layer(X[:, :2])
    np.testing.assert_allclose(layer(X[:, 2:]).numpy(), whole(X).numpy(), rtol=1e-5, atol=1e-6)
    layer.reset_state()
    np.testing.assert_allclose(layer(X).numpy(), whole(X).numpy(), rtol=1e-5, atol=1e-6)
    assert len(layer.weights) == 3
    with pytest.raises(ValueError, match="is stateful, and its state has 4 rows; it got a batch of 3"):
        layer(X[:3])
    layer.reset_states()
    compiled = gn.compile(layer)
    with gn.no_grad():
        compiled(X[:, :3])
        np.testing.assert_allclose(compiled(X[:, 3:]).numpy(), whole(X).numpy(), rtol=1e-5, atol=1e-6)


def test_a_stateful_model_learns_and_predicts():
    model = nn.Sequential([nn.Input((2, 3)), nn.LSTM(5, stateful=True), nn.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.tile(X[:, :2], (12, 1, 1)), np.zeros((48, 1))
    model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    assert model.layers[0]._state.tensors[0].numpy().any()
    first = model.predict(x[:4], batch_size=4)
    assert not np.array_equal(first, model.predict(x[:4], batch_size=4))
    model.layers[0].reset_state()
    again = model.predict(x[:4], batch_size=4)
    model.layers[0].reset_state()
    np.testing.assert_allclose(again, model.predict(x[:4], batch_size=4), rtol=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_the_state_of_a_batch_does_not_bind_the_rows_of_the_data(kind):
    """Once there is a state, `fit` and `evaluate` take any number of batches; a batch of another size is refused."""
    model = nn.Sequential([nn.Input(batch_shape=(4, 2, 3)), kind(5, stateful=True), nn.Dense(1)])
    model.compile(nn.optimizers.SGD(0.0), "mse")
    x, y = np.tile(X[:, :2], (3, 1, 1)), np.zeros((12, 1))
    first = model.predict(x, batch_size=4)
    model.layers[0].reset_state()
    assert model.evaluate(x, y, batch_size=4, verbose=0) == pytest.approx((first**2).mean(), rel=1e-5)
    model.layers[0].reset_state()
    history = model.fit(x[:8], y[:8], batch_size=4, epochs=1, shuffle=False, verbose=0).history
    assert history["loss"][0] == pytest.approx((first[:8] ** 2).mean(), rel=1e-5)
    np.testing.assert_allclose(model.predict(x[8:], batch_size=4), first[8:], rtol=1e-5)
    with pytest.raises(ValueError, match="is stateful, and its state has 4 rows; it got a batch of 3"):
        model.fit(x[:6], y[:6], batch_size=3, verbose=0)


def test_an_initial_state_can_be_given():
    layer = built(nn.LSTM)
    h, c = RNG.standard_normal((2, 4, 5)).astype("float32")
    _, states = written_out(layer, X, states=[h, c])
    np.testing.assert_allclose(layer(X, initial_state=[h, c]).numpy(), states[0], rtol=2e-5, atol=2e-6)
    with pytest.raises(ValueError, match="has 2 states; it got 1"):
        layer(X, initial_state=h)
    with pytest.raises(ValueError, match=r"begins with states of shape \(4, 5\)"):
        layer(X, initial_state=[h[:2], c])


@pytest.mark.parametrize("kind", LAYERS)
def test_dropout_is_the_same_at_every_step_and_off_in_use(kind):
    layer = built(kind, dropout=0.5, recurrent_dropout=0.25, seed=3)
    plain = built(kind)
    np.testing.assert_allclose(layer(X).numpy(), plain(X).numpy(), rtol=1e-6)
    one = layer(X, training=True).numpy()
    assert not np.allclose(one, layer(X, training=True).numpy())
    again = built(kind, dropout=0.5, recurrent_dropout=0.25, seed=3)
    np.testing.assert_allclose(one, again(X, training=True).numpy(), rtol=1e-5)
    rows = built(nn.SimpleRNN, dropout=0.5, seed=1, activation="linear", use_bias=False, return_sequences=True)
    rows.recurrent_kernel.assign(np.zeros((5, 5)))
    y = rows(np.ones((2, 4, 3), "float32"), training=True).numpy()
    assert (y == y[:, :1]).all()
    for word in ("dropout", "recurrent_dropout"):
        with pytest.raises(ValueError, match=f"{word} is the share"):
            kind(2, **{word: 1.5})


@pytest.mark.parametrize("kind", LAYERS)
def test_compiled_training_is_eager_training(kind):
    x, y = np.tile(X, (2, 1, 1)), RNG.standard_normal((8, 1)).astype("float32")
    found = []
    for eager in (False, True):
        nn.set_random_seed(0)
        model = nn.Sequential([nn.Input((6, 3)), kind(5, recurrent_dropout=0.2, dropout=0.1), nn.Dense(1)])
        model.compile("adam", "mse", run_eagerly=eager)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.fit(x, y, batch_size=4, epochs=10, verbose=0)
        found.append(model.get_weights())
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_long_sequence():
    layer = built(nn.GRU)
    x = gn.tensor(RNG.standard_normal((1, 2000, 3)), dtype="float32", requires_grad=True)
    layer(x).sum().backward()
    assert np.isfinite(x.grad.numpy()).all() and x.grad.numpy()[0, -1].any()


def test_errors_of_rank_and_arguments():
    with pytest.raises(
        ValueError, match=r"LSTM\(5\)\) takes \(batch, time, features\); it got \(None, 6\): .*x\[..., None\]"
    ):
        nn.LSTM(5)(X[:, :, 0])
    layer = built(nn.LSTM)
    with pytest.raises(ValueError, match=r"was built for inputs"):
        layer(X[..., :2])
    with pytest.raises(ValueError, match=r"takes a mask \(batch, time\), here \(4, 6\)"):
        layer(X, mask=MASK[:2])
    with pytest.raises(ValueError, match="LSTM: units is a whole number"):
        nn.LSTM(0)
    with pytest.raises(ValueError, match="gives 3 tensors, but in a Sequential each layer gives one"):
        nn.Sequential([nn.Input((6, 3)), nn.LSTM(5, return_state=True)])


@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("sequences", [False, True])
def test_both_directions(mode, sequences):
    layer = nn.Bidirectional(nn.GRU(5, return_sequences=sequences), merge_mode=mode)
    found = layer(X)
    a = written_out(layer.forward_layer, X)[0]
    b = written_out(layer.backward_layer, X)[0]
    a, b = (a, b[:, ::-1]) if sequences else (a[:, -1], b[:, -1])
    joined = {"concat": lambda: np.concatenate([a, b], -1), "sum": lambda: a + b, "mul": lambda: a * b}
    if mode is None:
        np.testing.assert_allclose(found[1].numpy(), b, rtol=2e-5, atol=2e-6)
    else:
        wanted = joined[mode]() if mode in joined else (a + b) / 2
        np.testing.assert_allclose(found.numpy(), wanted, rtol=2e-5, atol=2e-6)
    again = nn.Bidirectional.from_config(layer.get_config())
    again(X)
    assert [w.shape for w in again.weights] == [w.shape for w in layer.weights]


def test_both_directions_check_what_they_are_given():
    with pytest.raises(TypeError, match="Bidirectional takes a recurrent layer"):
        nn.Bidirectional(nn.Dense(3))
    with pytest.raises(ValueError, match="merge_mode is one of"):
        nn.Bidirectional(nn.LSTM(3), merge_mode="max")
    with pytest.raises(ValueError, match="one layer has go_backwards=True"):
        nn.Bidirectional(nn.LSTM(3), backward_layer=nn.LSTM(3))
    with pytest.raises(ValueError, match="same return_sequences"):
        nn.Bidirectional(nn.LSTM(3), backward_layer=nn.LSTM(3, go_backwards=True, return_sequences=True))


def test_every_step_and_repetition():
    dense = nn.Dense(2)
    y = nn.TimeDistributed(dense)(X)
    np.testing.assert_allclose(y.numpy(), dense(X).numpy(), rtol=1e-6)
    assert nn.RepeatVector(3)(X[:, 0]).shape == (4, 3, 3)
    with pytest.raises(ValueError, match="\\(batch, features\\)"):
        nn.RepeatVector(3)(X)
    with pytest.raises(ValueError, match="something at each step"):
        nn.TimeDistributed(nn.Dense(2))(X[:, 0])


# Embeddings.


def test_an_embedding_takes_rows_and_its_gradient_adds_up():
    layer = nn.Embedding(7, 2)
    x = np.array([[1, 3, 3], [6, 1, 3]])
    y = layer(x)
    table = layer.embeddings.numpy()
    assert (np.abs(table) <= 0.05).all() and table.std() > 0.01
    np.testing.assert_array_equal(y.numpy(), table[x])
    weights = RNG.standard_normal(y.shape).astype("float32")
    (y * weights).sum().backward()
    wanted = np.zeros((7, 2))
    np.add.at(wanted, x, weights)
    np.testing.assert_allclose(layer.embeddings.grad.numpy(), wanted, rtol=1e-6)
    np.testing.assert_array_equal(layer(x.astype("float32")).numpy(), y.numpy())
    assert layer(np.zeros((2, 0), np.int64)).shape == (2, 0, 2)


@pytest.mark.parametrize(("number", "eager"), [(7, True), (-1, True), (7, False), (-1, False)])
def test_a_number_without_a_vector_is_an_error_that_changes_nothing(number, eager):
    model = nn.Sequential([nn.Input((3,)), nn.Embedding(7, 2, name="words"), nn.Flatten(), nn.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=eager)
    x, y = np.tile(np.array([[1, 2, 3]]), (60, 1)), np.ones((60, 1))
    model.fit(x, y, batch_size=4, epochs=1, verbose=0)
    before = model.get_weights()
    x[:, 1] = number
    wanted = rf"Layer 'words' \(Embedding\(7, 2\)\): {number} is not the number of a row: there are 7 rows, 0 to 6"
    with pytest.raises(IndexError, match=wanted):
        model.fit(x, y, batch_size=4, epochs=1, verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_model_of_whole_numbers():
    x = RNG.integers(0, 50, (64, 8))
    y = (x[:, 0] > 25).astype("int64")
    for front in ([nn.Input((8,), dtype="int32")], []):
        nn.set_random_seed(0)
        model = nn.Sequential([*front, nn.Embedding(50, 6), nn.GRU(8), nn.Dense(1, activation="sigmoid")])
        model.compile(nn.optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])
        history = model.fit(x, y, epochs=40, verbose=0)
        assert history.history["accuracy"][-1] > 0.95
        assert model.predict(x[:3].astype("uint8")).shape == (3, 1)


def test_weights_can_be_given():
    table = RNG.standard_normal((4, 2)).astype("float32")
    layer = nn.Embedding(4, 2, weights=[table])
    np.testing.assert_array_equal(layer([[2]]).numpy(), table[None, [2]])
    assert nn.Embedding.from_config(layer.get_config())([[2]]).shape == (1, 1, 2)


# Masks.


def test_masks_are_made_and_go_through_a_sequential():
    x = np.array([[3, 1, 0, 0], [2, 0, 1, 0]])
    embedding, layer = nn.Embedding(5, 3, mask_zero=True), nn.LSTM(5)
    found = nn.Sequential([embedding, nn.Dropout(0.5), layer])(x)
    wanted = written_out(layer, embedding(x).numpy(), x != 0)[0][:, -1]
    np.testing.assert_allclose(found.numpy(), wanted, rtol=2e-5, atol=2e-6)
    rows = np.where(MASK[..., None], X, 7.0).astype("float32")
    recurrent = nn.GRU(5)
    found = nn.Sequential([nn.Masking(7.0), nn.Sequential([nn.Activation("linear")]), recurrent])(rows)
    np.testing.assert_allclose(found.numpy(), written_out(recurrent, X, MASK)[0][:, -1], rtol=2e-5, atol=2e-6)
    np.testing.assert_array_equal(nn.Masking(7.0)(rows).numpy(), np.where(MASK[..., None], X, 0))


def test_a_layer_that_knows_nothing_of_masks_says_so():
    with pytest.warns(UserWarning, match="Layer 'flat' .* knows nothing of masks"):
        nn.Sequential([nn.Embedding(5, 3, mask_zero=True), nn.Flatten(name="flat")])([[1, 0]])


@pytest.mark.parametrize("weights", [None, "rows", "steps"])
@pytest.mark.parametrize("compiled", [False, True])
def test_masked_steps_do_not_count_in_loss_and_metrics(weights, compiled):
    x = np.array([[3, 1, 0, 0], [2, 0, 1, 0], [4, 4, 4, 4]])
    y = RNG.standard_normal((3, 4, 1)).astype("float32")
    w = {None: None, "rows": np.array([1.0, 2.0, 0.5]), "steps": RNG.random((3, 4))}[weights]
    model = nn.Sequential([nn.Embedding(5, 3, mask_zero=True), nn.LSTM(5, return_sequences=True), nn.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"], run_eagerly=not compiled)
    for _ in range(12 if compiled else 1):
        loss, mae = model.evaluate(x, y, sample_weight=w, verbose=0)
    e, m = (model.predict(x) - y)[..., 0], x != 0
    factor = np.ones((3, 4)) if w is None else np.broadcast_to(w.reshape(3, -1), (3, 4))
    assert loss == pytest.approx((e**2 * factor)[m].sum() / m.sum(), rel=1e-5)
    assert mae == pytest.approx(np.abs(e)[m].mean(), rel=1e-5)
    before = model.predict(x)
    model.fit(x, np.where(m[..., None], before, 1e6), epochs=1, verbose=0)
    np.testing.assert_allclose(model.predict(x), before, atol=1e-4)


def test_a_batch_without_a_step_that_counts():
    model = nn.Sequential([nn.Embedding(5, 3, mask_zero=True), nn.LSTM(5, return_sequences=True), nn.Dense(1)])
    model.compile("sgd", "mse")
    assert model.train_on_batch(np.zeros((2, 3), int), np.ones((2, 3, 1))) == 0.0
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_outputs_of_masked_steps_can_be_zero():
    layer = built(nn.LSTM, return_sequences=True, zero_output_for_mask=True)
    wanted = np.where(MASK[..., None], written_out(layer, X, MASK)[0], 0)
    np.testing.assert_allclose(layer(X, mask=MASK).numpy(), wanted, rtol=2e-5, atol=2e-6)
    both = nn.Bidirectional(nn.LSTM(3, return_sequences=True))
    assert not both(X, mask=MASK).numpy()[1].any()


def test_sequences_of_any_length():
    model = nn.Sequential([nn.Input((None,)), nn.Embedding(5, 3), nn.LSTM(4, return_sequences=True), nn.Dense(2)])
    assert model.output_shape == (None, None, 2)
    assert [layer.output_shape for layer in model.layers] == [(None, None, 3), (None, None, 4), (None, None, 2)]
    assert "(None, None, 2)" in str(model.summary(print_fn=lambda text: None))
    model.compile("sgd", "mse")
    for steps in (3, 7):
        model.fit(np.ones((4, steps), int), np.zeros((4, steps, 2)), verbose=0)
        assert model.predict(np.ones((2, steps), int)).shape == (2, steps, 2)
    with pytest.raises(ValueError, match=r"build needs the sizes that weights follow from; received \(None, None, 3\)"):
        nn.Sequential([nn.Input((None, 3)), nn.Flatten(), nn.Dense(2)])
    assert model.graph().outputs[0].shape == (32, 16, 2)


def test_the_mean_of_the_steps_that_count():
    x = np.array([[3, 1, 0], [0, 0, 0]])
    embedding = nn.Embedding(5, 2, mask_zero=True)
    found = nn.Sequential([embedding, nn.GlobalAveragePooling1D()])(x).numpy()
    np.testing.assert_allclose(found[0], embedding.embeddings.numpy()[[3, 1]].mean(0), rtol=1e-6)
    assert not found[1].any()
