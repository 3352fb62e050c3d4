"""Words that real scripts use: older names, helpers, shapes with a batch size, ranks that Keras adjusts."""

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.nn import Dense, Input, Sequential


def test_an_input_by_its_batch_shape_and_by_its_older_word():
    for layer in (nn.Input(batch_shape=(4, 3)), nn.InputLayer(batch_shape=(4, 3)), nn.Input((3,), 4)):
        assert (layer.shape, layer.batch_size, layer.batch_shape) == ((3,), 4, (4, 3))
        again = nn.InputLayer.from_config(layer.get_config())
        assert again.batch_shape == (4, 3) and again.name == layer.name
    assert nn.InputLayer(input_shape=(3, None)).shape == (3, None)
    assert Input(batch_shape=(None, 3), sparse=True).batch_shape == (None, 3)
    assert Sequential([nn.InputLayer(input_shape=(3,)), Dense(2)]).output_shape == (None, 2)
    for bad in (dict(batch_shape=(4, 3), shape=(3,)), dict(batch_shape=3), dict(shape=(2,), input_shape=(3,))):
        with pytest.raises(ValueError, match=r"^Input"):
            nn.InputLayer(**bad)


def test_a_model_with_a_batch_shape_is_saved(tmp_path):
    model = Sequential([Input(batch_shape=(4, 3)), Dense(2)])
    model.save(tmp_path / "m.graphnet")
    again = nn.load_model(tmp_path / "m.graphnet")
    np.testing.assert_array_equal(again.predict(np.ones((4, 3))), model.predict(np.ones((4, 3))))


def test_leaky_relu_by_its_older_word():
    layer = nn.LeakyReLU(alpha=0.1)
    assert layer([[-10.0, 2.0]]).numpy().tolist() == [[-1, 2]]
    assert nn.LeakyReLU.from_config(layer.get_config()).negative_slope == 0.1 and "alpha" not in layer.get_config()
    with pytest.raises(ValueError, match="negative_slope"):
        nn.LeakyReLU(alpha="steep")


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: nn.optimizers.Adam(lr=0.1), r"Adam: unknown argument 'lr'\. It is called learning_rate now"),
        (lambda: nn.optimizers.SGD(lr=0.1, momentum=0.9), "called learning_rate now"),
        (lambda: nn.optimizers.Adam(decay=1e-6), "'decay'.*InverseTimeDecay.*weight_decay"),
        (lambda: nn.optimizers.Adam(learning_rat=0.1), "Did you mean 'learning_rate'"),
        (lambda: nn.optimizers.Adam(learningrate=0.1), "Did you mean 'learning_rate'"),
        (lambda: nn.optimizers.Adam(beta1=0.1), "called beta_1 now"),
        (lambda: Dense(output_dim=3), "called units now"),
        (lambda: Dense(3, init="uniform"), "called kernel_initializer now"),
        (lambda: Dense(3, W_regularizer="l2"), "called kernel_regularizer now"),
        (lambda: nn.Conv2D(3, 3, border_mode="same"), "called padding now"),
        (lambda: nn.Conv2D(3, 3, subsample=2), "called strides now"),
        (lambda: nn.Dropout(p=0.5), "called rate now"),
        (lambda: nn.LSTM(3, inner_activation="sigmoid"), "called recurrent_activation now"),
        (lambda: Dense(3, batch_input_shape=(None, 3), input_shape=(3,)), "give one"),
        (lambda: nn.callbacks.ModelCheckpoint("x.keras", period=2), "called save_freq now"),
    ],
)
def test_words_of_older_versions_are_answered_with_todays(make, text):
    with pytest.raises(TypeError, match=text):
        make()


def test_names_in_small_letters():
    w = np.array([[3.0, 0.0], [4.0, 1.0]])
    np.testing.assert_allclose(nn.constraints.max_norm(2.0)(gn.tensor(w)), [[1.2, 0], [1.6, 1]], rtol=1e-6)
    assert nn.constraints.non_neg is nn.constraints.NonNeg and nn.constraints.unit_norm and nn.constraints.min_max_norm
    assert nn.initializers.glorot_uniform(seed=1)((2, 2)).shape == (2, 2)
    assert (nn.initializers.truncated_normal(seed=1)((50,)) != 0).all()
    assert float(nn.regularizers.l1_l2(l1=1.0, l2=1.0)(gn.tensor([2.0]))) == 6
    assert type(nn.regularizers.get("l1l2")) is nn.regularizers.L1L2
    assert float(nn.regularizers.orthogonal_regularizer(1.0)(gn.eye(2))) == 0
    a, b = gn.tensor([[1.0, 2.0]]), gn.tensor([[3.0, 5.0]])
    assert nn.layers.add([a, b]).numpy().tolist() == [[4, 7]]
    assert nn.layers.concatenate([a, b], axis=-1).shape == (1, 4) and nn.layers.subtract([b, a]).shape == (1, 2)


