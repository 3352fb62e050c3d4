"""Files go both ways between graphnet and the real Keras: every layer, optimizer, loss, metric and part of a layer."""

import os

import numpy as np
import pytest

import graphnet as gn

if not os.environ.get("GRAPHNET_PARITY"):
    pytest.skip("GRAPHNET_PARITY=1 compares with the real Keras", allow_module_level=True)
keras = pytest.importorskip("keras")

LAYERS = """
6 | Dense(2, activation="relu", kernel_regularizer="l2", bias_constraint="non_neg")
6 | Dense(2, use_bias=False, kernel_initializer="he_normal")
6 | Dense(2, activation="leaky_relu", kernel_constraint="max_norm")
6 | Activation("softplus")
6 | ReLU(max_value=3.0, negative_slope=0.1, threshold=0.5)
6 | LeakyReLU(negative_slope=0.2)
6 | PReLU()
4,6 | PReLU(shared_axes=[1])
6 | ELU(alpha=0.5)
6 | Softmax()
6 | Dropout(0.5, seed=3)
6 | AlphaDropout(0.5)
6 | GaussianDropout(0.5)
6 | GaussianNoise(0.5)
6,3 | SpatialDropout1D(0.5)
6,4,3 | SpatialDropout2D(0.5)
4,6,4,3 | SpatialDropout3D(0.5)
6 | ActivityRegularization(l1=0.1)
6 | BatchNormalization()
6 | BatchNormalization(center=False, scale=False, momentum=0.9, epsilon=0.01)
4,6 | LayerNormalization()
4,6 | LayerNormalization(axis=1, center=False)
8,32 | GroupNormalization(4)
6 | RMSNormalization()
6 | UnitNormalization()
4,6 | Flatten()
6 | Reshape((2, 3))
6 | Reshape((-1, 3))
6,3 | Permute((2, 1))
6 | RepeatVector(2)
6 | Rescaling(0.5, offset=1.0)
6 | Identity()
8,3 | Conv1D(2, 3, padding="causal", dilation_rate=2)
8,4 | Conv1D(4, 3, groups=2, strides=2)
8,8,3 | Conv2D(2, (3, 2), padding="same", activation="relu", use_bias=False)
6,6,6,3 | Conv3D(2, 3)
8,8,3 | DepthwiseConv2D(3, depth_multiplier=2)
8,3 | DepthwiseConv1D(3)
8,8,3 | SeparableConv2D(4, 3)
8,3 | SeparableConv1D(4, 3)
8,8,3 | Conv2DTranspose(4, 3, strides=2)
8,3 | Conv1DTranspose(4, 3)
8,3 | MaxPooling1D()
8,8,3 | MaxPooling2D((2, 3), strides=1, padding="same")
6,6,6,3 | MaxPooling3D()
8,3 | AveragePooling1D(2)
8,8,3 | AveragePooling2D(2)
6,6,6,3 | AveragePooling3D(2)
8,3 | GlobalMaxPooling1D()
8,8,3 | GlobalMaxPooling2D(keepdims=True)
8,3 | GlobalAveragePooling1D()
8,8,3 | GlobalAveragePooling2D()
8,3 | UpSampling1D(3)
8,8,3 | UpSampling2D((2, 1))
8,8,3 | UpSampling2D(2, interpolation="bilinear")
6,6,6,3 | UpSampling3D(2)
8,3 | ZeroPadding1D((1, 2))
8,8,3 | ZeroPadding2D(((1, 2), (0, 3)))
6,6,6,3 | ZeroPadding3D(1)
8,3 | Cropping1D(2)
8,8,3 | Cropping2D(((1, 2), (0, 3)))
6,6,6,3 | Cropping3D(1)
5 | Embedding(10, 3)
5 | Embedding(10, 3, mask_zero=True)
5,3 | Masking(0.5)
5,3 | SimpleRNN(2, activation="relu")
5,3 | LSTM(2, return_sequences=True, dropout=0.1)
5,3 | LSTM(2, unit_forget_bias=False, go_backwards=True)
5,3 | GRU(2)
5,3 | GRU(2, reset_after=False, use_bias=False)
5,3 | Bidirectional(LSTM(2))
5,3 | Bidirectional(GRU(2, return_sequences=True), merge_mode="sum")
5,3 | Bidirectional(LSTM(2), backward_layer=LSTM(2, go_backwards=True, activation="relu"))
5,3 | TimeDistributed(Dense(2))
5,3 | TimeDistributed(BatchNormalization())
""".strip().splitlines()

