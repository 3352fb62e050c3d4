"""Mistakes with layers: the error names the layer, what it got, and the way out."""

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.nn import Dense, Input, Layer, Sequential

X = np.ones((2, 6), "f")
IMAGES = np.ones((2, 4, 4, 3), "f")


class Own(Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units


class Silent(Layer):
    def call(self, x):
        x + 1


class Forgetful(Layer):
    def __init__(self):
        self.w = 1

    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Dense(10, activaton="relu"), "Dense: unknown argument 'activaton'. Did you mean 'activation'?"),
        (lambda: Dense(10, nam="x"), "Dense: unknown argument 'nam'. Did you mean 'name'?"),
        (lambda: nn.Layer(size=3, activatio="relu"), "Layer: unknown argument 'activatio'. Did you mean 'activation'?"),
        (lambda: Own(3, trainabel=False), "Own: unknown argument 'trainabel'. Did you mean 'trainable'?"),
        (lambda: Own(3, unit=3), "Own: unknown argument 'unit'. Did you mean 'units'?"),
        (lambda: nn.BatchNormalization(momentun=0.9), "Did you mean 'momentum'?"),
        (lambda: Sequential(layer=[]), "Sequential: unknown argument 'layer'. Did you mean 'layers'?"),
        (lambda: nn.Dropout(0.5, qqq=1), "Dropout: unknown argument 'qqq'. It takes rate, noise_shape, seed, "),
        (lambda: nn.optimizers.Adam(learning_rat=0.1), "Adam: unknown argument 'learning_rat'. Did you mean 'learn"),
        (lambda: nn.optimizers.SGD(nestrov=True), "SGD: unknown argument 'nestrov'. Did you mean 'nesterov'?"),
        (lambda: nn.losses.MeanSquaredError(reducton="sum"), "Did you mean 'reduction'?"),
        (lambda: nn.metrics.BinaryAccuracy(treshold=0.4), "Did you mean 'threshold'?"),
        (lambda: nn.callbacks.EarlyStopping(patiense=3), "EarlyStopping: unknown argument 'patiense'. Did you mean"),
        (lambda: nn.regularizers.L2(l_2=0.1), "L2: unknown argument 'l_2'. Did you mean 'l2'?"),
        (lambda: nn.initializers.HeNormal(sed=1), "HeNormal: unknown argument 'sed'. Did you mean 'seed'?"),
    ],
)
def test_misspelt_arguments(make, text):
    with pytest.raises(TypeError) as caught:
        make()
    assert text in str(caught.value) and caught.value.__cause__ is None


