"""Models of a user's own class: built, shown, saved, loaded, cloned."""

import warnings

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn

RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 4)).astype("float32")
Y = (X[:, 0] > 0).astype(int)


@nn.register_serializable("own_models")
class Net(nn.Model):
    def __init__(self, units=8, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.first, self.drop, self.last = nn.Dense(units, "relu"), nn.Dropout(0.2), nn.Dense(2, "softmax")

    def call(self, inputs, training=False):
        return self.last(self.drop(self.first(inputs), training=training))


@nn.register_serializable("own_models")
class Nested(nn.Model):
    """Layers in lists and dicts, a model inside, a weight of its own, no argument at all."""

    def __init__(self):
        super().__init__()
        self.blocks = [nn.Dense(5, "tanh"), [nn.Dense(4), nn.BatchNormalization()]]
        self.heads = {"a": nn.Dense(1), "b": nn.Dense(1)}
        self.inner = nn.Sequential([nn.Dense(3)])
        self.net = Net(3)
        self.shift = self.add_weight(shape=(1,), initializer="ones", name="shift")

    def call(self, x, training=False):
        for layer in (self.blocks[0], *self.blocks[1]):
            x = layer(x, training=training) if isinstance(layer, nn.BatchNormalization) else layer(x)
        x = self.net(self.inner(x))
        return self.heads["a"](x) + self.heads["b"](x) * self.shift


@nn.register_serializable("own_models")
class Wrapping(nn.Model):
    """Made from layers that are handed over."""

    def __init__(self, body, head=None, **kwargs):
        super().__init__(**kwargs)
        self.body, self.head = body, head

    def call(self, x):
        return self.head(self.body(x)) if self.head is not None else self.body(x)


@nn.register_serializable("own_models")
class Chain(nn.Sequential):
    def train_step(self, data):
        return {**super().train_step(data), "own": 1.0}


@nn.register_serializable("own_models")
class Pair(nn.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = nn.Dense(2)

    def call(self, inputs):
        a, b = inputs
        return self.dense(a) + self.dense(b)


MAKE = {
    "net": lambda: Net(6, name="my_net"),
    "nested": Nested,
    "wrapping": lambda: Wrapping(nn.Sequential([nn.Dense(3, activation=nn.LeakyReLU(0.5))]), nn.Dense(2)),
    "chain": lambda: Chain([nn.Dense(3), nn.Dense(1)]),
}


def trained(name):
    model = MAKE[name]()
    loss = "sparse_categorical_crossentropy" if name == "net" else "mse"
    model.compile("adam", loss, metrics=["accuracy"] if name == "net" else None)
    model.fit(X, Y if name == "net" else X[:, : 2 if name == "wrapping" else 1], epochs=3, verbose=0)
    return model


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("ending", [".keras", ".graphnet"])
def test_saved_and_loaded(name, ending, tmp_path):
    if ending == ".keras":
        pytest.importorskip("h5py")
    model = trained(name)
    model.save(tmp_path / f"m{ending}")
    again = nn.load_model(tmp_path / f"m{ending}")
    assert type(again) is type(model) and again.name == model.name and again.built_shape == model.built_shape
    assert np.array_equal(again.predict(X), model.predict(X))
    targets = Y if name == "net" else X[:, : 2 if name == "wrapping" else 1]
    assert again.evaluate(X, targets, verbose=0) == pytest.approx(model.evaluate(X, targets, verbose=0))
    assert int(again.optimizer.iterations.numpy()) == 3
    for one in (model, again):  # training goes on as if it had not stopped
        one.fit(X, targets, epochs=2, shuffle=False, verbose=0)
    assert np.allclose(again.predict(X), model.predict(X), atol=1e-6)


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("ending", [".weights.h5", ".safetensors", ".npz"])
def test_weights_into_another_instance(name, ending, tmp_path):
    if ending == ".weights.h5":
        pytest.importorskip("h5py")
    model = trained(name)
    model.save_weights(tmp_path / f"w{ending}")
    other = MAKE[name]()
    with pytest.raises(ValueError, match=r"has no weights yet: call build"):
        other.load_weights(tmp_path / f"w{ending}")
    other.build((None, 4))
    other.load_weights(tmp_path / f"w{ending}")
    assert np.array_equal(other.predict(X), model.predict(X))


@pytest.mark.parametrize("name", MAKE)
def test_cloned_and_shown(name):
    model = trained(name)
    other = nn.clone_model(model)
    assert type(other) is type(model) and other.built and not other.compiled and other is not model
    assert not {id(w) for w in other.weights} & {id(w) for w in model.weights}
    other.set_weights(model.get_weights())
    assert np.array_equal(other.predict(X), model.predict(X))
    text = str(model.summary(print_fn=lambda text: None))
    assert all(layer.name[:20] in text for layer in model.layers)
    assert f"{model.count_params():,}" in text
    assert model.get_layer(index=0) is model.layers[0] is model.get_layer(model.layers[0].name)
    assert len(model.graph(2).nodes) > 3 and "<svg" in model.draw().svg
    with pytest.raises(ValueError, match="layer name 'nothing'"):
        model.get_layer("nothing")


def test_build_by_shapes():
    model = Net()
    assert model.weights == [] and "unbuilt" in str(model.summary(print_fn=lambda text: None))
    model.build((None, 4))
    assert model.built and model.built_shape == (None, 4) and model.output_shape == (None, 2)
    assert [w.shape for w in model.weights] == [(4, 8), (8,), (8, 2), (2,)]
    pair = Pair()
    pair.build([(None, 4), (None, 4)])
    assert pair.count_params() == 10 and pair([X, X]).shape == (32, 2)
    assert len(pair.graph(3).inputs) == 2

    class Lengths(nn.Model):
        def __init__(self):
            super().__init__()
            self.conv, self.pool = nn.Conv1D(3, 20), nn.GlobalMaxPooling1D()

        def call(self, x):
            return self.pool(self.conv(x))

    free = Lengths()
    free.build((None, None, 2))
    assert free.output_shape == (None, 3) and free.conv.output_shape == (None, None, 3)
    with pytest.raises(ValueError, match="build needs the shape"):
        Net().build()
    with pytest.raises(ValueError, match="takes inputs of shape"):
        Net().build((None,))


def test_files_of_what_is_not_built_or_not_known(tmp_path):
    with pytest.warns(UserWarning, match="saved without weights"):
        Net().save(tmp_path / "m.graphnet")
    assert not nn.load_model(tmp_path / "m.graphnet").built

    class Unknown(nn.Model):
        def __init__(self):
            super().__init__()
            self.dense = nn.Dense(1)

        def call(self, x):
            return self.dense(x)

    model = Unknown()
    model(X)
    model.save(tmp_path / "u.graphnet")
    with pytest.raises(ValueError, match=r"custom_objects=\{'Unknown': Unknown\}"):
        nn.load_model(tmp_path / "u.graphnet")
    again = nn.load_model(tmp_path / "u.graphnet", custom_objects={"Unknown": Unknown})
    assert np.array_equal(again.predict(X), model.predict(X))
    with pytest.raises(ValueError, match="clone_function goes with a Sequential"):
        nn.clone_model(model, lambda layer: layer)


@nn.register_serializable("own_models")
class Gan(nn.Model):
    def __init__(self):
        super().__init__()
        self.d = nn.Dense(1)

    def call(self, x):
        return self.d(x)

    def compile(self, d_optimizer):
        super().compile(loss="mse")
        self.d_optimizer = d_optimizer


def test_a_compile_of_its_own(tmp_path):
    model = Gan()
    model.compile(nn.optimizers.Adam())
    model(X)
    model.save(tmp_path / "m.graphnet")
    with pytest.warns(UserWarning, match="takes other arguments"):
        again = nn.load_model(tmp_path / "m.graphnet")
    assert not again.compiled and np.array_equal(again.predict(X), model.predict(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn.load_model(tmp_path / "m.graphnet", compile=False)


def test_a_checkpoint_of_ones_own_model(tmp_path):
    model = Net()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, verbose=0, callbacks=[nn.callbacks.ModelCheckpoint(tmp_path / "c.graphnet")])
    assert np.array_equal(nn.load_model(tmp_path / "c.graphnet").predict(X), model.predict(X))
    assert isinstance(nn.model_from_json(model.to_json()), Net)
    assert gn.nn.clone_model(Net()).built is False
