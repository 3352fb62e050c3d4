"""Layers as Keras has them: its figures (the numbers in the names are those of a list of measured behaviours), every
mode that a layer runs in, its configuration, and what subclasses of Layer may do."""

import copy
import json

import numpy as np
import pytest
from scipy import stats

import graphnet as gn
from graphnet import nn
from graphnet.nn import BatchNormalization, Dense, Input, Layer, Sequential
from graphnet.nn.phase import running

#: class, arguments, shape of a row: everything that is asked of all layers is asked of these
LAYERS = [
    ("Dense", {"units": 3, "activation": "tanh"}, (4,)),
    ("Activation", {"activation": "gelu"}, (4,)),
    ("Flatten", {}, (3, 2)),
    ("Flatten", {"data_format": "channels_first"}, (3, 2, 2)),
    ("Dropout", {"rate": 0.4, "seed": 1}, (4,)),
    ("SpatialDropout1D", {"rate": 0.4, "seed": 1}, (4, 3)),
    ("SpatialDropout2D", {"rate": 0.4, "seed": 1, "data_format": "channels_first"}, (3, 2, 2)),
    ("SpatialDropout3D", {"rate": 0.4, "seed": 1}, (2, 2, 2, 3)),
    ("GaussianDropout", {"rate": 0.4, "seed": 1}, (4,)),
    ("GaussianNoise", {"stddev": 0.4, "seed": 1}, (4,)),
    ("AlphaDropout", {"rate": 0.4, "seed": 1}, (4,)),
    ("BatchNormalization", {"momentum": 0.9}, (4,)),
    ("BatchNormalization", {"axis": 1, "center": False, "gamma_regularizer": "l2"}, (4, 3)),
    ("LayerNormalization", {}, (4,)),
    ("LayerNormalization", {"axis": [1, 2], "scale": False}, (4, 3)),
    ("LayerNormalization", {"axis": 1}, (4, 3)),
    ("GroupNormalization", {"groups": 2}, (3, 4)),
    ("GroupNormalization", {"groups": -1, "axis": 1}, (3, 4)),
    ("RMSNormalization", {}, (4,)),
    ("UnitNormalization", {"axis": [1, 2]}, (4, 3)),
    ("Normalization", {"mean": [1.0, 2.0], "variance": [4.0, 1.0]}, (3, 2)),
    ("Normalization", {"axis": None}, (3, 2)),
    ("Rescaling", {"scale": 0.5, "offset": [1.0, 2.0]}, (3, 2)),
    ("ActivityRegularization", {"l1": 0.1}, (4,)),
    ("Identity", {}, (4,)),
    ("Lambda", {"function": "gelu", "arguments": {"approximate": True}}, (4,)),
    ("ReLU", {"max_value": 0.9, "negative_slope": 0.1, "threshold": 0.2}, (4,)),
    ("LeakyReLU", {}, (4,)),
    ("PReLU", {"alpha_initializer": "he_normal", "shared_axes": [1]}, (4, 3)),
    ("ELU", {"alpha": 0.5}, (4,)),
    ("Softmax", {"axis": [1, 2]}, (4, 3)),
    ("Reshape", {"target_shape": [-1, 2]}, (4, 3)),
    ("Permute", {"dims": [2, 1]}, (4, 3)),
    ("RepeatVector", {"n": 2}, (4,)),
]
PARTS = ("kind", "options", "row")


def word(value):
    return value if isinstance(value, str) else None


each_layer = pytest.mark.parametrize(PARTS, LAYERS, ids=word)


def made(kind, options, **more):
    return getattr(nn, kind)(**options, **more)


def numbers(*shape, dtype="float32"):
    return np.random.default_rng(len(shape)).normal(1, 2, shape).astype(dtype)


def test_every_layer_of_these_files_is_among_these():
    files = "core activation function noise normalization scaling shaping".split()
    entries = [cls for cls in nn.layers.table.entries.values() if cls.__module__.startswith("graphnet.nn.layers.")]
    found = {cls.__name__ for cls in entries if cls.__module__.rpartition(".")[2] in files}
    assert found - {"InputLayer"} == {kind for kind, _, _ in LAYERS}