def test_the_backend_answers_what_holds():
    backend = nn.backend
    assert nn.config is backend and backend.image_data_format() == "channels_last" and backend.floatx() == "float32"
    backend.set_floatx("float32")
    backend.set_image_data_format("channels_last")
    assert backend.is_float_dtype("float32") and backend.is_int_dtype("int8") and backend.epsilon() == 1e-7
    for call in (
        lambda: backend.set_floatx("float64"),
        lambda: backend.set_image_data_format("channels_first"),
        lambda: backend.set_epsilon(1.0),
    ):
        with pytest.raises(ValueError):
            call()


def test_clear_session_counts_names_from_the_beginning():
    Dense(1)
    nn.utils.clear_session()
    first = [Dense(1).name, Dense(1).name, nn.Dropout(0.1).name]
    nn.backend.clear_session()
    assert [Dense(1).name, Dense(1).name, nn.Dropout(0.1).name] == first == ["dense", "dense_1", "dropout"]


# Values of keras.utils.pad_sequences of Keras 3.15.
@pytest.mark.parametrize(
    "options, want",
    [
        ({}, [[0, 0, 1], [0, 2, 3], [4, 5, 6], [0, 0, 0]]),
        (dict(padding="post"), [[1, 0, 0], [2, 3, 0], [4, 5, 6], [0, 0, 0]]),
        (dict(maxlen=2), [[0, 1], [2, 3], [5, 6], [0, 0]]),
        (dict(maxlen=2, truncating="post", value=-1), [[-1, 1], [2, 3], [4, 5], [-1, -1]]),
        (dict(maxlen=4, padding="post", value=9), [[1, 9, 9, 9], [2, 3, 9, 9], [4, 5, 6, 9], [9, 9, 9, 9]]),
    ],
)
def test_pad_sequences(options, want):
    found = nn.utils.pad_sequences([[1], [2, 3], [4, 5, 6], []], **options)
    assert found.tolist() == want and found.dtype == np.int32
    assert nn.preprocessing.sequence.pad_sequences is nn.utils.pad_sequences


def test_pad_sequences_of_vectors_and_floats():
    found = nn.utils.pad_sequences([[[1, 2]], [[3, 4], [5, 6.5]]], dtype="float32")
    assert found.tolist() == [[[0, 0], [1, 2]], [[3, 4], [5, 6.5]]]
    assert nn.utils.pad_sequences([]).shape == (0, 0)


@pytest.mark.parametrize(
    "given, options, text",
    [
        ([1, 2], {}, "list of sequences; number 0"),
        ("ab", {}, "list of sequences"),
        ([[0.5]], {}, "fractions; give dtype='float32'"),
        ([[[1]], [[1, 2]]], {}, "sequence 1"),
        ([[1]], dict(padding="left"), "padding of pad_sequences 'left'"),
        ([[1]], dict(maxlen=-1), "maxlen"),
    ],
)
def test_pad_sequences_says_what_is_wrong(given, options, text):
    with pytest.raises(ValueError, match=text):
        nn.utils.pad_sequences(given, **options)


def windows(*args, **options):
    return [tuple(np.asarray(p).tolist() for p in b) for b in nn.utils.timeseries_dataset_from_array(*args, **options)]


def test_windows_of_a_series():
    data = np.arange(10)
    found = windows(data[:-3], data[3:], 3, batch_size=4)
    assert found == [([[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]], [3, 4, 5, 6]), ([[4, 5, 6]], [7])]
    # Every second row, windows three apart, from row 1 to row 8.
    found = windows(data, data * 10, 2, sequence_stride=3, sampling_rate=2, start_index=1, end_index=9, batch_size=9)
    assert found == [([[1, 3], [4, 6]], [10, 40])]
    alone = list(nn.preprocessing.timeseries_dataset_from_array(data, None, 4, sequence_stride=3, batch_size=None))
    assert [w.tolist() for w in alone] == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]