OPTIMIZERS = """
SGD(0.1)
SGD(0.1, momentum=0.9, nesterov=True)
SGD(0.1, use_ema=True, gradient_accumulation_steps=2, momentum=0.5, ema_overwrite_frequency=3)
RMSprop()
RMSprop(momentum=0.9, centered=True, clipnorm=1.0)
Adam(weight_decay=0.1)
Adam(amsgrad=True, clipvalue=0.5)
AdamW(global_clipnorm=2.0)
Adagrad()
Adadelta()
Adamax()
Nadam()
Lion()
Ftrl()
Lamb()
Adafactor()
Muon()
ScheduleFreeAdamW()
SGD(schedules.ExponentialDecay(0.1, 10, 0.96, staircase=True))
SGD(schedules.CosineDecay(0.1, 100, warmup_target=0.2, warmup_steps=10))
Adam(schedules.CosineDecayRestarts(0.1, 10))
SGD(schedules.PolynomialDecay(0.1, 10, power=2.0))
SGD(schedules.InverseTimeDecay(0.1, 10, 0.5))
SGD(schedules.PiecewiseConstantDecay([5, 10], [0.1, 0.05, 0.01]))
""".strip().splitlines()

LOSSES = """
BinaryCrossentropy(from_logits=True, label_smoothing=0.1)
CategoricalCrossentropy(label_smoothing=0.1)
SparseCategoricalCrossentropy(ignore_class=-1)
BinaryFocalCrossentropy(gamma=3.0)
CategoricalFocalCrossentropy()
CategoricalGeneralizedCrossEntropy(q=0.6)
MeanSquaredError(reduction="sum")
MeanAbsoluteError()
MeanAbsolutePercentageError()
MeanSquaredLogarithmicError()
Huber()
LogCosh()
KLDivergence()
Poisson()
Hinge()
SquaredHinge()
CategoricalHinge()
CosineSimilarity(axis=-1)
Dice()
Tversky(alpha=0.3)
Circle()
""".strip().splitlines()

METRICS = """
Accuracy()
BinaryAccuracy(threshold=0.4)
CategoricalAccuracy(name="cat")
SparseCategoricalAccuracy()
TopKCategoricalAccuracy(k=3)
SparseTopKCategoricalAccuracy(k=3)
Precision(thresholds=0.4)
Recall(class_id=1)
TruePositives()
FalseNegatives(thresholds=[0.2, 0.5])
AUC(num_thresholds=50, curve="PR")
F1Score(average="macro", threshold=0.5)
FBetaScore(beta=2.0)
PrecisionAtRecall(0.5)
SensitivityAtSpecificity(0.5)
IoU(num_classes=2, target_class_ids=[0])
MeanIoU(num_classes=2)
OneHotMeanIoU(num_classes=2)
MeanSquaredError(name="mse")
RootMeanSquaredError()
MeanAbsoluteError()
MeanAbsolutePercentageError()
MeanSquaredLogarithmicError()
LogCoshError()
R2Score()
CosineSimilarity()
Hinge()
KLDivergence()
Poisson()
BinaryCrossentropy(from_logits=True)
CategoricalCrossentropy()
SparseCategoricalCrossentropy()
Mean()
"accuracy"
"mse"
""".strip().splitlines()

PARTS = """
kernel_initializer=initializers.Zeros()
kernel_initializer=initializers.Constant(0.5)
kernel_initializer=initializers.Identity()
kernel_initializer=initializers.RandomNormal(mean=1.0, stddev=0.1, seed=3)
kernel_initializer=initializers.RandomUniform(-1.0, 1.0)
kernel_initializer=initializers.TruncatedNormal()
kernel_initializer=initializers.VarianceScaling(2.0, "fan_avg", "uniform")
kernel_initializer=initializers.GlorotNormal(seed=1)
kernel_initializer=initializers.HeUniform()
kernel_initializer=initializers.LecunNormal()
kernel_initializer=initializers.Orthogonal(gain=0.5)
kernel_regularizer=regularizers.L1(0.1)
kernel_regularizer=regularizers.L2(0.1)
kernel_regularizer=regularizers.L1L2(0.1, 0.2)
kernel_regularizer=regularizers.OrthogonalRegularizer(0.1)
activity_regularizer=regularizers.L2(0.1)
kernel_constraint=constraints.MaxNorm(3)
kernel_constraint=constraints.NonNeg()
kernel_constraint=constraints.UnitNorm(axis=1)
kernel_constraint=constraints.MinMaxNorm(0.1, 2.0, rate=0.5)
activation="gelu"
activation="hard_silu"
activation="log_softmax"
""".strip().splitlines()


def both(text, kind):
    """What `text` makes in Keras and in graphnet; skips while graphnet lacks it."""
    made = []
    for root in (keras, gn.nn):
        names = {n: getattr(root, n, None) for n in ("initializers", "regularizers", "constraints")} | {
            "__builtins__": {}
        }
        space = getattr(root, kind) if kind else root.layers
        names |= {n: getattr(space, n) for n in dir(space) if not n.startswith("_")}
        try:
            made.append(eval(text, names))
        except (NameError, AttributeError):
            if root is keras:
                raise
            pytest.skip(f"graphnet has no {text} yet")
    return made


