"""Several inputs and outputs in `fit`, `evaluate` and `predict` of models of one's own."""

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn

rng = np.random.default_rng(0)
U, V = rng.normal(size=(24, 3)).astype("f"), rng.normal(size=(24, 2)).astype("f")
A = (U[:, :1] * 2 - V[:, 1:]).astype("f")
B = (U[:, 1] > 0).astype("f")[:, None]
C = np.abs(V).astype("f")
W, W2 = rng.uniform(0.5, 2, 24).astype("f"), rng.uniform(0.5, 2, 24).astype("f")
BCE = "binary_crossentropy"
FORMS = {
    "list": (lambda u, v: [u, v], lambda a, b, c: [a, b, c]),
    "tuple": (lambda u, v: (u, v), lambda a, b, c: (a, b, c)),
    "dict": (lambda u, v: {"u": u, "v": v}, lambda a, b, c: {"a": a, "b": b, "c": c}),
    "other order": (lambda u, v: {"v": v, "u": u}, lambda a, b, c: {"c": c, "a": a, "b": b}),
    "nested": (lambda u, v: {"x": [u, v]}, lambda a, b, c: {"n": [a, b], "z": {"c": c}}),
}

#: Keras 3.15.1 on JAX, the same weights and data
KERAS_DICT = {
    "a_loss": [6.13379, 4.1875],
    "a_mae": [1.90928, 1.53932],
    "b_accuracy": [0.58333, 0.66667],
    "b_loss": [0.67466, 0.65128],
    "c_loss": [1.00284, 0.96387],
    "c_mae": [1.00284, 0.96387],
    "c_mse": [1.29839, 1.21762],
    "loss": [7.98453, 5.972],
}


class Net(nn.Model):
    def __init__(self, form):
        super().__init__()
        self.form = form
        self.h, self.a = nn.Dense(4, activation="tanh"), nn.Dense(1)
        self.b, self.c = nn.Dense(1, activation="sigmoid"), nn.Dense(2)

    def call(self, x):
        if self.form == "nested":
            x = x["x"]
        u, v = (x["u"], x["v"]) if isinstance(x, dict) else x
        h = self.h(nn.ops.concatenate([u, v], axis=-1))
        return FORMS[self.form][1](self.a(h), self.b(h), self.c(h))


def constants(*shape):
    return (np.arange(np.prod(shape)).reshape(shape) % 5 - 2).astype("f") / 7


def net(form="dict", optimizer=None, **settings):
    """The model with the same weights always, and its x and y."""
    inputs, outputs = FORMS[form]
    model = Net(form)
    model(inputs(U[:2], V[:2]))
    model.set_weights([constants(*w.shape) for w in model.get_weights()])
    if settings.pop("compiled", True):
        settings.setdefault("loss", outputs("mse", BCE, "mae"))
        model.compile(optimizer or nn.optimizers.SGD(0.05), **settings)
    return model, inputs(U, V), outputs(A, B, C)


def fitted(model, x, y, **more):
    return model.fit(x, y, **{"epochs": 2, "batch_size": 7, "shuffle": False, "verbose": 0, **more}).history


def by_hand(weights=(1, 1, 1), sample=(None, None, None), epochs=2):
    """The sums of losses of each epoch in a loop of one's own, and the model."""
    model, _, _ = net(compiled=False)
    losses = [nn.losses.MeanSquaredError(), nn.losses.BinaryCrossentropy(), nn.losses.MeanAbsoluteError()]
    params, sums = model.trainable_weights, []
    for _ in range(epochs):
        total = 0.0
        for at in range(0, 24, 7):
            rows = slice(at, at + 7)
            out = model({"u": gn.tensor(U[rows]), "v": gn.tensor(V[rows])}, training=True)
            parts = zip(losses, (A, B, C), (out["a"], out["b"], out["c"]), weights, sample, strict=True)
            loss = sum(f(y[rows], p, None if s is None else s[rows]) * k for f, y, p, k, s in parts)
            total += float(loss) * len(U[rows])
            for p, g in zip(params, gn.gradients(loss, params), strict=True):
                p.assign(p.numpy() - 0.05 * g.numpy())
        sums.append(total / 24)
    return sums, model


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("eagerly", [False, True])
def test_training_is_that_of_a_loop_by_hand(form, eagerly):
    model, x, y = net(form, loss_weights=FORMS[form][1](1.0, 2.0, 0.5), run_eagerly=eagerly)
    want, other = by_hand((1.0, 2.0, 0.5), epochs=4)
    np.testing.assert_allclose(fitted(model, x, y, epochs=4)["loss"], want, rtol=1e-5)
    for got, right in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-4, atol=1e-6)