def test_other_mistakes_with_arguments_stay_pythons():
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'units'"):
        Dense()

    class Inner(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            dict().get(key=1)

    with pytest.raises(TypeError, match="takes no keyword arguments"):
        Inner()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: Dense(3, name="d")("abc"), r"Layer 'd' \(Dense\(3\)\) is called on numbers: .*received 'abc' \(str\)"),
        (lambda: Dense(3)(None), "received None"),
        (lambda: Dense(3)(Input((3,))), "received <InputLayer.*one after the other in a Sequential"),
        (lambda: Dense(3)(Dense), r"received <class .*It is a class: write Dense\(\.\.\.\)"),
        (lambda: Dense(3)([[1, 2], [3]]), r"received \[\[1, 2\], \[3\]\]"),
        (lambda: Sequential([Dense]), r"not a class: write Dense\(\.\.\.\)"),
        (lambda: Sequential(Dense(3)), r"takes a list of layers, as in Sequential\(\[Dense\(3\)\]\)"),
        (lambda: Sequential(Dense), "takes a list of layers"),
        (lambda: Sequential([Dense(3), "relu"]), "made of layers; received 'relu'"),
        (lambda: Sequential([Dense(3), None]), "made of layers; received None"),
        (lambda: nn.Lambda(3), "function is called with a tensor; received 3"),
    ],
)
def test_wrong_kinds(call, text):
    with pytest.raises(TypeError, match=text):
        call()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: nn.Reshape((4, 2), name="r")(X),
            r"Layer 'r' \(Reshape\) can't give rows of shape \(6,\) \(6 numbers\) the shape \(4, 2\) \(8\)",
        ),
        (lambda: nn.Reshape((4, -1))(X), r"the shape \(4, -1\)"),
        (lambda: nn.Reshape((-1, -1)), "at most one of them -1"),
        (lambda: nn.Reshape((2.5,)), r"Reshape\(\(28, 28, 1\)\); received \(2.5,\)"),
        (lambda: nn.Permute((0, 1)), r"each axis from 1 on once"),
        (lambda: nn.Permute((1, 1)), r"received \(1, 1\)"),
        (lambda: nn.Permute((2, 1))(X), r"orders 2 axes after the batch; inputs have shape \(2, 6\)"),
        (lambda: nn.RepeatVector(0), "n is a whole number, 1 or more"),
        (lambda: nn.RepeatVector(2)(IMAGES), "put a Flatten before it"),
        (lambda: nn.Flatten("channels"), "'channels_last' or 'channels_first'; received 'channels'"),
        (lambda: nn.BatchNormalization()(np.ones(3)), r"takes inputs of shape \(batch, \.\.\., features\)"),
        (lambda: nn.BatchNormalization(axis=3)(X), r"normalises axis 3, which inputs of shape \(None, 6\) don't have"),
        (lambda: nn.BatchNormalization(axis=0)(X), "needs to know the size of axis 0"),
        (lambda: nn.BatchNormalization(momentum=1.5), "from 0 to 1; received 1.5"),
        (lambda: nn.BatchNormalization(epsilon=-1), "epsilon is a number, 0 or more; received -1"),
        (lambda: nn.BatchNormalization(renorm=True), "GroupNormalization"),
        (lambda: nn.LayerNormalization(axis="last")(X), "axis is the number of an axis, or several; received 'last'"),
        (lambda: nn.GroupNormalization(4)(X), "can't part 6 channels into 4 groups: groups=3 would fit"),
        (lambda: nn.GroupNormalization()(X), "groups=6 would fit"),
        (lambda: nn.GroupNormalization(0), "received 0"),
        (lambda: nn.Normalization(mean=1.0), "give mean and variance, or neither"),
        (lambda: nn.Normalization(mean=[1.0, 2.0], variance=[1.0, 1.0])(X), r"has a mean of shape \(2,\)"),
        (lambda: nn.Normalization(mean=1.0, variance=1.0).adapt(X), "nothing to adapt"),
        (lambda: nn.Rescaling("much"), "scale is a number or an array of numbers; received 'much'"),
        (lambda: nn.GaussianNoise(-0.1), "stddev is a number, 0 or more; received -0.1"),
        (lambda: nn.GaussianDropout(1.0), "1 excluded; received 1.0"),
        (lambda: nn.AlphaDropout(1.5), "received 1.5"),
        (lambda: nn.SpatialDropout1D(2), "SpatialDropout1D: rate is the share"),
        (
            lambda: nn.SpatialDropout2D(0.5)(X),
            r"takes inputs with 4 axes, batch and channels included",
        ),
        (lambda: nn.SpatialDropout2D(0.5, "first"), "received 'first'"),
        (lambda: nn.Dropout(0.5, noise_shape=(2, 3))(X, training=True), "noise_shape has 1 or the input's size"),
        (lambda: nn.ReLU(max_value=-1), "max_value is a number, 0 or more; received -1"),
        (lambda: nn.LeakyReLU("steep"), "negative_slope is a number; received 'steep'"),
        (lambda: nn.PReLU(shared_axes=[2])(X), r"shares axes \[2\]; inputs of shape \(None, 6\) have 1 to 1"),
        (lambda: nn.Activation("rellu"), "Did you mean 'relu'"),
        (lambda: Dense(3, activity_regularizer="l3"), "Unknown regularizer 'l3'"),
        (lambda: Dense(3, dtype="flot32"), "Dense: dtype is 'float32' or 'float64'; received 'flot32'"),
        (lambda: Dense(3, name="a/b"), "without '/'"),
        (lambda: Silent(name="s")(X), r"Layer 's' \(Silent\) gave None: its call needs a return"),
        (lambda: Dense(3).set_weights([X]), "the layer has no weights yet"),
        (lambda: Sequential([Dense(3), nn.BatchNormalization(name="b")]).get_layer("c"), "layer name 'c'"),
    ],
)
def test_wrong_numbers_and_shapes(call, text):
    with pytest.raises(ValueError, match=text) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "layer",
    [Dense(2), nn.BatchNormalization(), nn.LayerNormalization(), nn.RMSNormalization(), nn.PReLU(), nn.Normalization()],
    ids=lambda layer: layer.kind,
)
def test_a_layer_is_built_for_one_width(layer):
    layer(X)
    before = layer.get_weights()
    with pytest.raises(ValueError, match=rf"Layer '{layer.name}' \({layer.kind}.*\) was built for inputs \(…, 6\) but"):
        layer(np.ones((2, 5)))
    if layer.fixed_ndim:
        with pytest.raises(ValueError, match=r"was built for inputs with 2 axes, \(None, 6\), but got \(2, 3, 6\)"):
            layer(np.ones((2, 3, 6)))
    assert all((a == b).all() for a, b in zip(layer.get_weights(), before, strict=True))
    layer(np.ones((7, 6)))


def test_what_a_subclass_forgets():
    with pytest.raises(RuntimeError, match=r"Forgetful: its __init__ must call super\(\).__init__\(\) first"):
        Forgetful()(X)
    with pytest.raises(RuntimeError, match=r"call super\(\).__init__\(\) before add_weight"):
        Forgetful().add_weight(shape=(2,))
    with pytest.raises(NotImplementedError, match=r"Own needs a method call\(self, x\)"):
        Own(3)(X)


def test_a_second_layer_that_does_not_fit_says_which():
    class Narrow(Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(5, 2))

        def call(self, x):
            return gn.matmul(x, self.w)

    with pytest.raises(ValueError, match=r"narrow_layer: matmul\(float32\[\d+, 3\], float32\[5, 2\]\): k is 3"):
        Sequential([Input((6,)), Dense(3), Narrow(name="narrow_layer")])