def filled(keras_model, seed=0):
    """Give all weights and the optimizer's state other values than they begin with."""
    rng = np.random.default_rng(seed)
    for v in [*keras_model.weights, *(keras_model.optimizer.variables if keras_model.compiled else [])]:
        value = np.asarray(v)
        v.assign(rng.integers(1, 9, value.shape) if value.dtype.kind == "i" else rng.uniform(0.1, 1, value.shape))


def data(shape, text):
    rng = np.random.default_rng(1)
    return rng.integers(0, 10, (4, *shape)) if "Embedding" in text else rng.normal(size=(4, *shape)).astype("float32")


@pytest.mark.parametrize("row", LAYERS)
def test_layers_go_both_ways(row, tmp_path):
    sizes, text = row.split(" | ")
    shape = tuple(int(n) for n in sizes.split(","))
    theirs, ours = both(text, "layers")
    x = data(shape, text)
    first = keras.Sequential([keras.Input(shape), theirs])
    filled(first)
    first.save(tmp_path / "a.keras")
    loaded = gn.nn.load_model(tmp_path / "a.keras")
    expected = np.asarray(first(x, training=False))
    assert [w.shape for w in loaded.get_weights()] == [w.shape for w in first.get_weights()]
    np.testing.assert_allclose(loaded.predict(x), expected, rtol=1e-5, atol=1e-6)

    second = gn.nn.Sequential([gn.nn.Input(shape), ours])
    second.set_weights(first.get_weights())
    second.save(tmp_path / "b.keras")
    back = keras.models.load_model(tmp_path / "b.keras")
    np.testing.assert_allclose(np.asarray(back(x, training=False)), expected, rtol=1e-5, atol=1e-6)
    for w, v in zip(back.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_array_equal(w, v)
    a, b = (m.get_config()["layers"][1]["config"] for m in (first, back))
    assert {k: v for k, v in a.items() if not same_name(k)} == {k: v for k, v in b.items() if not same_name(k)}

    loaded.save(tmp_path / "c.keras")
    third = keras.models.load_model(tmp_path / "c.keras")
    assert plain(third.get_config()["layers"]) == plain(first.get_config()["layers"])


def same_name(key):
    return key in ("name", "shared_object_id", "layer", "backward_layer", "kernel_initializer")


def plain(value):
    """A configuration without marks that differ from save to save."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in ("shared_object_id", "build_config")}
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize("text", OPTIMIZERS)
def test_optimizers_go_both_ways(text, tmp_path):
    theirs, ours = both(text, "optimizers")
    first = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4), keras.layers.Dense(2)])
    first.compile(theirs, "mse", metrics=["mae"], run_eagerly=True)
    first.optimizer.build(first.trainable_variables)
    filled(first)
    first.save(tmp_path / "a.keras")
    loaded = gn.nn.load_model(tmp_path / "a.keras")
    from graphnet.nn.saving.state import optimizer_variables

    got = [v.numpy() for v in optimizer_variables(loaded.optimizer)]
    for a, b in zip(got, first.optimizer.variables, strict=True):
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-7)
    loaded.save(tmp_path / "b.keras")
    back = keras.models.load_model(tmp_path / "b.keras")
    for a, b in zip(back.optimizer.variables, first.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    assert configs(back.optimizer) == configs(first.optimizer)

    x, y = np.ones((8, 6), "float32"), np.ones((8, 2), "float32")
    second = gn.nn.Sequential([gn.nn.Input((6,)), gn.nn.Dense(4), gn.nn.Dense(2)])
    second.compile(ours, "mse")
    second.fit(x, y, epochs=2, verbose=0)
    second.save(tmp_path / "c.keras")
    opened = keras.models.load_model(tmp_path / "c.keras")
    state = optimizer_variables(second.optimizer)
    for a, b in zip(opened.optimizer.variables, state, strict=True):
        np.testing.assert_allclose(np.asarray(a), b.numpy(), rtol=1e-6)
    reopened = gn.nn.load_model(tmp_path / "c.keras")
    for a, b in zip(optimizer_variables(reopened.optimizer), state, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def configs(thing):
    config = plain(keras.saving.serialize_keras_object(thing))
    config["config"].pop("name", None)
    return config


@pytest.mark.parametrize("text", LOSSES)
def test_losses_go_both_ways(text, tmp_path):
    theirs, ours = both(text, "losses")
    first = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    first.compile("sgd", theirs)
    first.save(tmp_path / "a.keras")
    loaded = gn.nn.load_model(tmp_path / "a.keras")
    assert loaded.loss.get_config() == ours.get_config()
    loaded.save(tmp_path / "b.keras")
    back = keras.models.load_model(tmp_path / "b.keras")
    assert configs(back.loss) == configs(theirs)


@pytest.mark.parametrize("text", METRICS)
def test_metrics_go_both_ways(text, tmp_path):
    theirs, ours = both(text, "metrics")
    first = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    first.compile("sgd", "mse", metrics=[theirs], weighted_metrics=["mae"])
    first.save(tmp_path / "a.keras")
    loaded = gn.nn.load_model(tmp_path / "a.keras")
    wanted = gn.nn.metrics.get(ours)
    (found,) = loaded.steps.objectives.metrics
    assert (type(found), found.name) == (type(wanted), wanted.name)
    assert found.get_config() == wanted.get_config()
    loaded.save(tmp_path / "b.keras")
    back = keras.models.load_model(tmp_path / "b.keras").get_compile_config()
    again = plain(back["metrics"][0])
    before = plain(first.get_compile_config()["metrics"][0])
    if isinstance(before, dict):
        assert again == before
    else:
        assert again == before or again["config"]["name"] == before


@pytest.mark.parametrize("text", PARTS)
def test_parts_of_layers_go_both_ways(text, tmp_path):
    theirs, ours = both(f"Dense(6, {text})", None)
    first = keras.Sequential([keras.Input((6,)), theirs])
    first.save(tmp_path / "a.keras")
    loaded = gn.nn.load_model(tmp_path / "a.keras")
    mine = {k: v for k, v in loaded.layers[0].get_config().items() if k != "name"}
    assert mine == {k: v for k, v in ours.get_config().items() if k != "name"}
    loaded.save(tmp_path / "b.keras")
    back = keras.models.load_model(tmp_path / "b.keras")
    assert plain(back.get_config()["layers"]) == plain(first.get_config()["layers"])


def test_nested_models_lazy_models_and_frozen_layers(tmp_path):
    layers = keras.layers
    inner = keras.Sequential([layers.Dense(3, activation="relu"), keras.Sequential([layers.Dense(4), layers.Dense(2)])])
    frozen = layers.Dense(5)
    frozen.trainable = False
    first = keras.Sequential([frozen, layers.BatchNormalization(), inner, layers.Dense(2, name="out")])
    first.compile("adam", "mse", metrics=["mae"])
    x, y = np.random.default_rng(0).normal(size=(8, 6)).astype("float32"), np.zeros((8, 2), "float32")
    first.fit(x, y, epochs=2, verbose=0)
    first.save(tmp_path / "a.keras")
    loaded = gn.nn.load_model(tmp_path / "a.keras")
    np.testing.assert_allclose(loaded.predict(x), first.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    assert len(loaded.trainable_weights) == len(first.trainable_variables)
    first.fit(x, y, epochs=3, verbose=0, shuffle=False)
    loaded.fit(x, y, epochs=3, verbose=0, shuffle=False)
    for a, b in zip(loaded.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    loaded.save(tmp_path / "b.keras")
    back = keras.models.load_model(tmp_path / "b.keras")
    np.testing.assert_allclose(back.predict(x, verbose=0), loaded.predict(x), rtol=1e-5, atol=1e-6)
    assert int(back.optimizer.iterations) == 5
    first.save_weights(tmp_path / "w.weights.h5")
    loaded.load_weights(tmp_path / "w.weights.h5")
    loaded.save_weights(tmp_path / "v.weights.h5")
    back.load_weights(tmp_path / "v.weights.h5")
    for a, b in zip(back.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_json_goes_both_ways():
    first = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2, activation="relu")])
    loaded = gn.nn.model_from_json(first.to_json())
    assert loaded.count_params() == 14
    assert keras.models.model_from_json(loaded.to_json()).count_params() == 14


def test_keras_reads_the_classes_of_users(tmp_path):
    class Twice:
        factor = 2

    class TheirTwice(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    @gn.nn.register_serializable("mine", "Twice")
    class OurTwice(gn.nn.Layer):
        def call(self, x):
            return 2 * x

    keras.saving.register_keras_serializable("mine", "Twice")(TheirTwice)
    model = gn.nn.Sequential([gn.nn.Input((3,)), OurTwice(), gn.nn.Dense(2)])
    model.save(tmp_path / "a.keras")
    x = np.ones((1, 3), "float32")
    back = keras.models.load_model(tmp_path / "a.keras")
    np.testing.assert_allclose(np.asarray(back(x)), model.predict(x), rtol=1e-6)
    back.save(tmp_path / "b.keras")
    np.testing.assert_allclose(gn.nn.load_model(tmp_path / "b.keras").predict(x), model.predict(x), rtol=1e-6)


def test_the_table_of_keras_words_is_that_of_this_version():
    from graphnet.nn.saving import keras_words

    assert keras_words.words()["keras_version"] == keras_words.VERSION