def test_history_of_a_dict_has_the_names_and_numbers_of_keras():
    metrics = {"a": ["mae"], "b": ["accuracy"], "c": ["mse", "mae"]}
    model, x, y = net(metrics=metrics, loss_weights={"a": 1.0, "b": 2.0, "c": 0.5})
    history = fitted(model, x, y)
    assert sorted(history) == sorted(KERAS_DICT)
    for name, want in KERAS_DICT.items():
        np.testing.assert_allclose(history[name], want, atol=2e-5)
    got = model.evaluate(x, y, verbose=0)
    np.testing.assert_allclose(got, [4.24412, 2.49922, 0.6392, 0.93298, 1.1925, 0.70833, 0.93298, 1.1585], atol=2e-5)
    assert model.metrics_names == "loss a_loss b_loss c_loss a_mae b_accuracy c_mae c_mse".split()


def test_history_of_a_list_has_the_names_and_numbers_of_keras():
    model, x, y = net("list", metrics=[["mae"], ["accuracy"], ["mse", "mae"]])
    history = fitted(model, x, y)
    want = {
        "accuracy": [0.58333, 0.66667],
        "binary_crossentropy_loss": [0.67426, 0.65438],
        "loss": [7.80501, 5.76081],
        "mae": [1.9113, 1.54627],
        "mae_1": [0.98517, 0.89216],
        "mae_loss": [0.98517, 0.89216],
        "mse": [1.26496, 1.08704],
        "mse_loss": [6.14558, 4.21427],
    }
    assert sorted(history) == sorted(want)
    for name, numbers in want.items():
        np.testing.assert_allclose(history[name], numbers, atol=2e-5)


def test_one_sample_weight_for_all_outputs_and_one_for_each():
    want, _ = by_hand(sample=(W, W, W))
    model, x, y = net(weighted_metrics={"a": ["mae"]})
    np.testing.assert_allclose(fitted(model, x, y, sample_weight=W)["loss"], want, rtol=1e-5)
    got = model.evaluate(x, y, sample_weight={"a": W, "b": W2, "c": W}, verbose=0, return_dict=True)
    error = np.abs(model.predict(x)["a"] - A)[:, 0]
    np.testing.assert_allclose(got["a_mae"], (error * W).sum() / W.sum(), rtol=1e-5)
    want, _ = by_hand(sample=(W, None, W2))
    model, x, y = net("list")
    np.testing.assert_allclose(fitted(model, x, y, sample_weight=[W, None, W2])["loss"], want, rtol=1e-5)


def test_validation_split_and_data():
    model, x, y = net()
    history = fitted(model, x, y, validation_split=0.25)
    other, _, _ = net()
    first, last = [{k: v[part] for k, v in {**x, **y}.items()} for part in (slice(18), slice(18, None))]
    apart = [({k: d[k] for k in x}, {k: d[k] for k in y}) for d in (first, last)]
    again = fitted(other, *apart[0], validation_data=apart[1])
    assert history == again and {"val_loss", "val_a_loss", "val_c_loss"} <= set(history)
    found = model.evaluate(*apart[1], verbose=0, return_dict=True)
    np.testing.assert_allclose([v[-1] for k, v in history.items() if k == "val_b_loss"], found["b_loss"], rtol=1e-5)