@each_layer
def test_configuration_shapes_and_symbolic_use(kind, options, row):
    layer = made(kind, options, name="it")
    assert layer.compute_output_shape((None, *row))[0] is None and not layer.built and layer.weights == []
    x = numbers(6, *row)
    y = layer(x)
    assert y.dtype == np.float32 and layer.compute_output_shape((6, *row)) == y.shape
    assert layer.output_shape == (None, *y.shape[1:]) == layer.compute_output_shape((None, *row))
    assert layer.input_shape == (None, *row) and layer.count_params() == sum(w.size for w in layer.weights)
    config = json.loads(json.dumps(layer.get_config()))
    again = type(layer).from_config(config)
    assert again.get_config() == layer.get_config() and again.name == "it"
    for key, value in options.items():
        assert config[key] == value or key.endswith(("_regularizer", "_initializer"))
    again(x)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x).numpy(), y.numpy())
    symbolic = gn.input((6, *row))
    np.testing.assert_allclose(gn.Graph([symbolic], layer(symbolic))(x).numpy(), y.numpy(), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(copy.deepcopy(layer)(x).numpy(), y.numpy())
    assert nn.layers.table.find(kind) is type(layer)


@each_layer
def test_any_number_of_rows_float64_and_training_symbolically(kind, options, row):
    layer = made(kind, options)
    one, none = layer(numbers(1, *row)), layer(np.zeros((0, *row), "f"))
    assert none.shape == (0, *one.shape[1:])
    before = [w.tobytes() for w in layer.get_weights()]
    with running(True, gn.tensor(3)):
        assert layer(np.zeros((0, *row), "f")).shape == none.shape
        assert np.isfinite(layer(np.ones((3, *row), "f")).numpy()).all()
        layer(np.zeros((0, *row), "f"))
    if kind != "BatchNormalization":
        assert [w.tobytes() for w in layer.get_weights()] == before
    assert all(np.isfinite(w).all() for w in layer.get_weights())
    double = made(kind, options, dtype="float64")
    for training in (False, True):
        y = double(numbers(5, *row, dtype="float64"), training=training)
        assert y.dtype == np.float64 and all(w.dtype.kind == "i" or w.dtype == np.float64 for w in double.weights)


@each_layer
def test_training_twice_gives_the_same_bits_eager_or_compiled(kind, options, row):
    x, y = numbers(8, *row), numbers(8, 2)

    def run(eagerly):
        nn.set_random_seed(3)
        net = Sequential([Input(row), made(kind, options), nn.Flatten(), Dense(2)])
        net.compile(nn.optimizers.SGD(0.02), "mse", run_eagerly=eagerly)
        losses = net.fit(x, y, epochs=14, batch_size=8, shuffle=False, verbose=0).history["loss"]
        return losses, net.get_weights()

    (eager, weights), (first, _), (second, compiled) = run(True), run(False), run(False)
    assert first == second
    np.testing.assert_allclose(eager, second, rtol=1e-5)
    for a, b in zip(weights, compiled, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


SMOOTH = [row for row in LAYERS if "Normal" in row[0] or row[0] in ("ELU", "Softmax", "Dense", "Rescaling", "PReLU")]


@pytest.mark.parametrize(PARTS, SMOOTH, ids=word)
@pytest.mark.parametrize("training", [False, True])
def test_gradients_to_second_order(kind, options, row, training):
    layer = made(kind, options, dtype="float64")
    x = numbers(3, *row, dtype="float64")
    layer(x)
    learn = layer.trainable_weights
    # What counts stays a whole number.
    moved = [
        w + 0.3 * numbers(*w.shape, dtype="float64") ** 2 if w.dtype.kind == "f" else w for w in layer.get_weights()
    ]
    layer.set_weights([np.asarray(w) for w in moved])
    weights = [w.numpy().copy() for w in learn]

    def f(x, *values):
        for w, value in zip(learn, values, strict=True):
            w.assign(value)
        return gn.sum(gn.sin(layer(x, training=training)))

    gn.check_grads(lambda x: gn.sin(layer(x, training=training)), x, order=2)
    for w, value in zip(learn, weights, strict=True):
        found = gn.gradients(f(x, *weights), w).numpy()
        for place in list(np.ndindex(w.shape))[:4]:
            step = np.zeros(w.shape)
            step[place] = 1e-5
            ends = [float(f(x, *[v + s * step if v is value else v for v in weights])) for s in (1, -1)]
            assert found[place] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize(
    "layer",
    [
        BatchNormalization(),
        nn.LayerNormalization(),
        nn.GroupNormalization(2),
        nn.RMSNormalization(),
        nn.UnitNormalization(),
        nn.LayerNormalization(epsilon=0.0),
        BatchNormalization(epsilon=0.0),
    ],
    ids=lambda layer: f"{layer.kind}-{getattr(layer, 'epsilon', '')}",
)
@pytest.mark.parametrize("value", [0.0, 5.0])
def test_constant_features(layer, value):
    x = gn.Parameter(np.full((4, 4), value), dtype="float32")
    with np.errstate(all="ignore"):
        y = layer(x, training=True)
        g = gn.gradients(gn.sum(y * gn.tensor(numbers(4, 4))), x).numpy()
    if layer.kind in ("RMSNormalization", "UnitNormalization"):
        assert np.isfinite(y.numpy()).all() and np.isfinite(g).all()
    elif layer.epsilon:
        assert (y.numpy() == 0).all() and np.isfinite(g).all()


def test_20_activity_regularizer():
    layer = Dense(2, kernel_initializer="ones", activity_regularizer=nn.regularizers.L2(0.1))
    layer(np.ones((4, 3)))
    assert [float(v) for v in layer.losses] == [pytest.approx(1.8)]
    net = Sequential([Input((3,)), layer])
    net.compile("sgd", "mse", metrics=["mse"])
    loss, mse = net.evaluate(np.ones((4, 3)), np.zeros((4, 2)), verbose=0)
    assert mse == pytest.approx(9) and loss == pytest.approx(9 + 1.8)
    assert net.train_on_batch(np.ones((4, 3)), np.zeros((4, 2)))[0] == pytest.approx(10.8)
    # d/dk of mean(y**2) + .1 * sum(y**2) / 4 with y = 3 everywhere, once for each unit
    assert layer.kernel.numpy() == pytest.approx(1 - 0.01 * (3 + 0.1 * 2 * 3), rel=1e-5)
    for made_again in (Dense.from_config(layer.get_config()), nn.ActivityRegularization(l2=0.1)):
        made_again(np.ones((4, 3)))
        assert len(made_again.losses) == 1
    assert float(nn.ActivityRegularization(l1=0.5)(np.full((4, 3), -2.0)).sum()) == -24
    quiet = nn.LayerNormalization(activity_regularizer="l1")
    assert quiet(np.zeros((0, 3))).shape == (0, 3) and float(quiet.losses[0]) == 0


def test_31_dropout():
    y = nn.Dropout(0.25, seed=0)(np.ones((50, 50)), training=True).numpy()
    assert sorted(set(y.ravel().tolist())) == [0.0, pytest.approx(1.3333334, rel=1e-7)]
    assert (nn.Dropout(0.25)(np.ones((5, 5))).numpy() == 1).all()
    assert (nn.Dropout(1)(np.ones((5, 5)), training=True).numpy() == 0).all()
    for rate in (-0.1, 1.1, "half", True):
        with pytest.raises(ValueError, match="from 0 to 1"):
            nn.Dropout(rate)


X32 = np.array([[0.0], [2.0], [4.0], [6.0]], "f")


def test_32_batch_normalization():
    layer = BatchNormalization()
    assert layer.get_config()["momentum"] == 0.99 and layer.get_config()["epsilon"] == 1e-3
    y = layer(X32, training=True).numpy().ravel()
    assert y == pytest.approx([-1.3415067, -0.4471689, 0.4471689, 1.3415067], rel=1e-6)
    assert [w.name.rpartition("/")[2] for w in layer.weights] == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [float(w[0]) for w in layer.get_weights()] == pytest.approx([1, 0, 0.03, 1.04], rel=1e-6)
    layer(X32, training=True)
    layer(X32, training=True)
    assert [float(w[0]) for w in layer.get_weights()[2:]] == pytest.approx([0.0891030, 1.1188040], rel=1e-6)
    before = layer.get_weights()
    mean, variance = (float(w[0]) for w in before[2:])
    assert layer(X32).numpy() == pytest.approx((X32 - mean) / np.sqrt(variance + 1e-3), rel=1e-6)
    layer.trainable = False
    assert layer(X32, training=True).numpy() == pytest.approx(layer(X32).numpy())
    assert all((a == b).all() for a, b in zip(layer.get_weights(), before, strict=True))
    assert layer.trainable_weights == [] and len(layer.non_trainable_weights) == 4


def test_32_batch_normalization_in_every_mode():
    def moved(call):
        layer = BatchNormalization()
        layer(X32)
        call(layer)
        return [float(w[0]) for w in layer.get_weights()[2:]]

    once, still = [pytest.approx(0.03), pytest.approx(1.04)], [0.0, 1.0]
    assert moved(lambda bn: bn(X32, training=True)) == once
    assert moved(lambda bn: gn.gradients(bn(gn.Parameter(X32), training=True).sum(), bn.gamma)) == once
    assert moved(lambda bn: gn.compile(lambda x: bn(x, training=True))(X32)) == once
    assert moved(lambda bn: gn.trace(lambda x: bn(x, training=True), X32)(X32)) == once
    assert moved(lambda bn: gn.trace(lambda x: bn(x, training=True), X32)) == still
    assert moved(lambda bn: bn(gn.input((4, 1)), training=True)) == still
    assert moved(lambda bn: bn.compute_output_shape((None, 1))) == still
    assert moved(lambda bn: bn(X32)) == still
    assert moved(lambda bn: bn(np.zeros((0, 1)), training=True)) == still
    one = moved(lambda bn: bn(X32[1:2], training=True))
    assert one == pytest.approx([0.02, 0.99])

    def graphed(bn):
        net = Sequential([Input((1,)), bn])
        graph = net.graph(4, training=True)
        assert graph.updates == ()
        assert graph(X32, np.int64(0)).numpy().ravel() == pytest.approx(
            [-1.3415067, -0.4471689, 0.4471689, 1.3415067], rel=1e-6
        )

    assert moved(graphed) == still
    bn = BatchNormalization()
    twice = gn.trace(lambda x: (bn(x, training=True), bn(x, training=True)), X32)
    assert len(twice.updates) == 2
    twice(X32)
    assert [float(p.numpy()[0]) for p, _ in twice.updates] == pytest.approx([0.0597, 1.0796], rel=1e-5)


@pytest.mark.parametrize("eagerly", [False, True])
def test_32_batch_normalization_in_training_steps(eagerly):
    layer = BatchNormalization(name="bn")
    net = Sequential([Input((1,)), layer])
    net.compile(nn.optimizers.SGD(0.0), "mse", run_eagerly=eagerly)
    for _ in range(12):
        net.train_on_batch(X32, X32)
    mean, variance = (float(w[0]) for w in layer.get_weights()[2:])
    assert mean == pytest.approx(3 * (1 - 0.99**12), rel=1e-5)
    assert variance == pytest.approx(5 - 4 * 0.99**12, rel=1e-5)
    net.evaluate(X32, X32, verbose=0)
    net.predict(X32, verbose=0)
    assert [float(w[0]) for w in layer.get_weights()[2:]] == [mean, variance]
    layer.trainable = False
    net.add(Dense(1))
    net.compile(nn.optimizers.SGD(0.1), "mse", run_eagerly=eagerly)
    for _ in range(12):
        net.train_on_batch(X32, X32)
    assert [float(w[0]) for w in layer.get_weights()] == [1.0, 0.0, mean, variance]


def test_33_layer_rms_and_group_normalization():
    assert nn.LayerNormalization()([[0.0, 1.0]]).numpy()[0] == pytest.approx([-0.998006, 0.998006], rel=1e-6)
    assert nn.LayerNormalization().epsilon == 1e-3 and nn.RMSNormalization().epsilon == 1e-6
    assert nn.GroupNormalization().groups == 32 and nn.GroupNormalization().epsilon == 1e-3
    x = numbers(2, 6)
    halves = x.reshape(2, 2, 3)
    expected = (halves - halves.mean(2, keepdims=True)) / np.sqrt(halves.var(2, keepdims=True) + 1e-3)
    assert nn.GroupNormalization(2)(x).numpy() == pytest.approx(expected.reshape(2, 6), rel=1e-5, abs=1e-6)
    rms = x / np.sqrt((x**2).mean(1, keepdims=True) + 1e-6)
    assert nn.RMSNormalization()(x).numpy() == pytest.approx(rms, rel=1e-6)
    assert nn.LayerNormalization(axis=(1, 2))(numbers(2, 3, 4)).numpy().reshape(2, -1).mean(1) == pytest.approx(
        0, abs=1e-6
    )


def test_34_dense():
    nn.set_random_seed(0)
    layer = Dense(100)
    layer.build((None, 300))
    kernel, bias = layer.get_weights()
    assert kernel.shape == (300, 100) and (bias == 0).all()
    assert np.abs(kernel).max() == pytest.approx(0.1224745, rel=1e-3)
    assert stats.kstest(kernel.ravel() / 0.1224745, "uniform", (-1, 2)).pvalue > 1e-3
    assert nn.initializers.fans((3, 3, 16, 32)) == (144, 288)


def test_38_activations():
    x = np.array([[-2.0, -1.0, 0.0, 3.0]], "f")
    assert nn.LeakyReLU()(x).numpy()[0] == pytest.approx([-0.6, -0.3, 0, 3])
    assert nn.activations.leaky_relu(gn.tensor(x)).numpy()[0] == pytest.approx([-0.4, -0.2, 0, 3])
    assert nn.ELU()(x).numpy()[0] == pytest.approx([np.expm1(-2), np.expm1(-1), 0, 3], rel=1e-6)
    assert nn.Activation("selu")(x).numpy()[0, 3] == pytest.approx(3 * 1.0507, rel=1e-4)
    assert nn.Activation("gelu")(x).numpy()[0, 0] == pytest.approx(-0.0455003, rel=1e-5)
    assert nn.Lambda("gelu", arguments={"approximate": True})(x).numpy()[0, 0] == pytest.approx(-0.0454023, rel=1e-4)
    assert nn.Activation("hard_sigmoid")(x).numpy()[0, 0] == pytest.approx(0.1666667, rel=1e-6)
    assert nn.Softmax()([[1000.0, 1000.0, 0.0]]).numpy()[0].tolist() == [0.5, 0.5, 0.0]
    assert nn.Flatten()(np.arange(12).reshape(1, 2, 3, 2)).numpy()[0].tolist() == list(range(12))
    first = np.arange(12).reshape(1, 2, 3, 2)
    assert nn.Flatten("channels_first")(first).numpy().tolist() == [first.transpose(0, 2, 3, 1).ravel().tolist()]
    both = nn.ReLU(max_value=6, negative_slope=0.1, threshold=1.0)
    assert both([[-2.0, 0.0, 1.0, 2.0, 7.0]]).numpy()[0] == pytest.approx([-0.3, -0.1, 0, 2, 6])
    masked = nn.Softmax()(np.array([[1.0, 2.0, 3.0]]), mask=np.array([[True, True, False]]))
    assert masked.numpy()[0, 2] == 0 and masked.numpy()[0, :2].sum() == pytest.approx(1)


def test_40_the_order_of_weights():
    net = Sequential([Input((3,)), Dense(2), BatchNormalization(), Dense(1)])
    assert [w.shape for w in net.get_weights()] == [(3, 2), (2,), (2,), (2,), (2,), (2,), (2, 1), (1,)]
    assert net.count_params() == 19
    with pytest.raises(ValueError, match=r"'batch_norm.*|batch_norm.*set_weights needs 4 arrays.*received 1"):
        net.layers[1].set_weights([np.ones(2)])


def test_57_frozen_layers():
    net = Sequential([Input((3,)), Dense(2, name="first"), BatchNormalization(), Dense(1)])
    summary = net.summary(print_fn=lambda text: None)
    assert (summary.trainable_params, summary.non_trainable_params) == (15, 4)
    net.layers[0].trainable = False
    summary = net.summary(print_fn=lambda text: None)
    assert (summary.trainable_params, summary.non_trainable_params) == (7, 12)
    net.compile("sgd", "mse")
    before = net.get_layer("first").get_weights()
    net.fit(numbers(8, 3), numbers(8, 1), verbose=0)
    assert all((a == b).all() for a, b in zip(net.get_layer("first").get_weights(), before, strict=True))
    net.layers[0].trainable = True
    net.fit(numbers(8, 3), numbers(8, 1), verbose=0)
    assert all((a == b).all() for a, b in zip(net.get_layer("first").get_weights(), before, strict=True))
    net.compile("sgd", "mse")
    net.fit(numbers(8, 3), numbers(8, 1), verbose=0)
    assert (net.get_layer("first").get_weights()[0] != before[0]).any()


def test_57_nested_parts():
    inner = Sequential([Dense(2), BatchNormalization()], name="inner")
    outer = Sequential([Input((3,)), inner, Dense(1)])
    outer.trainable = False
    assert outer.trainable_weights == [] and not inner.layers[1].trainable
    inner.trainable = True
    assert inner.layers[1].trainable and outer.trainable_weights == []
    outer._trainable = True
    assert len(outer.trainable_weights) == 4


def test_58_names():
    first, second = nn.LayerNormalization(), nn.LayerNormalization()
    assert first.name.startswith("layer_normalization") and first.name != second.name
    layer = Dense(1, name="twice")
    for other in (layer, Dense(2, name="twice")):
        with pytest.raises(ValueError, match="layer named 'twice' already"):
            Sequential([layer, other])
    assert repr(Sequential([Input((1,)), Dense(1)], name="net")) == "<Sequential name=net, built=True>"


def test_noise_has_the_statistics_it_promises():
    x = np.ones((300, 300), "f")
    y = nn.GaussianNoise(0.5, seed=1)(x, training=True).numpy()
    assert stats.kstest((y.ravel()[:20000] - 1) / 0.5, "norm").pvalue > 1e-3
    y = nn.GaussianDropout(0.2, seed=1)(x, training=True).numpy()
    assert y.mean() == pytest.approx(1, abs=0.01) and y.std() == pytest.approx(0.5, rel=0.01)
    z = np.random.default_rng(0).normal(size=(500, 500)).astype("f")
    y = nn.AlphaDropout(0.3, seed=1)(z, training=True).numpy()
    assert y.mean() == pytest.approx(0, abs=0.01) and y.std() == pytest.approx(1, rel=0.01)
    assert np.unique(y, return_counts=True)[1].max() / y.size == pytest.approx(0.3, abs=0.01)
    y = nn.SpatialDropout2D(0.5, seed=1)(np.ones((20, 4, 5, 30)), training=True).numpy()
    assert ((y == 0).all((1, 2)) | (y == 2).all((1, 2))).all() and 0.3 < (y == 0).mean() < 0.7
    y = nn.SpatialDropout2D(0.5, "channels_first", seed=1)(np.ones((20, 30, 4, 5)), training=True).numpy()
    assert ((y == 0).all((2, 3)) | (y == 2).all((2, 3))).all()


@pytest.mark.parametrize("kind", ["GaussianNoise", "GaussianDropout", "AlphaDropout", "SpatialDropout1D"])
def test_noise_is_a_function_of_seed_and_step(kind):
    a, b, x = getattr(nn, kind)(0.5, seed=3), getattr(nn, kind)(0.5, seed=3), numbers(4, 5, 6)
    first, second = a(x, training=True).numpy(), a(x, training=True).numpy()
    assert (first != second).any() and (first == b(x, training=True).numpy()).all() and (a(x).numpy() == x).all()
    with running(True, gn.tensor(7)):
        at7 = a(x).numpy()
    step, given = gn.input((), "int64"), gn.input(x.shape)
    with running(True, step):
        graph = gn.Graph([given, step], a(given))
    assert graph(x, np.int64(7)).numpy() == pytest.approx(at7, rel=1e-6)
    assert (graph(x, np.int64(8)).numpy() != at7).any()


def test_random_normal():
    a = gn.random_normal(5, (3, 4)).numpy()
    assert a.dtype == np.float32 and (a == gn.random_normal(gn.tensor(5), (3, 4)).numpy()).all()
    assert (a.ravel()[:5] == gn.random_normal(5, 5).numpy()).all()
    assert gn.random_normal(1, (0, 3)).shape == (0, 3) and gn.random_normal(1, ()).shape == ()
    assert (gn.compile(lambda k: gn.random_normal(k, (3, 4)))(np.int64(5)).numpy() == a).all()
    for dtype in ("float32", "float64"):
        draws = [gn.random_normal(key, 100_001, dtype=dtype).numpy().astype(float) for key in (1, 2)]
        for z in draws:
            assert stats.kstest(z[:20000], "norm").pvalue > 1e-3 and abs(z.mean()) < 0.02
            assert (
                abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 0.02 and abs(np.corrcoef(z[:-1] ** 2, z[1:] ** 2)[0, 1]) < 0.02
            )
        assert abs(np.corrcoef(*draws)[0, 1]) < 0.02
    with pytest.raises(TypeError, match="one whole number"):
        gn.random_normal(1.5, (2,))


def test_normalization_adapts():
    data = np.random.default_rng(0).normal([1, 5], [2, 0.5], (500, 2))
    layer = nn.Normalization()
    layer.adapt(data)
    y = layer(data).numpy()
    assert y.mean(0) == pytest.approx(0, abs=1e-5) and y.std(0) == pytest.approx(1, rel=1e-5)
    back = nn.Normalization(invert=True)
    back.adapt(data)
    assert back(y).numpy() == pytest.approx(data, rel=1e-4, abs=1e-5)
    assert [w.shape for w in layer.weights] == [(2,), (2,), ()] and layer.trainable_weights == []
    one = nn.Normalization(axis=None)
    one.adapt(np.array([1.0, 3.0]))
    assert one([[1.0], [3.0]]).numpy().ravel().tolist() == [-1, 1]
    constant = nn.Normalization()
    constant.adapt(np.ones((5, 2)))
    assert (constant(np.ones((5, 2))).numpy() == 0).all()
    kept = layer.get_weights()
    with pytest.raises(ValueError, match="but got"):
        layer.adapt(np.ones((5, 3)))
    with pytest.raises(ValueError, match="adapt needs rows"):
        layer.adapt(np.ones((0, 2)))
    assert all((a == b).all() for a, b in zip(layer.get_weights(), kept, strict=True))


class Penalised(Layer):
    """A layer that adds to the loss: `strength` times the mean of its output."""

    def __init__(self, strength, **kwargs):
        super().__init__(**kwargs)
        self.strength = strength
        self.scale = self.add_weight((2,), "ones", name="scale")

    def call(self, x):
        y = x * self.scale
        self.add_loss(self.strength * gn.mean(y))
        return y


@pytest.mark.parametrize("eagerly", [False, True])
def test_what_layers_add_to_the_loss(eagerly):
    layer = Penalised(0.5)
    net = Sequential([Input((2,)), layer])
    assert layer.losses == [] and [w.name for w in layer.weights] == [f"{layer.name}/scale"]
    net.compile(nn.optimizers.SGD(0.1), "mse", run_eagerly=eagerly)
    x = np.ones((4, 2), "f")
    assert net.evaluate(x, x, verbose=0) == pytest.approx(0.5)
    assert layer.losses == []
    expected = np.ones(2)
    for _ in range(12):
        expected = expected - 0.1 * (2 * (expected - 1) / 2 + 0.25)
        net.train_on_batch(x, x)
    assert layer.scale.numpy() == pytest.approx(expected, rel=1e-5)
    net(x)
    assert [float(v) for v in net.losses] == [pytest.approx(0.5 * expected.mean(), rel=1e-5)]
    net(x)
    assert len(net.losses) == 1


def test_losses_of_a_layer_that_is_called_twice_add_up():
    class Twice(Layer):
        def __init__(self):
            super().__init__()
            self.part = Penalised(1.0)

        def call(self, x):
            return self.part(self.part(x))

    twice = Twice()
    for _ in range(2):
        twice(np.ones((3, 2)))
        assert [float(v) for v in twice.losses] == [1.0, 1.0]
    assert len(twice.weights) == 1
    regular = Dense(2, kernel_regularizer="l2", kernel_initializer="ones")
    regular(np.ones((1, 3)))
    assert [float(v) for v in regular.losses] == [pytest.approx(0.06)]
    regular.trainable = False
    assert regular.losses == []
    with pytest.raises(ValueError, match="add_loss takes one number"):
        twice.add_loss(gn.ones((2,)))


def test_weights_in_keras_order_by_name_and_in_init():
    class Mine(Layer):
        def __init__(self, units=3, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.a = self.add_weight((2, 3), "ones", "float32", False, name="a")
            self.b = self.add_weight(shape=(units,), initializer="zeros", trainable=True, regularizer="l2", name="b")
            self.c = self.add_weight("c", (1,), "ones")
            self.d = self.add_weight()
            self.table = {"x": [Dense(1), (Dense(2), Dense(3))], "y": gn.Parameter([1.0])}

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    layer = Mine(4, name="mine")
    assert [w.name for w in layer.weights if w.name] == ["mine/b", "mine/c", "mine/weight_3", "mine/a"]
    assert [w.shape for w in layer.weights] == [(4,), (1,), (), (1,), (2, 3)] and not layer.a.requires_grad
    assert len(list(layer.walk())) == 4 and list(layer.regularizers) == [layer.b]
    assert layer.variables == layer.weights and layer.trainable_variables == layer.trainable_weights
    assert layer.non_trainable_variables == [layer.a] and layer.compute_dtype == layer.variable_dtype == "float32"
    again = Mine.from_config(json.loads(json.dumps(layer.get_config())))
    assert again.units == 4 and again.name == "mine"
    with pytest.raises(TypeError, match="name twice"):
        layer.add_weight("c", name="d")
    with pytest.raises(ValueError, match="0 or more"):
        layer.add_weight((-1,))
    with pytest.raises(ValueError, match="must be known"):
        layer.add_weight((None, 2))


def test_build_by_hand_counts():
    class Mine(Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(input_shape[-1],), initializer="ones")
            super().build(input_shape)

        def call(self, x):
            return x * self.w

    layer = Mine()
    layer.build((None, 3))
    assert layer.built and layer.input_shape == (None, 3)
    layer(np.ones((2, 3)))
    assert len(layer.weights) == 1


def test_a_build_that_fails_leaves_nothing():
    class Fails(Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(3,))
            if input_shape[-1] == 3:
                raise ValueError("no")

        def call(self, x):
            return x * self.w[0]

    layer = Fails()
    with pytest.raises(ValueError, match="no"):
        layer(np.ones((2, 3)))
    assert not layer.built and layer.weights == []
    layer(np.ones((2, 4)))
    assert len(layer.weights) == 1


def test_calls_with_several_inputs_and_arguments():
    class Sum(Layer):
        def build(self, input_shape):
            self.shapes = input_shape

        def call(self, inputs, factor=1.0, training=False):
            return (inputs[0] + inputs[1]) * factor + (1.0 if training else 0.0)

    layer, a, b = Sum(), gn.tensor([[1, 2]]), np.array([[3.0, 4.0]])
    assert layer([a, b]).numpy().tolist() == [[4, 6]] and layer([a, b]).dtype == np.float32
    assert layer.shapes == [(None, 2), (None, 2)] == layer.input_shape
    assert layer([a, b], 2.0).numpy().tolist() == layer([a, b], factor=2.0).numpy().tolist() == [[8, 12]]
    assert layer([a, b], 2.0, training=True).numpy().tolist() == layer([a, b], 2.0, True).numpy().tolist() == [[9, 13]]
    assert Dense(2)(np.ones((2, 3)), training=True).shape == (2, 2)


def test_sharing_a_layer():
    class Twins(Layer):
        def __init__(self):
            super().__init__()
            self.one = Dense(3, name="shared")
            self.other = [self.one]

        def call(self, x):
            return self.one(x) * self.other[0](x)

    twins = Twins()
    x = numbers(4, 3) / 10
    twins(x)
    assert len(twins.weights) == 2 and len(list(twins.walk())) == 2
    net = Sequential([Input((3,)), twins, Sequential([twins, Dense(1)])])
    assert len(net.weights) == 4 and net.count_params() == 16
    net.compile("sgd", "mse")
    before = net.get_weights()
    net.fit(x, numbers(4, 1), epochs=10, verbose=0)
    assert all((a != b).any() for a, b in zip(net.get_weights(), before, strict=True))


def test_models_inside_layers_grow_and_shrink():
    class Block(Layer):
        def __init__(self):
            super().__init__()
            self.net = Sequential([Dense(4, activation="relu"), BatchNormalization(), nn.Dropout(0.5)])

        def call(self, x):
            return x + self.net(x)

    net = Sequential([Block(), Dense(1)])
    assert not net.built
    net.compile("adam", "mse")
    net.fit(numbers(16, 4), numbers(16, 1), verbose=0)
    assert net.count_params() == 20 + 16 + 5
    assert (net.layers[0].net.layers[1].moving_mean.numpy() != 0).any()
    net.add(Dense(2))
    assert net.predict(numbers(2, 4), verbose=0).shape == (2, 2) and net.count_params() == 20 + 16 + 5 + 4
    assert net.pop().units == 2 and net.predict(numbers(2, 4), verbose=0).shape == (2, 1)
    with pytest.raises(AttributeError, match=r"use add\(layer\) and pop\(\)"):
        net.layers = []
    net.layers.clear()
    assert len(net.layers) == 2


def test_merging_layers():
    a, b = numbers(2, 3), numbers(2, 3) + 1
    expected = {
        "Add": a + b, "Subtract": a - b, "Multiply": a * b, "Average": (a + b) / 2, "Maximum": np.maximum(a, b),
        "Minimum": np.minimum(a, b), "Concatenate": np.concatenate([a, b], axis=-1),
    }  # fmt: skip
    for kind, value in expected.items():
        layer = getattr(nn, kind)()
        assert layer([a, gn.tensor(b)]).numpy() == pytest.approx(value, rel=1e-6) and layer([a, b]).dtype == np.float32
        assert type(layer).from_config(layer.get_config()).name == layer.name
        for wrong in (a, [a], 3):
            with pytest.raises(
                ValueError, match=r"called on a list of two tensors or more, layer\(\[a, b\]\); received"
            ):
                layer(wrong)
        with pytest.raises(ValueError, match=r"tensors of .*received|can't put tensors of shapes"):
            layer([a, numbers(5, 4)])
    assert nn.Add()([a, a, a]).numpy() == pytest.approx(3 * a) and nn.Average()([a, a, a]).numpy() == pytest.approx(a)
    with pytest.raises(ValueError, match="received 3 tensors"):
        nn.Subtract()([a, a, a])

    class Residual(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner, self.join = Dense(3, activation="relu"), nn.Add()

        def call(self, x):
            return self.join([x, self.inner(x)])

    net = Sequential([Input((3,)), Residual(), nn.LayerNormalization(), Dense(1)])
    net.compile("adam", "mse")
    losses = net.fit(a, np.ones((2, 1)), epochs=40, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_lambda():
    layer = nn.Lambda(lambda x, factor, training=False: x * (factor if training else 1.0), arguments={"factor": 3.0})
    assert float(layer([[2.0]]).sum()) == 2 and float(layer([[2.0]], training=True).sum()) == 6
    net = Sequential([Input((1,)), layer])
    assert float(nn.clone_model(net)([[2.0]]).sum()) == 2 and layer.get_config()["output_shape"] is None
    with pytest.raises(ValueError, match=r"a lambda can't be written to a file.*register_serializable"):
        net.to_json()
    named = Sequential([Input((1,)), nn.Lambda(doubled), nn.Lambda("relu", output_shape=(1,))])
    again = nn.model_from_json(named.to_json(), custom_objects={"doubled": doubled})
    assert float(again([[2.0]]).sum()) == 4
    with pytest.raises(ValueError, match="doubled"):
        nn.model_from_json(named.to_json())


def doubled(x):
    return x * 2


def test_masks():
    x, mask = numbers(2, 3, 4), np.array([[True, True, False], [True, False, False]])
    layer = BatchNormalization(momentum=0.0, epsilon=0.0)
    y = layer(x, training=True, mask=gn.tensor(mask)).numpy()
    assert y[mask].mean(0) == pytest.approx(0, abs=1e-5) and y[mask].std(0) == pytest.approx(1, rel=1e-5)
    assert layer.moving_mean.numpy() == pytest.approx(x[mask].mean(0), rel=1e-5)
    assert layer.moving_variance.numpy() == pytest.approx(x[mask].var(0), rel=1e-5)
    nothing = BatchNormalization()(x, training=True, mask=gn.tensor(np.zeros((2, 3), bool))).numpy()
    assert np.isfinite(nothing).all()
    with pytest.raises(ValueError, match=r"takes a mask of shape \(2, 3\)"):
        layer(x, training=True, mask=gn.tensor(mask[:, :2]))
    soft = nn.Softmax()(x, mask=gn.tensor(mask)).numpy()
    assert soft[0, 2] == pytest.approx(0) and soft[0, 0] == pytest.approx(nn.Softmax()(x).numpy()[0, 0])
    handed_on = {kind for kind, _, _ in LAYERS if getattr(nn, kind).supports_masking}
    assert handed_on == {kind for kind, _, _ in LAYERS} - {"Flatten", "Lambda", "Permute", "RepeatVector", "Reshape"}
    assert nn.Lambda(lambda x: x, mask=lambda x, mask: mask).compute_mask(x, 7) == 7
