"""Settings that can't be right are refused when an object is made or loaded, by every class of nn."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest

from graphnet import nn
from graphnet.nn import callbacks, constraints, initializers, layers, limits, losses, metrics, optimizers, regularizers
from graphnet.nn.limits import Number

#: what constructors need that have no defaults
NEEDED = {
    "activation": "relu",
    "backup_dir": "backup",
    "boundaries": [1, 2],
    "decay_rate": 0.9,
    "decay_steps": 10,
    "dims": (1,),
    "factor": 0.1,
    "filename": "log.csv",
    "filepath": "model.keras",
    "filters": 3,
    "first_decay_steps": 10,
    "fn": lambda y, p: p,
    "function": lambda x: x,
    "height": 2,
    "height_factor": 0.1,
    "initial_learning_rate": 0.1,
    "input_dim": 5,
    "kernel_size": 3,
    "n": 2,
    "num_classes": 3,
    "output_dim": 2,
    "precision": 0.5,
    "rate": 0.5,
    "recall": 0.5,
    "scale": 1.0,
    "schedule": lambda epoch: 0.1,
    "sensitivity": 0.5,
    "shape": (3,),
    "specificity": 0.5,
    "stddev": 0.1,
    "target_class_ids": [0],
    "target_shape": (-1,),
    "units": 3,
    "value": 1.0,
    "values": [1.0, 0.5, 0.2],
    "width": 2,
    "width_factor": 0.1,
}
HOMES = (
    callbacks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    optimizers.schedules,
    regularizers,
)
#: bases, and what is made by graphnet itself
APART = {"Callback", "CallbackList", "FunctionMean", "InputLayer", "Layer", "Optimizer", "Progress", "Table", "Watcher"}
WRONG = (math.nan, math.inf, -math.inf, -1, -0.5, 0, 0.5, 1, 1.5, 3, True, "x", [], {}, None)


def parameters(cls):
    return list(inspect.signature(cls.__init__).parameters.values())[1:]


def classes():
    found = {}
    for home in HOMES:
        for name in dir(home):
            cls = getattr(home, name)
            if inspect.isclass(cls) and cls.__module__.startswith("graphnet.nn") and cls.__name__ not in APART:
                found[cls] = None
    return list(found)


def made(cls, **given):
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    needed = {
        p.name: NEEDED[p.name] for p in parameters(cls) if p.name in NEEDED and p.default is p.empty and p.kind in kinds
    }
    if any(p.name == "layer" for p in parameters(cls)):
        needed["layer"] = layers.LSTM(3)
    if any(p.name == "cell" for p in parameters(cls)):
        needed["cell"] = layers.LSTMCell(3)
    if any(p.name == "cells" for p in parameters(cls)):
        needed["cells"] = [layers.LSTMCell(3)]
    return cls(**(needed | given))


def numeric():
    for cls in classes():
        for p in parameters(cls):
            rule = limits.rule_of(cls.__name__, p.name)
            default = NEEDED.get(p.name) if p.default in (p.empty, None) else p.default
            if isinstance(default, (int, float)) and not isinstance(default, bool) and p.name != "verbose":
                yield pytest.param(cls, p.name, default, rule, id=f"{cls.__name__}-{p.name}")


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("cls", classes(), ids=lambda c: c.__name__)
def test_each_can_be_made(cls):
    pytest.importorskip("tensorboardX") if cls.__name__ == "TensorBoard" else None
    made(cls)


@pytest.mark.parametrize(("cls", "name", "default", "rule"), list(numeric()))
def test_numbers_are_numbers(cls, name, default, rule):
    """Only the masked number may be NaN; none is a boolean, a text or a list; NumPy's numbers are numbers."""
    pytest.importorskip("tensorboardX") if cls.__name__ == "TensorBoard" else None
    allowed = {"Values"}  # any array
    # A mask may stand where NaN is.
    wrong = [True, "x", [], *([] if name == "mask_value" else [math.nan])]
    for bad in wrong:
        if cls.__name__ in allowed:
            continue
        with pytest.raises((ValueError, TypeError)) as found:
            made(cls, **{name: bad})
        assert name in str(found.value) or cls.__name__ in str(found.value), (bad, found.value)
    made(cls, **{name: np.int64(default) if isinstance(default, int) else np.float32(default)})
    if isinstance(rule, Number):
        for value in WRONG:
            if not rule.allows(value) and value is not None:
                with pytest.raises(ValueError, match=name):
                    made(cls, **{name: value})


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: optimizers.Adam(epsilon=math.nan), "Adam: epsilon is a finite number, 0 or more; received nan"),
        (lambda: layers.BatchNormalization(epsilon=-1e-3), "BatchNormalization: epsilon"),
        (lambda: regularizers.L1(-0.1), "l1"),
        (lambda: regularizers.L2(math.inf), "l2"),
        (lambda: regularizers.L1L2(l2=math.nan), "l2"),
        (lambda: regularizers.OrthogonalRegularizer(-1.0), "factor"),
        (lambda: optimizers.Ftrl(l1_regularization_strength=-1.0), "l1_regularization_strength"),
        (lambda: optimizers.SGD(math.nan), "learning_rate"),
        (lambda: optimizers.SGD(-0.1), "learning_rate"),
        (lambda: optimizers.SGD(momentum=1.5), "momentum"),
        (lambda: optimizers.Adam(beta_1=1.0), "beta_1"),
        (lambda: optimizers.Adam(clipnorm=-1.0), "clipnorm"),
        (lambda: optimizers.Adam(weight_decay=math.nan), "weight_decay"),
        (lambda: optimizers.schedules.CosineDecay(math.nan, 10), "initial_learning_rate"),
        (lambda: optimizers.schedules.ExponentialDecay(0.1, 10, -1.0), "decay_rate"),
        (lambda: optimizers.schedules.PolynomialDecay(0.1, 0), "decay_steps"),
        (lambda: initializers.RandomNormal(stddev=-1.0), "RandomNormal: stddev is a finite number, 0 or more"),
        (lambda: initializers.RandomUniform(1.0, -1.0), "minval"),
        (lambda: initializers.Constant(math.nan), "value"),
        (lambda: initializers.HeNormal(seed=1.5), "seed"),
        (lambda: layers.Dropout(1.5), "rate"),
        (lambda: layers.Dropout(0.5, noise_shape=(2, 0)), "noise_shape is a tuple of sizes"),
        (lambda: layers.Dropout(0.5, noise_shape="ab"), "noise_shape"),
        (lambda: layers.Conv2D(3, 3, strides=2, dilation_rate=2), "strides and dilation_rate"),
        (lambda: layers.SeparableConv2D(3, 3, strides=2, dilation_rate=2), "strides and dilation_rate"),
        (lambda: layers.LayerNormalization(axis="x"), "LayerNormalization: axis is the number of an axis"),
        (lambda: layers.LayerNormalization(beta_constraint=3), "beta_constraint"),
        (lambda: layers.GaussianNoise(-1.0), "stddev"),
        (lambda: layers.Dense(3, use_bias="no"), "use_bias is True or False; received 'no'"),
        (lambda: layers.LSTM(3, return_sequences="False"), "return_sequences"),
        (lambda: layers.Masking("nan"), "mask_value"),
        (
            lambda: callbacks.EarlyStopping(patience=-1),
            "EarlyStopping: patience is a whole number, 0 or more; received -1",
        ),
        (lambda: callbacks.EarlyStopping(patience=1.5), "patience"),
        (lambda: callbacks.EarlyStopping(min_delta=math.nan), "min_delta"),
        (lambda: callbacks.EarlyStopping(baseline=math.nan), "baseline"),
        (lambda: callbacks.ReduceLROnPlateau(factor=-1.0), "factor"),
        (lambda: callbacks.ReduceLROnPlateau(min_lr=math.nan), "min_lr"),
        (lambda: callbacks.ModelCheckpoint("a.keras", initial_value_threshold=math.nan), "initial_value_threshold"),
        (lambda: losses.Huber(delta=-1.0), "delta"),
        (lambda: losses.BinaryCrossentropy(label_smoothing=1.5), "label_smoothing"),
        (lambda: losses.MeanSquaredError(name=["mse"]), "name"),
        (lambda: metrics.MeanSquaredError(name=["mse"]), "name"),
        (lambda: metrics.BinaryCrossentropy(label_smoothing=-1.0), "label_smoothing"),
        (lambda: metrics.Precision(class_id=-1), "class_id"),
    ],
)
def test_examples(make, text):
    with pytest.raises((ValueError, TypeError), match=text):
        make()


