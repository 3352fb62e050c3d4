"""What a new user meets: objects that say what they are, the plan of a model, data that is not what it should be."""

import re

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn

X, Y = np.ones((24, 3), "float32"), np.ones((24, 2), "float32")
SCHEDULE = "CosineDecay(initial_learning_rate=0.1, decay_steps=10)"


def model(**options):
    made = nn.Sequential([nn.Input((3,)), nn.Dense(2, name="last")], name="net")
    made.compile("adam", "mse", **options)
    return made


@pytest.mark.parametrize(
    "made, text",
    [
        (lambda: nn.optimizers.Adam(), "Adam(learning_rate=0.001)"),
        (lambda: nn.optimizers.Adam(0.1, clipnorm=1.0), "Adam(learning_rate=0.1, clipnorm=1.0)"),
        (lambda: nn.optimizers.SGD(momentum=0.9), "SGD(learning_rate=0.01, momentum=0.9)"),
        (lambda: nn.optimizers.SGD(nn.optimizers.schedules.CosineDecay(0.1, 10)), f"SGD(learning_rate={SCHEDULE})"),
        (lambda: nn.losses.MeanSquaredError(), "MeanSquaredError()"),
        (lambda: nn.losses.Huber(2.0), "Huber(delta=2.0)"),
        (lambda: nn.metrics.AUC(name="area"), "<AUC name=area>"),
        (lambda: nn.Dense(3, name="d"), "<Dense name=d, built=False>"),
        (lambda: nn.callbacks.EarlyStopping(patience=3), "EarlyStopping(patience=3)"),
        (lambda: nn.callbacks.CSVLogger("log.csv"), "CSVLogger(filename='log.csv')"),
        (lambda: nn.callbacks.ReduceLROnPlateau(), "ReduceLROnPlateau()"),
        (lambda: nn.initializers.GlorotUniform(seed=3), "GlorotUniform(seed=3)"),
        (lambda: nn.initializers.Constant(np.ones((2, 3))), "Constant(value=<array of shape (2, 3)>)"),
        (lambda: nn.regularizers.L1L2(0.5), "L1L2(l1=0.5)"),
        (lambda: nn.constraints.MaxNorm(3), "MaxNorm(max_value=3)"),
    ],
)
def test_objects_say_what_they_are(made, text):
    assert repr(made()) == text


def test_reprs_follow_changes_and_hide_nothing_that_a_terminal_obeys():
    optimizer = nn.optimizers.Adam(0.1)
    optimizer.learning_rate = 0.05
    assert repr(optimizer) == "Adam(learning_rate=0.05)"

    class Own(nn.callbacks.Callback):
        def __init__(self, path, every=1):
            super().__init__()
            self.path, self.steps = path, every

    assert repr(Own("a\x1b[31m\nb")) == r"Own(path='a\x1b[31m\nb')"
    assert len(repr(Own("x" * 500))) < 90


def test_dir_of_a_model_is_what_users_call():
    made = model()
    made.mine = 3
    names = set(dir(made))
    assert {"fit", "predict", "summary", "plan", "layers", "mine", "save", "add_loss", "call", "__class__"} <= names
    assert not names & {"steps", "run", "ensure_built", "misfit", "fixed_axes", "predicted_spec", "classic", "walk"}
    assert not [n for n in names if n.startswith("_") and not n.startswith("__")]
    assert {"kernel", "units", "activation"} <= set(dir(nn.Dense(2)))


def test_the_plan_of_a_model_is_that_of_its_training_step():
    made = model()
    with pytest.raises(RuntimeError, match=r"'net' has not learned from a batch yet.*call fit first"):
        _ = made.plan
    made.fit(X, Y, batch_size=8, verbose=0)
    before = made.get_weights()
    plan = made.plan
    assert "last" in plan.source and made.plan is plan
    profile = plan.profile(repeat=2)
    assert sum(r.seconds for r in profile.rows) > 0 and "matmul [net/last]" in str(profile) == repr(profile)
    assert all(np.array_equal(a, b) for a, b in zip(before, made.get_weights(), strict=True))
    made.fit(X, Y, batch_size=8, epochs=5, verbose=0)
    assert made.plan is made.steps.train._plans[next(iter(made.steps.train._plans))]
    assert made.plan.graph.inputs[0].shape == (8, 3)
    made.fit(X, Y, batch_size=6, verbose=0)
    assert made.plan.graph.inputs[0].shape == (6, 3)


def test_models_without_a_plan_say_why():
    with pytest.raises(RuntimeError, match="compile"):
        _ = nn.Sequential([nn.Dense(1)]).plan
    made = model(run_eagerly=True)
    made.fit(X, Y, verbose=0)
    with pytest.raises(RuntimeError, match="run as they are written"):
        _ = made.plan


class Times(nn.Layer):
    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 3), name="kernel")

    def call(self, x):
        return x @ self.kernel


def test_a_layer_of_ones_own_that_gets_other_features_is_named_with_what_it_expects():
    layer = Times(name="mine")
    layer(np.ones((2, 4)))
    said = r"k is 5 in one input and 4 in the other\. Layer 'mine' \(Times\) was built for 4 features.* got 5, the last"
    with pytest.raises(ValueError, match=said):
        layer(np.ones((2, 5)))
    # What is wrong inside of a layer that got what it expects is told as it is.
    with pytest.raises(ValueError, match=r"in the other$"):
        nn.Lambda(lambda x: x @ np.ones((7, 2)))(np.ones((2, 5)))


def text_series(values):
    return pytest.importorskip("pandas").Series(values)


@pytest.mark.parametrize(
    "x, y, text",
    [
        ([[1, 2, 3], [1, 2]], [1, 2], r"x .* row 0 has 3, row 1 has 2\. Fill them up, as in nn\.utils\.pad_sequences"),
        ([np.ones(2), np.ones(3)], [1, 2], "row 0 has 2, row 1 has 3"),
        (np.ones((2, 3)), [[1], [2, 3]], "y .* row 0 has 1, row 1 has 2"),
        (
            np.ones((2, 3)),
            lambda: text_series(["cat", "dog"]),
            r"y .* text 'cat'\. Number the classes first: .*np\.unique",
        ),
        (np.ones((2, 3)), ["cat", "dog"], "Number the classes first"),
        (np.ones((2, 3)), lambda: text_series(["1", "2"]), r"text '1'\. Write numbers as numbers"),
        (np.array([[1, "a"], [2, "b"]], object), [1, 2], r"text 'a'\. Give texts as numbers.*get_dummies"),
        (np.ones((2, 3)), np.array(["2020-01-01", "2020-01-02"], "datetime64[D]"), "received datetime64"),
        (np.ones((2, 3)), [1 + 1j, 2], "received complex128"),
    ],
)
def test_data_that_is_none_says_what_to_do(x, y, text):
    made = nn.Sequential([nn.Input((3,)), nn.Dense(1)])
    made.compile("sgd", "mse")
    with pytest.raises(TypeError, match=re.compile(text, re.DOTALL)):
        made.fit(x, y() if callable(y) else y, verbose=0)


def test_one_row_alone_is_told_to_have_a_batch_axis():
    made = model()
    for row in (np.ones(3), [1.0, 2.0, 3.0], gn.ones(3)):
        with pytest.raises(ValueError, match=r"One row alone needs a batch axis: np.asarray\(x\)\[None\]"):
            made.predict(row)
    assert made.predict(np.ones(3)[None]).shape == (1, 2)