def test_windows_are_mixed_by_a_seed_and_train_a_model():
    data = np.sin(np.arange(200) / 5).astype("float32")[:, None]
    options = dict(sequence_length=8, batch_size=16, shuffle=True, seed=3)
    sets = [nn.utils.timeseries_dataset_from_array(data[:-8], data[8:], **options) for _ in range(2)]
    firsts = [[x[:, 0, 0].tolist() for x, _ in s] for s in sets]
    assert firsts[0] == firsts[1] != [x[:, 0, 0].tolist() for x, _ in sets[0]] and len(sets[0]) == len(firsts[0])
    model = Sequential([Input((8, 1)), nn.Flatten(), Dense(1)])
    model.compile(nn.optimizers.Adam(0.02), "mse")
    history = model.fit(sets[0], epochs=8, validation_data=sets[1], verbose=0).history
    assert history["val_loss"][-1] < 0.1 * history["loss"][0]


@pytest.mark.parametrize(
    "options", [dict(sequence_length=11), dict(sequence_length=0), dict(sequence_length=2, start_index=10)]
)
def test_windows_that_are_none(options):
    with pytest.raises(ValueError):
        nn.utils.timeseries_dataset_from_array(np.arange(10), None, **options)


def test_batches_packed_and_unpacked():
    utils = nn.utils
    for batch in ((1,), (1, 2), (1, 2, 3)):
        assert utils.pack_x_y_sample_weight(*utils.unpack_x_y_sample_weight(batch)) == batch
    assert utils.unpack_x_y_sample_weight(1) == (1, None, None)


def test_apply_gradients_without_any_raises_and_moves_nothing():
    w = gn.Parameter([1.0], name="w")
    optimizer = nn.optimizers.SGD(0.1)
    for pairs in ([(None, w)], []):
        with pytest.raises(ValueError, match="no gradient for any"):
            optimizer.apply_gradients(pairs)
    optimizer.apply_gradients(iter([(gn.tensor([1.0]), w)]))
    assert w.numpy().tolist() == [0.9]


def test_a_plateau_begins_without_cooldown():
    callback = nn.callbacks.ReduceLROnPlateau(cooldown=3)
    callback.on_train_begin()
    assert (callback.cooldown_counter, callback.wait, callback.cooldown) == (0, 0, 3)


class Halves(nn.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, i):
        return ROWS[i * 3 : i * 3 + 3], np.zeros(3)


ROWS = np.random.default_rng(0).normal(3.0, 2.0, (7, 2))


@pytest.mark.parametrize(
    "data, rows",
    [
        (lambda: (ROWS[i : i + 3] for i in (0, 3, 6)), ROWS),
        (lambda: [ROWS[:3], ROWS[3:6], ROWS[6:]], ROWS),
        (lambda: [gn.tensor(ROWS[:3]), ROWS[3:]], ROWS),
        (lambda: Halves(), ROWS[:6]),
        (lambda: ((ROWS[i : i + 3], None) for i in (0, 3)), ROWS[:6]),
        (lambda: ROWS.tolist(), ROWS),
        (lambda: list(ROWS), ROWS),
    ],
)
@pytest.mark.parametrize("axis", [-1, None])
def test_normalization_adapts_to_batches(data, rows, axis):
    layer = nn.Normalization(axis=axis)
    layer.adapt(data())
    over = 0 if axis == -1 else None
    np.testing.assert_allclose(layer.mean, rows.mean(over), rtol=1e-6)
    np.testing.assert_allclose(layer.variance, rows.var(over), rtol=1e-6)


def test_normalization_takes_some_steps_and_refuses_none():
    layer = nn.Normalization()
    layer.adapt((ROWS[i : i + 3] for i in (0, 3, 6)), steps=2)
    np.testing.assert_allclose(layer.mean, ROWS[:6].mean(0), rtol=1e-6)
    with pytest.raises(ValueError, match="needs rows"):
        nn.Normalization().adapt(iter(()))


def column():
    made = Sequential([Input((1,)), Dense(1, kernel_initializer="ones")])
    made.compile("sgd", "mse")
    return made


