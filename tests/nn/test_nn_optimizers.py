"""Optimizers: Keras' numbers after three steps, clipping, decay, state."""

import numpy as np
import pytest

import graphnet as gn
from graphnet.nn import Dense, Input, Sequential, optimizers, regularizers


def walk(optimizer, steps=3, start=(1.0, -2.0)):
    """w after each step, with the gradients t * [0.5, -0.1]."""
    w = gn.Parameter(np.array(start, "float32"), name="w")
    optimizer.build([w])
    path = []
    for t in range(1, steps + 1):
        g = gn.tensor(np.array([0.5, -0.1], "float32") * t)
        optimizer.apply([g])
        path.append(float(w.numpy()[0]))
        assert w.dtype == np.float32
    return path


@pytest.mark.parametrize(
    ("optimizer", "path"),
    [
        (optimizers.Adam(), [0.9990000, 0.9980348, 0.9970768]),
        (optimizers.SGD(0.1), [0.95, 0.85, 0.70]),
        (optimizers.SGD(0.1, momentum=0.9), [0.95, 0.805, 0.5245]),
        (optimizers.SGD(0.1, momentum=0.9, nesterov=True), [0.905, 0.6745, 0.27205]),
        (optimizers.RMSprop(), [0.9968377, 0.9939806, 0.9913899]),
        (optimizers.AdamW(), [0.9989960, 0.9980268, 0.9970648]),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, optimizers.Optimizer) else "",
)
def test_three_steps_as_keras(optimizer, path):
    assert walk(optimizer) == pytest.approx(path, abs=2e-7)


def test_centered_rmsprop_and_amsgrad():
    assert walk(optimizers.RMSprop(centered=True))[0] == pytest.approx(0.9966667, abs=2e-7)
    plain, ams = walk(optimizers.Adam()), walk(optimizers.Adam(amsgrad=True))
    assert ams == pytest.approx(plain, abs=1e-7)
    with_momentum = walk(optimizers.RMSprop(momentum=0.9))
    first, second = 1 - 0.9968377, 0.9968377 - 0.9939806
    assert with_momentum[1] == pytest.approx(1 - first - (0.9 * first + second), abs=4e-7)


def test_weight_decay_comes_before_the_update_and_takes_all():
    model = Sequential([Input((1,)), Dense(1, kernel_initializer="ones", bias_initializer="ones")])
    model.compile(optimizers.SGD(0.1, weight_decay=0.5), lambda y, p: gn.mean(p * 0.0, axis=-1))
    model.train_on_batch([[1.0]], [[0.0]])
    assert [float(w[0].ravel()[0] if w.ndim > 1 else w[0]) for w in model.get_weights()] == pytest.approx([0.95, 0.95])


def clipped(grads, **limits):
    optimizer = optimizers.SGD(1.0, **limits)
    params = [gn.Parameter(np.zeros_like(g), dtype="float32") for g in grads]
    optimizer.build(params)
    optimizer.apply([gn.tensor(g) for g in grads])
    return [p.numpy().tolist() for p in params]


def test_clipping():
    grads = [np.array([3.0], "f"), np.array([4.0], "f")]
    assert clipped(grads, clipnorm=1.0) == [[-1.0], [-1.0]]
    assert np.ravel(clipped(grads, global_clipnorm=1.0)) == pytest.approx([-0.6, -0.8], abs=1e-6)
    assert clipped(grads, clipvalue=3.5) == [[-3.0], [-3.5]]
    assert clipped([np.array([0.3, 0.4], "f")], clipnorm=1.0)[0] == pytest.approx([-0.3, -0.4])
    assert clipped([np.zeros(2, "f")], clipnorm=1.0) == [[0.0, 0.0]]
    with pytest.raises(ValueError, match="only one way to clip"):
        optimizers.SGD(clipnorm=1.0, clipvalue=1.0)


def test_l2_adds_without_a_half():
    model = Sequential([Input((1,)), Dense(1, kernel_initializer="ones", kernel_regularizer=regularizers.L2(0.5))])
    model.compile(optimizers.SGD(0.1), lambda y, p: gn.mean(p * 0.0, axis=-1))
    model.train_on_batch([[1.0]], [[0.0]])
    assert model.layers[0].kernel.numpy() == pytest.approx(np.array([[0.9]]))


def test_state_lasts_over_fits_and_starts_anew_with_compile():
    model = Sequential([Input((2,)), Dense(1)])
    model.compile("adam", "mse")
    x, y = np.ones((8, 2)), np.ones((8, 1))
    model.fit(x, y, batch_size=4, epochs=2, verbose=0)
    assert int(model.optimizer.iterations.numpy()) == 4
    model.fit(x, y, batch_size=4, verbose=0)
    assert int(model.optimizer.iterations.numpy()) == 6
    assert any(np.abs(slot.numpy()).sum() > 0 for slots in model.optimizer.state for slot in slots)
    model.compile("adam", "mse")
    assert int(model.optimizer.iterations.numpy()) == 0
    same = model.optimizer
    model.fit(x, y, verbose=0)
    model.compile(same, "mse")
    assert int(same.iterations.numpy()) == 0 and same.state == []


def test_learning_rate_can_be_read_set_and_scheduled():
    optimizer = optimizers.get("sgd")
    assert float(optimizer.learning_rate) == 0.01
    optimizer.learning_rate = 0.5
    assert float(optimizer.learning_rate) == 0.5 and optimizer.get_config()["learning_rate"] == 0.5
    halving = optimizers.SGD(lambda step: 1.0 / (step.astype("float64") + 1.0))
    assert walk(halving, 2, (1.0, 0.0)) == pytest.approx([0.5, 0.0], abs=1e-6)
    with pytest.raises(ValueError, match="follows a schedule"):
        halving.learning_rate = 0.1


def test_the_update_is_one_definition_for_eager_and_traced():
    def run(traced):
        w = gn.Parameter(np.array([1.0, -2.0], "f"), name="w")
        optimizer = optimizers.Adam(0.1)
        optimizer.build([w])
        step = lambda g: optimizer.apply([g])  # noqa: E731
        g0 = np.array([0.5, -0.1], "f")
        call = gn.trace(lambda g: (step(g), g)[1], g0) if traced else lambda g: step(gn.tensor(g))
        for t in range(1, 4):
            call(g0 * np.float32(t))
        return w.numpy(), int(optimizer.iterations.numpy())

    (eager, n), (traced, m) = run(False), run(True)
    assert n == m == 3
    assert traced == pytest.approx(eager, abs=1e-7)


def test_float64_parameters_stay_float64():
    w = gn.Parameter([1.0], dtype="float64")
    optimizer = optimizers.Adam(0.1)
    optimizer.build([w])
    optimizer.apply([gn.tensor([1.0])])
    assert w.dtype == np.float64 and optimizer.state[0][0].dtype == np.float64


@pytest.mark.parametrize(
    "make",
    [
        lambda: optimizers.SGD(-1.0),
        lambda: optimizers.SGD("fast"),
        lambda: optimizers.SGD(momentum=2.0),
        lambda: optimizers.Adam(beta_1=1.0),
        lambda: optimizers.Adam(clipnorm=0.0),
        lambda: optimizers.SGD(float("nan")),
    ],
)
def test_bad_settings(make):
    with pytest.raises(ValueError, match="received"):
        make()
