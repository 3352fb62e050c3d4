"""Mistakes that users make: the error names the layer and the way out, and the model is as it was."""

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.nn import Dense, Dropout, Flatten, Input, Layer, Sequential

X, LABELS = np.ones((6, 4)), np.arange(6) % 3
ONE_HOT = np.eye(3)[LABELS]


def model(loss="sparse_categorical_crossentropy", **options):
    made = Sequential([Input((4,)), Dense(5, activation="relu", name="hidden"), Dense(3, activation="softmax")])
    made.compile("sgd", loss, **options)
    return made


def with_bad(array, value):
    array = np.array(array, float)
    array[2, 1] = value
    return array


MISTAKES = {
    "labels for one-hot": (
        lambda m: m.fit(X, LABELS, verbose=0),
        "categorical_crossentropy",
        ValueError,
        r"needs one-hot y of shape \(6, 3\); got int labels of shape \(6,\)\. Use loss='sparse_categorical_"
        r"crossentropy', or y = gn\.nn\.to_categorical\(y, 3\)",
    ),
    "one-hot for labels": (
        lambda m: m.fit(X, ONE_HOT, verbose=0),
        "sparse_categorical_crossentropy",
        ValueError,
        r"needs integer labels of shape \(6,\); got targets of shape \(6, 3\)\. Use loss='categorical_crossentropy'",
    ),
    "labels out of range": (
        lambda m: m.fit(X, LABELS + 1, verbose=0),
        "sparse_categorical_crossentropy",
        ValueError,
        "labels from 0 to 2.*the targets go from 1 to 3.*4 units.*return_inverse",
    ),
    "labels that are not whole": (
        lambda m: m.fit(X, LABELS + 0.5, verbose=0),
        "sparse_categorical_crossentropy",
        ValueError,
        "integer labels; the targets hold 0.5",
    ),
    "targets of another width": (
        lambda m: m.fit(X, np.ones((6, 4)), verbose=0),
        "mse",
        ValueError,
        r"the model gives \(6, 3\), the targets are \(6, 4\).*4 units",
    ),
    "labels beyond 0 and 1": (
        lambda m: m.fit(X, 2 * ONE_HOT, verbose=0),
        "binary_crossentropy",
        ValueError,
        "targets from 0 to 1; these go from 0 to 2",
    ),
    "wrong width": (
        lambda m: m.fit(np.ones((6, 5)), LABELS, verbose=0),
        None,
        ValueError,
        r"Layer 0 'hidden' \(Dense\(5\)\) was built for inputs \(…, 4\) but got \(6, 5\): "
        r"the model's Input is \(None, 4\)",
    ),
    "one row without a batch": (lambda m: m.predict(np.ones(4)), None, ValueError, r"np.asarray\(x\)\[None\]"),
    "images not flattened": (lambda m: m.predict(np.ones((6, 2, 2))), None, ValueError, r"x\.reshape\(len\(x\), -1\)"),
    "different numbers of rows": (lambda m: m.fit(X, LABELS[:5], verbose=0), None, ValueError, "x has 6 rows, y has 5"),
    "weights of another length": (
        lambda m: m.fit(X, LABELS, sample_weight=np.ones(3), verbose=0),
        None,
        ValueError,
        "x has 6 rows, sample_weight has 3",
    ),
    "no rows": (lambda m: m.fit(X[:0], LABELS[:0], verbose=0), None, ValueError, r"no rows \(its shape is \(0, 4\)\)"),
    "no rows to evaluate": (lambda m: m.evaluate(X[:0], LABELS[:0]), None, ValueError, "no rows"),
    "NaN in x": (
        lambda m: m.fit(with_bad(X, np.nan), LABELS, verbose=0),
        None,
        ValueError,
        r"x holds 1 value that is NaN or infinite, the first at x\[2, 1\]: it is nan\. .*nan_to_num",
    ),
    "infinity in x": (lambda m: m.train_on_batch(with_bad(X, np.inf), LABELS), None, ValueError, "it is inf"),
    "NaN in y": (lambda m: m.fit(X, with_bad(ONE_HOT, np.nan), verbose=0), None, ValueError, r"at y\[2, 1\]"),
    "NaN in validation data": (
        lambda m: m.fit(X, LABELS, validation_data=(with_bad(X, np.nan), LABELS), verbose=0),
        None,
        ValueError,
        "validation x holds",
    ),
    "bad validation targets": (
        lambda m: m.fit(X, LABELS, validation_data=(X, LABELS + 5), verbose=0),
        None,
        ValueError,
        "labels from 0 to 2",
    ),
    "validation data is not a pair": (
        lambda m: m.fit(X, LABELS, validation_data=X, verbose=0),
        None,
        ValueError,
        r"\(x, y\)",
    ),
    "text in x": (
        lambda m: m.fit([["a", "b"]], [0], verbose=0),
        None,
        TypeError,
        "x is an array of numbers; received text",
    ),
    "text labels": (lambda m: m.fit(X, list("abcabc"), verbose=0), None, TypeError, r"return_inverse=True"),
    "ragged rows": (lambda m: m.fit([[1.0], [1.0, 2.0]], [0, 1], verbose=0), None, TypeError, "rows of one length"),
    "objects": (lambda m: m.fit([[object()] * 4], [0], verbose=0), None, TypeError, "objects"),
    "missing values": (
        lambda m: m.fit([[None, 1, 1, 1]], [0], verbose=0),
        None,
        ValueError,
        r"at x\[0, 0\]: it is None",
    ),
    "one number": (lambda m: m.predict(3.0), None, TypeError, "single number"),
    "no targets": (lambda m: m.fit(X, verbose=0), None, ValueError, "targets are missing"),
    "bad batch size": (
        lambda m: m.fit(X, LABELS, batch_size=0, verbose=0),
        None,
        ValueError,
        "batch_size is a whole number",
    ),
    "bad epochs": (lambda m: m.fit(X, LABELS, epochs=1.5, verbose=0), None, ValueError, "epochs is a whole number"),
    "bad shuffle": (
        lambda m: m.fit(X, LABELS, shuffle="yes", verbose=0),
        None,
        ValueError,
        "shuffle is True, False or",
    ),
    "bad verbose": (lambda m: m.fit(X, LABELS, verbose=7), None, ValueError, "verbose is 0"),
    "bad split": (lambda m: m.fit(X, LABELS, validation_split=1.5, verbose=0), None, ValueError, "between 0 and 1"),
    "bad class weights": (lambda m: m.fit(X, LABELS, class_weight=[1, 2], verbose=0), None, TypeError, "a dict"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_say_what_is_wrong_and_change_nothing(mistake):
    call, loss, kind, text = MISTAKES[mistake]
    made = model(loss or "sparse_categorical_crossentropy")
    before, count = [w.tobytes() for w in made.get_weights()], int(made.optimizer.iterations.numpy())
    with pytest.raises(kind, match=text) as caught:
        call(made)
    assert "\n" not in str(caught.value)
    assert [w.tobytes() for w in made.get_weights()] == before and int(made.optimizer.iterations.numpy()) == count
    made.fit(X, LABELS if "sparse" in str(made.loss.name) else ONE_HOT, verbose=0)


def test_a_failed_fit_leaves_an_unbuilt_model_unbuilt():
    made = Sequential([Dense(5), Dense(3, activation="softmax")])
    made.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="labels from 0 to 2"):
        made.fit(X, LABELS + 7, verbose=0)
    assert not made.built and made.weights == [] and not made.layers[0].built
    made.fit(np.ones((6, 9)), LABELS, verbose=0)
    assert made.layers[0].kernel.shape == (9, 5)


def test_not_compiled():
    made = Sequential([Input((4,)), Dense(3)])
    for call in (made.fit, made.evaluate, made.train_on_batch):
        with pytest.raises(RuntimeError, match=r"call compile\(optimizer, loss, metrics\) first"):
            call(X, LABELS)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: model("categorical_crossentropyy"),
            "Unknown loss 'categorical_crossentropyy'. Did you mean 'categorical_cr",
        ),
        (lambda: nn.optimizers.get("adm"), "Unknown optimizer 'adm'. Did you mean 'adam'"),
        (lambda: model(metrics=["acuracy"]), "Unknown metric 'acuracy'. Did you mean 'accuracy'"),
        (lambda: Dense(1, activation="sigmiod"), "Unknown activation 'sigmiod'. Did you mean 'sigmoid'"),
        (lambda: Dense(1, kernel_initializer="xavir"), "Unknown initializer 'xavir'. Did you mean 'xavier'"),
        (lambda: Dense(1, kernel_regularizer="laso"), "Unknown regularizer 'laso'. Did you mean 'lasso'"),
        (lambda: model("qqqq"), "Unknown loss 'qqqq'. Known: "),
        (lambda: model().get_layer("hiden"), "Unknown layer name 'hiden'. Did you mean 'hidden'"),
        (lambda: model(metrics=["mse", "mse"]), "two metrics are named 'mse'"),
        (lambda: Dense(0), "units is a whole number, 1 or more; received 0"),
        (lambda: Dense(2.5), "received 2.5"),
        (lambda: Dropout(1.5), "from 0 to 1; received 1.5"),
        (lambda: Input(None), r"Input\(\(64,\)\)"),
        (lambda: Input((0,)), "received"),
        (lambda: Sequential().pop(), "has no layers"),
        (lambda: Sequential().predict(X), "has no layers"),
        (lambda: Sequential([Dense(1), Input((2,))]), "an Input comes first"),
        (lambda: Sequential([Dense(1)]).build((None, None)), "received"),
        (lambda: Dense(1)(np.ones(3)), r"x\[:, None\]"),
        (lambda: nn.layers.table.get({"class_name": "Dence", "config": {}}), "Did you mean 'dense'"),
        (lambda: nn.regularizers.L2(-1.0), "0 or more"),
        (lambda: nn.losses.MeanSquaredError(reduction="avg"), "a reduction is one of"),
        (lambda: nn.losses.BinaryCrossentropy(label_smoothing=2), "from 0 to 1"),
        (
            lambda: nn.losses.MeanSquaredError()(np.ones((2, 1)), np.ones((2, 1)), np.ones((3,))),
            "sample_weight has shape",
        ),
    ],
)
def test_bad_words_and_numbers(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_wrong_kinds():
    with pytest.raises(TypeError, match=r"write Dense\(...\)"):
        Sequential([Dense])
    with pytest.raises(TypeError, match="made of layers; received 'dense'"):
        Sequential(["dense"])
    with pytest.raises(TypeError, match="an optimizer is one of the words"):
        model().compile(optimizer=print)
    with pytest.raises(TypeError, match="a loss is one of the words"):
        model(3)


def test_an_error_inside_a_layer_names_it():
    class Wrong(Layer):
        def call(self, x):
            return gn.matmul(x, np.ones((9, 2), "f"))

    net = Sequential([Dense(3), Wrong(name="mine")], name="net")
    with pytest.raises(ValueError, match=r"net/mine: matmul\(float32\[\d+, 3\], float32\[9, 2\]\): k is 3 .* and 9"):
        net(np.ones((2, 4)))


def test_a_layer_used_again_with_another_width():
    layer = Dense(2, name="again")
    layer(np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"'again' \(Dense\(2\)\) was built for inputs \(…, 4\) but got \(3, 5\)"):
        layer(np.ones((3, 5)))


def test_nothing_to_learn():
    net = Sequential([Input((2, 2)), Flatten()])
    net.compile("sgd", "mse")
    with pytest.raises(ValueError, match="no weights that learn"):
        net.fit(np.ones((2, 2, 2)), np.ones((2, 4)), verbose=0)


def forgotten(y_true, y_pred):
    gn.abs(y_true - y_pred)


@pytest.mark.parametrize("given", [{"loss": forgotten}, {"loss": "mse", "metrics": [forgotten]}])
def test_a_function_without_a_return_is_named(given):
    model = nn.Sequential([nn.Input((2,)), nn.Dense(1)])
    model.compile("sgd", **given)
    with pytest.raises(TypeError, match="'forgotten': its function returned None"):
        model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)


@pytest.mark.parametrize("width", [3, 32, 33, 100])
def test_one_row_alone_gets_its_hint_however_long_it_is(width):
    model = nn.Sequential([nn.Input((width,)), nn.Dense(2)])
    with pytest.raises(ValueError, match=r"needs a batch axis: np.asarray\(x\)\[None\]"):
        model.predict(np.ones(width), verbose=0)
    assert model.predict(np.ones((1, width)), verbose=0).shape == (1, 2)


def test_a_layer_that_gives_an_array_is_named():
    class Lost(nn.Layer):
        def call(self, x):
            return x.numpy() if not x.is_symbolic else np.zeros((1, 2))

    with pytest.raises(ValueError, match="ndarray, which is no tensor"):
        nn.Sequential([nn.Input((2,)), Lost()])(np.ones((3, 2)))


def test_weights_among_the_places_of_arguments_say_what_to_write():
    w = gn.Parameter(np.ones(300))
    for derivative in (gn.jacobian, gn.hessian):
        with pytest.raises(TypeError, match="make the weights an argument") as found:
            derivative(lambda v: (w * v).sum(), [w])(np.ones(300))
        assert len(str(found.value)) < 300