def test_they_are_refused_when_loaded_too():
    config = layers.BatchNormalization(name="b").get_config()
    with pytest.raises(ValueError, match="epsilon"):
        layers.BatchNormalization.from_config(config | {"epsilon": math.nan})
    with pytest.raises(ValueError, match="l2"):
        regularizers.get({"class_name": "L2", "config": {"l2": -1.0}})
    with pytest.raises(ValueError, match="epsilon"):
        optimizers.get({"class_name": "Adam", "config": {"epsilon": -1.0}})


def test_subclasses_are_asked_by_their_base():
    class Mine(layers.Dropout):
        def __init__(self, share, **options):
            super().__init__(share, **options)

    class Own(layers.Layer):
        def __init__(self, rate, **options):
            super().__init__(**options)
            self.rate = rate

    with pytest.raises(ValueError, match="rate"):
        Mine(3.0)
    assert Mine(0.5).rate == 0.5
    # A name means what it means in a class of one's own.
    assert Own(44_100).rate == 44_100


def test_rates_that_are_set_later():
    adam = optimizers.Adam()
    for bad in (math.nan, -1.0, True, "x"):
        with pytest.raises((ValueError, TypeError)):
            adam.learning_rate = bad
    model = nn.Sequential([nn.Input((1,)), nn.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="learning_rate"):
        model.fit(
            np.ones((4, 1)), np.ones(4), verbose=0, callbacks=[callbacks.LearningRateScheduler(lambda epoch: math.nan)]
        )


@pytest.mark.parametrize(
    ("name", "values"),
    list(
        {
            "batch_size": (0, -1, 1.5, True, "8"),
            "epochs": (-1, 1.5, math.nan, True),
            "steps_per_epoch": (0, -1, 1.5, True),
            "validation_split": (-0.1, 1.5, math.nan, True),
            "validation_batch_size": (0, -1, 1.5, True),
            "validation_steps": (0, -1, 1.5),
            "validation_freq": (0, -1, 1.5, True, [0]),
            "initial_epoch": (-1, 1.5, True),
            "verbose": (-1, 3, "x"),
            "shuffle": ("x", 2),
        }.items()
    ),
)
def test_arguments_of_fit(name, values):
    x, y = np.ones((8, 1)), np.ones(8)
    for value in values:
        model = nn.Sequential([nn.Input((1,)), nn.Dense(1)])
        model.compile("sgd", "mse")
        given = {"verbose": 0} | {name: value}
        if name.startswith("validation_") and name != "validation_split":
            given["validation_data"] = (x, y)
        with pytest.raises((ValueError, TypeError)):
            model.fit(x, y, **given)
        assert int(model.optimizer.iterations) == 0


@pytest.mark.parametrize(
    "given",
    [
        {"learning_rate": math.nan},
        {"learning_rate": -1.0},
        {"loss_weights": math.nan},
        {"loss_weights": True},
        {"steps_per_execution": 0},
        {"run_eagerly": "yes"},
        {"jit_compile": "yes"},
        {"penalty": "ridge", "weight_penalty": -1.0},
        {"metrics": [["mse"], ["mae"]]},
    ],
)
def test_arguments_of_compile(given):
    model = nn.Sequential([nn.Input((1,)), nn.Dense(1)])
    with pytest.raises((ValueError, TypeError)):
        model.compile(**({"optimizer": "sgd", "loss": "mse"} | given))
    assert model.steps is None


def test_a_mask_may_stand_where_nan_is():
    x = np.ones((2, 3, 2), "float32")
    x[0, 2] = x[1, 1:] = np.nan
    layer = layers.Masking(math.nan)
    np.testing.assert_array_equal(layer.compute_mask(x), [[True, True, False], [True, False, False]])
    np.testing.assert_array_equal(layer(x), np.nan_to_num(x))
    assert math.isnan(layers.Masking.from_config(layer.get_config()).mask_value)


def test_what_may_be_none_by_its_type_may_be_none():
    """A setting without a limit, whatever its default."""
    found = [
        (cls, p.name)
        for cls in classes()
        for p in parameters(cls)
        if "None" in str(p.annotation) and p.default is not p.empty and p.default is not None
    ]
    names = {(cls.__name__, name) for cls, name in found}
    assert {("Muon", "rms_rate"), ("Muon", "weight_decay"), ("AdamW", "weight_decay")} <= names
    for cls, name in found:
        made(cls, **{name: None})
    assert optimizers.Muon.from_config(optimizers.Muon(rms_rate=None).get_config()).rms_rate is None