class Numbered(nn.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        rows = slice(7 * i, 7 * i + 7)
        return (
            {"u": U[rows], "v": V[rows]},
            {"a": A[rows], "b": B[rows], "c": C[rows]},
            {"a": W[rows], "b": W[rows], "c": W[rows]},
        )


def test_generators_and_numbered_batches():
    want, _ = by_hand(sample=(W, W, W))
    np.testing.assert_allclose(fitted(net()[0], Numbered(), None, batch_size=None)["loss"], want, rtol=1e-5)
    batches = (batch for _ in range(2) for batch in Numbered())
    history = fitted(net()[0], batches, None, batch_size=None, steps_per_epoch=4)
    np.testing.assert_allclose(history["loss"], want, rtol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_predict_gives_the_containers_of_call(form):
    model, x, _ = net(form)
    whole = model(x)
    for found in (model.predict(x, batch_size=5), model.predict_on_batch(x), model.predict(x, batch_size=2)):
        assert type(found) is type(whole)
        for got, want in zip(leaves(found), leaves(whole), strict=True):
            assert isinstance(got, np.ndarray)
            np.testing.assert_allclose(got, want.numpy(), rtol=1e-5, atol=1e-6)


def leaves(value):
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else None
    return [value] if parts is None else [leaf for part in parts for leaf in leaves(part)]


def test_batches_one_by_one():
    model, x, y = net()
    before = model.evaluate(x, y, verbose=0, return_dict=True)
    assert model.test_on_batch(x, y, return_dict=True) == pytest.approx(before, rel=1e-5)
    assert model.train_on_batch(x, y, return_dict=True) == pytest.approx(before, rel=1e-5)
    assert model.evaluate(x, y, verbose=0, return_dict=True)["loss"] < before["loss"]


def test_a_loss_of_ones_own_that_gets_the_containers():
    class Own(Net):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return gn.mean(gn.square(y["a"] - y_pred["a"])) + 3 * gn.mean(gn.abs(y["c"] - y_pred["c"]))

    model = Own("dict")
    x, y = {"u": U, "v": V}, {"a": A, "c": C}
    model.compile(nn.optimizers.SGD(0.05))
    p = model.predict(x)
    want = np.mean((A - p["a"]) ** 2) + 3 * np.mean(np.abs(C - p["c"]))
    assert model.evaluate(x, y, verbose=0) == pytest.approx(want, rel=1e-5)
    assert fitted(model, x, y, epochs=8)["loss"][-1] < want


def test_outputs_without_a_loss_need_no_targets():
    model, x, y = net(loss={"a": "mse", "c": "mae"})
    del y["b"]
    want, _ = by_hand((1.0, 0.0, 1.0))
    np.testing.assert_allclose(fitted(model, x, y)["loss"], want, rtol=1e-5)


@pytest.mark.parametrize("ending", [".keras", ".graphnet"])
def test_compile_is_saved(ending, tmp_path):
    nn.register_keras_serializable("several")(Saved)
    model = Saved()
    model.compile("sgd", {"a": "mse", "b": "mae"}, loss_weights={"a": 1.0, "b": 0.5}, metrics={"b": ["mse"]})
    y = {"a": A, "b": B}
    model.fit(U, y, verbose=0)
    model.save(tmp_path / f"m{ending}")
    again = nn.load_model(tmp_path / f"m{ending}")
    assert again.evaluate(U, y, verbose=0, return_dict=True) == model.evaluate(U, y, verbose=0, return_dict=True)


class Saved(nn.Model):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.a, self.b = nn.Dense(1), nn.Dense(1)

    def call(self, x):
        return {"a": self.a(x), "b": self.b(x)}


@pytest.mark.parametrize(
    ("form", "settings", "data", "kind", "text"),
    [
        ("dict", {}, {"y": {"a": A, "bb": B, "c": C}}, ValueError, "y has the key 'bb', .* Did you mean 'b'"),
        ("dict", {}, {"y": {"a": A, "c": C}}, ValueError, "y has no 'b'"),
        ("dict", {}, {"y": [A, B]}, ValueError, "y is a list of 2, for 3 outputs"),
        ("list", {}, {"y": A}, TypeError, r"y is one array of shape \(24, 1\), for 3 outputs"),
        ("list", {}, {"y": {"a": A, "b": B, "c": C}}, TypeError, "the outputs have no names"),
        ("list", {}, {"y": [A, B[:3], C]}, ValueError, r"x\[0\] has 24 rows, y\[1\] has 3"),
        ("list", {}, {"x": [U, V[:5]]}, ValueError, "5"),
        ("list", {"loss": ["mse", BCE]}, {}, ValueError, "loss is a list of 2, for 3 outputs"),
        ("dict", {"loss": {"a": "mse", "q": "mse"}}, {}, ValueError, "loss has the key 'q', which no output has"),
        ("dict", {"metrics": {"q": ["mae"]}}, {}, ValueError, "metrics has the key 'q'"),
        ("dict", {"loss_weights": {"q": 1.0}}, {}, ValueError, "loss_weights has the key 'q'"),
        ("dict", {}, {"sample_weight": {"q": W}}, ValueError, "sample_weight is a dict with the keys 'q'"),
        ("dict", {}, {"class_weight": {0: 1.0}}, ValueError, "class_weight is for one array of targets"),
        ("list", {}, {"x": [U * np.nan, V]}, ValueError, r"x\[0\] holds .* NaN"),
        ("dict", {}, {"y": {"a": A, "b": B + 3, "c": C}}, ValueError, "output 'b'"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_changes(form, settings, data, kind, text):
    model, x, y = net(form, **settings)
    before = model.get_weights()
    with pytest.raises(kind, match=text):
        fitted(model, **{"x": x, "y": y, **data})
    assert all((w == b).all() for w, b in zip(model.get_weights(), before, strict=True))


def test_no_loss_at_all():
    model, x, y = net(loss=None)
    with pytest.raises(ValueError, match="has no loss: give compile one"):
        fitted(model, x, y)
