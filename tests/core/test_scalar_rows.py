"""Rows that are single numbers, `Input(())` and columns of rank 1, `Normalization(axis=None)`; values are Keras'."""

import numpy as np
import pytest

from graphnet import nn


def scalars(*layers, **kwargs):
    return nn.Sequential([nn.Input((), **kwargs), *layers])


@pytest.mark.parametrize(
    "layers, shape",
    [
        ([nn.Reshape((1,)), nn.Dense(3)], (None, 3)),
        ([nn.Flatten(), nn.Dense(2)], (None, 2)),
        ([nn.Embedding(5, 3)], (None, 3)),
        ([nn.Rescaling(2.0)], (None,)),
        ([nn.Lambda(lambda x: x[:, None])], (None, 1)),
    ],
    ids=["reshape", "flatten", "embedding", "rescaling", "lambda"],
)
def test_a_row_may_be_one_number(layers, shape):
    model = scalars(*layers)
    assert model.input_shape == (None,) and model.output_shape == shape
    assert model.predict(np.arange(4.0), verbose=0).shape == (4, *shape[1:])


@pytest.mark.parametrize("ending", ["keras", "graphnet"])
def test_such_a_model_trains_saves_loads(ending, tmp_path):
    model = scalars(nn.Reshape((1,)), nn.Dense(1))
    model.compile(nn.optimizers.Adam(0.1), "mse")
    x = np.linspace(-1, 1, 64)
    assert model.fit(x, 2 * x, epochs=30, verbose=0, validation_split=0.25).history["loss"][-1] < 0.05
    model.save(tmp_path / f"m.{ending}")
    again = nn.load_model(tmp_path / f"m.{ending}")
    assert again.input_shape == (None,)
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert nn.model_from_json(model.to_json()).output_shape == nn.clone_model(model).output_shape == (None, 1)


def test_other_ranks_are_refused_with_both_shapes():
    model = scalars(nn.Rescaling(2.0))
    np.testing.assert_array_equal(model.predict(np.ones((3, 1)), verbose=0), [2, 2, 2])  # as in Keras
    with pytest.raises(ValueError, match=r"inputs \(None,\) but got \(4, 2\): the model's Input is \(None,\)"):
        model.predict(np.ones((4, 2)), verbose=0)
    with pytest.raises(ValueError, match=r"it got \(None,\): add an axis"):
        scalars(nn.Dense(2))


@pytest.mark.parametrize("shape", [(6,), (6, 1), (2, 3), (2, 3, 1)])
def test_all_numbers_together_have_one_mean_in_every_rank(shape):
    layer = nn.Normalization(axis=None)
    layer.adapt(np.arange(6.0).reshape(shape))
    assert layer.mean.shape == layer.variance.shape == ()
    np.testing.assert_allclose([layer.mean.item(), layer.variance.item()], [2.5, 35 / 12], rtol=1e-6)
    for x in (3.0, [3.0], [[3.0, 3.0]], np.full((1, 2, 3), 3.0)):
        np.testing.assert_allclose(layer(x).numpy(), np.full(np.shape(x), 0.29277), rtol=1e-5)


def test_batches_of_rank_1():
    layer = nn.Normalization(axis=None)
    layer.adapt(np.arange(3.0) + 3 * i for i in range(2))
    np.testing.assert_allclose([layer.mean.item(), layer.variance.item()], [2.5, 35 / 12], rtol=1e-6)


def test_a_column_of_a_table_is_one_feature():
    pd = pytest.importorskip("pandas")
    column = pd.Series(np.arange(100.0))
    layer = nn.Normalization(input_shape=[1], axis=None)
    layer.adapt(column)
    model = nn.Sequential([layer, nn.Dense(1)])
    model.compile(nn.optimizers.Adam(0.1), "mae")
    model.fit(column, 3 * column + 1, epochs=1, verbose=0, validation_split=0.2)
    assert model.predict(column[:10], verbose=0).shape == (10, 1)
    assert model.predict(np.linspace(0, 1, 5), verbose=0).shape == (5, 1)


@pytest.mark.parametrize("make", [lambda m: m.build((None, 1)), lambda m: m(np.ones((2, 1)))], ids=["build", "call"])
def test_a_model_without_input_takes_a_column_of_rank_1(make):
    model = nn.Sequential([nn.Dense(2)])
    make(model)
    np.testing.assert_array_equal(model(np.arange(3.0)).numpy(), model(np.arange(3.0)[:, None]).numpy())


def test_texts_as_weights_are_named_as_weights():
    model = nn.Sequential([nn.Input((2,)), nn.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match=r"sample_weight is an array of numbers; received text. A weight is a number"):
        model.fit(np.ones((3, 2)), np.ones(3), sample_weight=np.array(["a", "b", "c"]), verbose=0)
    with pytest.raises(TypeError, match=r"received text. Write numbers as numbers, as in sample_weight.astype"):
        model.fit(np.ones((3, 2)), np.ones(3), sample_weight=np.array(["1", "2", "3"]), verbose=0)


@pytest.mark.parametrize("constant", [[0.7] * 10, [1e10] * 10, [0.1] * 10])
def test_the_correlation_with_a_constant_is_0(constant):
    other = np.arange(10.0)
    for pair in ((constant, other), (other, constant), (constant, constant)):
        value = nn.metrics.pearson_correlation(*(np.float32([v]) for v in pair))
        assert value.numpy() == [0.0]