def test_ranks_are_adjusted_as_keras_adjusts_them():
    x = np.arange(4.0)
    for call in (lambda m, v: m.predict(v), lambda m, v: m(v).numpy(), lambda m, v: m.predict_on_batch(v)):
        np.testing.assert_array_equal(call(column(), x), x[:, None])
    np.testing.assert_allclose(column().evaluate(x, x, verbose=0), 0)
    a, b = column(), column()
    options = dict(epochs=12, batch_size=2, shuffle=False, verbose=0)
    assert a.fit(x, 2 * x, **options).history == b.fit(x[:, None], 2 * x[:, None], **options).history
    assert nn.Sequential([Input((4, 4, 1)), nn.Flatten()]).predict(np.ones((2, 4, 4))).shape == (2, 16)
    assert nn.Sequential([Input((4, 4)), nn.Flatten()]).predict(np.ones((2, 4, 4, 1))).shape == (2, 16)
    assert nn.Sequential([Input((None, 1)), nn.LSTM(2)]).predict(np.ones((3, 5))).shape == (3, 2)


@pytest.mark.parametrize(
    "layers, shape, text",
    [
        ([Input((3,)), nn.Rescaling(1.0)], (3,), r"One row alone needs a batch axis: np.asarray\(x\)\[None\]"),
        ([Input((4, 4, 1)), nn.Flatten()], (4, 4), r"np.asarray\(x\)\[None, ..., None\]"),
        ([Input((28, 28, 3)), nn.Flatten()], (2, 28, 28), r"x\[..., None\] has one number there, the model takes 3"),
        ([Dense(1)], (5,), r"rows without features.*x\[:, None\]"),
        ([Input((3,)), Dense(1)], (5, 4), r"\(…, 3\) but got \(5, 4\)"),
    ],
)
def test_what_no_rank_mends_gets_a_hint(layers, shape, text):
    with pytest.raises(ValueError, match=text):
        Sequential(layers).predict(np.ones(shape))


def test_reset_states_of_a_model():
    model = Sequential([Input((2, 3)), nn.LSTM(2, stateful=True, return_sequences=True), nn.GRU(2, stateful=True)])
    x = np.ones((4, 2, 3))
    first = model.predict(x)
    assert not np.allclose(model.predict(x), first)
    model.reset_states()
    np.testing.assert_allclose(model.predict(x), first, rtol=1e-6)


def test_a_first_layer_may_say_the_shape_with_the_batch_size():
    model = nn.Sequential([nn.LSTM(5, stateful=True, batch_input_shape=(4, 7, 3)), nn.Dense(1)])
    assert model.built and model.input_shape == (None, 7, 3)
    assert nn.clone_model(model).input_shape == (None, 7, 3)
    assert model.predict(np.ones((4, 7, 3)), verbose=0).shape == (4, 1)


def test_losses_are_functions_among_the_metrics_too():
    x, y = np.float32([[0.0, 1.0]]), np.float32([[0.25, 0.75]])
    for name in ("mean_squared_error", "binary_crossentropy", "hinge", "kl_divergence", "log_cosh", "poisson"):
        np.testing.assert_array_equal(getattr(nn.metrics, name)(x, y).numpy(), getattr(nn.losses, name)(x, y).numpy())
    model = nn.Sequential([nn.Input((2,)), nn.Dense(2)])
    model.compile("sgd", "mse", metrics=[nn.metrics.mean_squared_error])
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    assert found["mean_squared_error"] == pytest.approx(found["loss"])


def test_further_names_of_the_same():
    assert nn.activations.swish is nn.activations.silu and nn.activations.hard_swish is nn.activations.hard_silu
    assert nn.initializers.IdentityInitializer is nn.initializers.Identity
    assert nn.initializers.OrthogonalInitializer is nn.initializers.Orthogonal


@pytest.mark.parametrize(
    ("module", "name", "text"),
    [
        (nn, "Variable", "gn.Parameter"),
        (nn, "InputSpec", "fixed_axes"),
        (nn.layers, "serialize", "get_config"),
        (nn.layers, "Discretization", "np.digitize"),
        (nn.utils, "get_custom_objects", "custom_objects="),
        (nn.optimizers, "deserialize", "from_config"),
    ],
)
def test_names_that_are_not_there_say_what_is(module, name, text):
    assert not hasattr(module, name)
    with pytest.raises(AttributeError, match=text):
        getattr(module, name)
