"""Keras' optimisers and schedules by their numbered behaviours, with the figures of Keras 3.15.1."""

import numpy as np
import pytest

import graphnet as gn
from graphnet.nn import Dense, Input, Sequential, optimizers
from graphnet.nn.optimizers import schedules


def walk(optimizer, steps=3, start=(1.0, -2.0), traced=False):
    """The first number of w after each step, with the gradients t * [0.5, -0.1]."""
    w = gn.Parameter(np.array(start, "float32"), name="w")
    optimizer.build([w])
    g0 = np.array([0.5, -0.1], "float32")
    step = gn.trace(lambda g: (optimizer.apply([g]), g)[1], g0) if traced else lambda g: optimizer.apply([gn.tensor(g)])
    path = []
    for t in range(1, steps + 1):
        step(g0 * np.float32(t))
        path.append(float(w.numpy()[0]))
        assert w.dtype == np.float32
    return path


FIGURES = {
    "adam": (lambda: optimizers.Adam(), [0.9990000, 0.9980348, 0.9970768]),
    "sgd": (lambda: optimizers.SGD(0.1), [0.95, 0.85, 0.70]),
    "momentum": (lambda: optimizers.SGD(0.1, momentum=0.9), [0.95, 0.805, 0.5245]),
    "nesterov": (lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True), [0.905, 0.6745, 0.27205]),
    "rmsprop": (lambda: optimizers.RMSprop(), [0.9968377, 0.9939806, 0.9913899]),
    "centered": (lambda: optimizers.RMSprop(centered=True), [0.9966667]),
    "adagrad": (lambda: optimizers.Adagrad(), [0.9991549, 0.9982942, 0.9975036]),
    "adadelta": (lambda: optimizers.Adadelta(), [0.9999986]),
    "adamax": (lambda: optimizers.Adamax(), [0.999, 0.9982368, 0.9975468]),
    "nadam": (lambda: optimizers.Nadam(), [0.9989372, 0.9979910, 0.9970676]),
    "lion": (lambda: optimizers.Lion(), [0.999, 0.998, 0.997]),
    "ftrl": (lambda: optimizers.Ftrl(), [0.4646324]),
    "adamw": (lambda: optimizers.AdamW(), [0.9989960, 0.9980268, 0.9970648]),
}
ITEM = {"adam": 42, "sgd": 43, "momentum": 43, "nesterov": 43, "adamw": 45}


def figures(number):
    return [name for name in FIGURES if ITEM.get(name, 44) == number]


@pytest.mark.parametrize("traced", [False, True], ids=["eager", "traced"])
@pytest.mark.parametrize("name", figures(42))
def test_42_adam(name, traced):
    make, path = FIGURES[name]
    assert walk(make(), traced=traced) == pytest.approx(path, abs=2e-7)


@pytest.mark.parametrize("traced", [False, True], ids=["eager", "traced"])
@pytest.mark.parametrize("name", figures(43))
def test_43_momentum(name, traced):
    make, path = FIGURES[name]
    assert walk(make(), traced=traced) == pytest.approx(path, abs=2e-7)


@pytest.mark.parametrize("traced", [False, True], ids=["eager", "traced"])
@pytest.mark.parametrize("name", figures(44))
def test_44_the_others(name, traced):
    make, path = FIGURES[name]
    assert walk(make(), len(path), traced=traced) == pytest.approx(path, abs=2e-7)


@pytest.mark.parametrize("name", figures(45))
def test_45_adamw(name):
    make, path = FIGURES[name]
    assert walk(make()) == pytest.approx(path, abs=2e-7)


def after_one_step(optimizer, loss=lambda y, p: gn.mean(p * 0.0, axis=-1)):
    model = Sequential([Input((1,)), Dense(1, kernel_initializer="ones", bias_initializer="ones", name="d")])
    model.compile(optimizer, loss)
    model.train_on_batch([[1.0]], [[0.0]])
    return [float(w.ravel()[0]) for w in model.get_weights()]


def test_45_decay_takes_all_but_what_is_excluded():
    assert after_one_step(optimizers.SGD(0.1, weight_decay=0.5)) == pytest.approx([0.95, 0.95])
    spared = optimizers.SGD(0.1, weight_decay=0.5)
    spared.exclude_from_weight_decay(var_names=["bias"])
    assert after_one_step(spared) == pytest.approx([0.95, 1.0])
    with pytest.raises(ValueError, match="before the first training step"):
        spared.exclude_from_weight_decay(var_names=["kernel"])
    with pytest.raises(TypeError, match="a list of words"):
        optimizers.SGD().exclude_from_weight_decay(var_names="bias")
    w, v = gn.Parameter([1.0]), gn.Parameter([1.0])
    by_list = optimizers.SGD(0.1, weight_decay=0.5)
    by_list.exclude_from_weight_decay(var_list=[w])
    by_list.apply([gn.tensor([0.0]), gn.tensor([0.0])], [w, v])
    assert [w.item(), v.item()] == pytest.approx([1.0, 0.95])


def clipped(grads, **limits):
    params = [gn.Parameter(np.zeros_like(g), dtype="float32") for g in grads]
    optimizers.SGD(1.0, **limits).apply([gn.tensor(g) for g in grads], params)
    return np.ravel([p.numpy() for p in params])


def test_46_clipping():
    grads = [np.array([3.0], "f"), np.array([4.0], "f")]
    assert clipped(grads, clipnorm=1.0) == pytest.approx([-1, -1])
    assert clipped(grads, global_clipnorm=1.0) == pytest.approx([-0.6, -0.8])
    assert clipped(grads, clipvalue=3.5) == pytest.approx([-3.0, -3.5])
    with pytest.raises(ValueError, match="only one way to clip"):
        optimizers.Adam(clipnorm=1.0, global_clipnorm=1.0)
    # Clipping comes before decay: what decays is not limited.
    w = gn.Parameter([10.0])
    optimizers.SGD(0.1, clipvalue=1.0, weight_decay=0.5).apply([gn.tensor([100.0])], [w])
    assert w.item() == pytest.approx(10 - 0.5 - 0.1)


@pytest.mark.parametrize(
    ("schedule", "step", "rate"),
    [
        (schedules.ExponentialDecay(0.1, 10, 0.96), 5, 0.0979796),
        (schedules.ExponentialDecay(0.1, 10, 0.96, staircase=True), 19, 0.096),
        (schedules.CosineDecay(0.1, 100), 50, 0.05),
        (schedules.CosineDecay(0.1, 100, alpha=0.1), 200, 0.01),
        (schedules.CosineDecay(0.0, 100, warmup_target=0.1, warmup_steps=10), 5, 0.05),
        (schedules.CosineDecay(0.0, 100, warmup_target=0.1, warmup_steps=10), 60, 0.05),
        (schedules.PolynomialDecay(0.1, 10), 20, 1e-4),
        (schedules.PolynomialDecay(0.1, 10, cycle=True), 15, 0.1 * 0.25 + 1e-4 * 0.75),
        (schedules.InverseTimeDecay(0.1, 10, 0.5), 10, 0.0666667),
        (schedules.PiecewiseConstantDecay([0, 1], [1.0, 0.1, 0.01]), 0, 1.0),
        (schedules.PiecewiseConstantDecay([0, 1], [1.0, 0.1, 0.01]), 1, 0.1),
        (schedules.PiecewiseConstantDecay([0, 1], [1.0, 0.1, 0.01]), 2, 0.01),
        (schedules.CosineDecayRestarts(0.1, 10), 9.999999, 0.0),
        (schedules.CosineDecayRestarts(0.1, 10), 10, 0.1),
        (schedules.CosineDecayRestarts(0.1, 10), 20, 0.05),
        (schedules.CosineDecayRestarts(0.1, 10), 30, 0.1),
        (schedules.CosineDecayRestarts(0.1, 10, t_mul=1.0, m_mul=0.5), 25, 0.0125),
    ],
)
def test_47_schedules(schedule, step, rate):
    assert float(schedule(step)) == pytest.approx(rate, abs=5e-8)
    again = type(schedule).from_config(schedule.get_config())
    assert again.get_config() == schedule.get_config() and float(again(step)) == float(schedule(step))
    optimizer = optimizers.SGD(schedule)
    copy = optimizers.SGD.from_config(optimizer.get_config())
    assert float(copy.schedule(step)) == float(schedule(step))


def test_47_restarts_begin_exactly_where_they_should():
    for by in (2.0, 1.5, 3.0, 10.0):
        schedule, begin = schedules.CosineDecayRestarts(1.0, 8, t_mul=by), 0.0
        for period in range(6):
            assert float(schedule(begin)) == pytest.approx(1.0, abs=1e-9)
            begin += 8 * by**period


@pytest.mark.parametrize("traced", [False, True])
def test_47_the_first_step_is_that_of_step_0(traced):
    schedule = schedules.PiecewiseConstantDecay([0, 1], [1.0, 0.1, 0.01])
    optimizer = optimizers.SGD(schedule)
    path = walk(optimizer, 3, (0.0, 0.0), traced)
    assert path == pytest.approx([-0.5, -0.6, -0.615])
    assert float(optimizer.learning_rate) == pytest.approx(0.01)
    with pytest.raises(ValueError, match="follows a schedule"):
        optimizer.learning_rate = 0.1


def test_47_a_function_without_arguments_is_a_rate_too():
    assert walk(optimizers.SGD(lambda: 0.1), 2) == pytest.approx([0.95, 0.85])
    assert walk(optimizers.SGD(lambda step: 0.1 / (step + 1.0)), 2) == pytest.approx([0.95, 0.9])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), "decay_steps is a number of steps, more than 0; received 0"),
        (lambda: schedules.CosineDecay(0.1, -1), "received -1"),
        (lambda: schedules.CosineDecayRestarts(0.1, 0), "first_decay_steps"),
        (lambda: schedules.CosineDecayRestarts(0.1, 5, t_mul=0.5), "t_mul is a number, 1 or more"),
        (lambda: schedules.PiecewiseConstantDecay([1], [0.1]), "one value more than boundaries"),
        (lambda: schedules.PiecewiseConstantDecay([2, 1], [1, 2, 3]), "boundaries rise"),
        (lambda: schedules.InverseTimeDecay(-0.1, 5, 1), "0 or more; received -0.1"),
        (lambda: schedules.get("CosineDekay"), "Did you mean 'cosine_decay'"),
        (lambda: optimizers.Ftrl(learning_rate_power=0.5), "0 or less"),
        (lambda: optimizers.Ftrl(l1_regularization_strength=-1.0), "l1_regularization_strength"),
        (lambda: optimizers.Lion(beta_1=0.0), "more than 0"),
        (lambda: optimizers.SGD(gradient_accumulation_steps=1), "2 or more"),
        (lambda: optimizers.SGD(use_ema=True, ema_momentum=1.5), "ema_momentum"),
        (lambda: optimizers.SGD(ema_overwrite_frequency=0), "1 or more"),
        (lambda: optimizers.SGD(loss_scale_factor=0.0), "loss_scale_factor"),
        (lambda: optimizers.SGD(weight_decay=-1.0), "weight_decay"),
        (lambda: optimizers.Nadam(beta_2=1.0), "beta_2"),
    ],
)
def test_settings_out_of_range(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_48_state_lasts_until_compile():
    model = Sequential([Input((2,)), Dense(1)])
    model.compile(optimizers.Adam(), "mse")
    x, y = np.ones((8, 2)), np.ones((8, 1))
    for expected in (2, 4):
        model.fit(x, y, batch_size=4, verbose=0)
        assert int(model.optimizer.iterations.numpy()) == expected
    model.compile(model.optimizer, "mse")
    assert int(model.optimizer.iterations.numpy()) == 0 and not model.optimizer.state


ALL = [
    optimizers.SGD,
    optimizers.RMSprop,
    optimizers.Adam,
    optimizers.AdamW,
    optimizers.Adagrad,
    optimizers.Adadelta,
    optimizers.Adamax,
    optimizers.Nadam,
    optimizers.Lion,
    optimizers.Ftrl,
    optimizers.Lamb,
    optimizers.Adafactor,
    optimizers.Muon,
    optimizers.ScheduleFreeAdamW,
]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_optimizer_learns_compiled_as_eagerly(kind):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(8, 6)).astype("f"), rng.normal(size=(8, 2)).astype("f")
    found = []
    for eager in (True, False):
        gn.nn.set_random_seed(3)
        model = Sequential([Input((6,)), Dense(5, "tanh"), Dense(2)])
        model.compile(kind(0.01, clipnorm=10.0, weight_decay=0.01), "mse", run_eagerly=eager)
        losses = [model.train_on_batch(x, y) for _ in range(25)]
        found.append((losses, model.get_weights(), [v.numpy() for v in model.optimizer.variables]))
    assert found[0][0][-1] < found[0][0][0]
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-4)
    for one, other in zip(found[0][1] + found[0][2], found[1][1] + found[1][2], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=2e-4 if kind is optimizers.Lion else 2e-5)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_optimizer_is_made_again_from_its_configuration(kind):
    schedule = schedules.CosineDecay(0.1, 10)
    optimizer = kind(schedule, clipvalue=0.5, use_ema=True, gradient_accumulation_steps=3, name="mine")
    again = kind.from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config()
    assert again.gradient_accumulation_steps == 3 and again.name == "mine" and float(again.learning_rate) == 0.1
    by_word = optimizers.get({"class_name": kind.__name__, "config": optimizer.get_config()})
    assert type(by_word) is kind


@pytest.mark.parametrize("traced", [False, True], ids=["eager", "traced"])
@pytest.mark.parametrize("kind", [optimizers.SGD, optimizers.Adam, optimizers.Nadam])
def test_accumulated_gradients_make_one_step_of_their_mean(kind, traced):
    def run(optimizer, grads):
        w = gn.Parameter(np.array([1.0, -2.0], "f"), name="w")
        optimizer.build([w])
        apply = lambda g: optimizer.apply([g])  # noqa: E731
        step = gn.trace(lambda g: (apply(g), g)[1], grads[0]) if traced else lambda g: apply(gn.tensor(g))
        path = [(step(g), w.numpy().copy())[1] for g in grads]
        return path, optimizer

    rng = np.random.default_rng(0)
    grads = [rng.normal(size=2).astype("f") for _ in range(6)]
    path, optimizer = run(kind(0.1, gradient_accumulation_steps=3, clipnorm=0.5, weight_decay=0.1), grads)
    means = [np.mean(grads[:3], axis=0), np.mean(grads[3:], axis=0)]
    expected, _ = run(kind(0.1, clipnorm=0.5, weight_decay=0.1), means)
    assert (path[0] == [1, -2]).all() and (path[1] == [1, -2]).all() and (path[2] == path[4]).all()
    np.testing.assert_allclose(path[2::3], expected, rtol=1e-6)
    assert int(optimizer.count.numpy()) == 6 and int(optimizer.iterations.numpy()) == 2


@pytest.mark.parametrize("traced", [False, True], ids=["eager", "traced"])
def test_moving_averages(traced):
    optimizer = optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
    path = walk(optimizer, traced=traced)
    average = path[0]
    for value in path[1:]:
        average = 0.5 * average + 0.5 * value
    assert optimizer.averages[0].numpy()[0] == pytest.approx(average, rel=1e-6)
    optimizer.finalize_variable_values()
    assert optimizer.params[0].numpy()[0] == pytest.approx(average, rel=1e-6)
    replaced = walk(optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2), traced=traced)
    assert replaced == pytest.approx([0.95, 0.9, 0.75])


def test_fit_ends_with_the_averages():
    model = Sequential([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9), "mse")
    model.fit(np.ones((4, 1)), np.zeros((4, 1)), batch_size=1, verbose=0)
    values, average = [0.8**n for n in range(1, 5)], 0.8
    for value in values[1:]:
        average = 0.9 * average + 0.1 * value
    assert model.get_weights()[0].item() == pytest.approx(average, rel=1e-5)


def test_variables_are_listed_as_keras_lists_them():
    w, b = gn.Parameter(np.ones((2, 3)), name="w"), gn.Parameter(np.ones(3), name="b")

    def names(optimizer):
        optimizer.build([w, b])
        return [v.name.split("/", 1)[1] if v.name[1] != "/" else v.name for v in optimizer.variables]

    head = ["iterations", "learning_rate"]
    assert names(optimizers.Adam(amsgrad=True, use_ema=True, gradient_accumulation_steps=2)) == [
        *head,
        *["w/average", "b/average", "w/gradient_accumulator", "b/gradient_accumulator"],
        *["w/momentum", "w/velocity", "b/momentum", "b/velocity", "w/velocity_hat", "b/velocity_hat"],
    ]
    assert names(optimizers.RMSprop(momentum=0.9, centered=True)) == [
        *head,
        *["w/velocity", "b/velocity", "w/momentum", "b/momentum", "w/average_gradient", "b/average_gradient"],
    ]
    assert names(optimizers.Nadam())[-1] == "u_product"
    assert names(optimizers.SGD(schedules.CosineDecay(0.1, 10))) == ["iterations"]
    assert [v.shape for v in optimizers.Adafactor().variables] == [(), ()]


def test_a_step_by_hand():
    w, v = gn.Parameter([1.0, 2.0], name="w"), gn.Parameter([3.0], name="v")
    optimizer = optimizers.SGD(0.1)
    optimizer.apply_gradients([(gn.tensor([1.0, 1.0]), w), (gn.tensor([1.0]), v)])
    optimizer.apply([gn.tensor([10.0])], [v])
    assert w.numpy() == pytest.approx([0.9, 1.9]) and v.numpy() == pytest.approx([1.9])
    with pytest.warns(UserWarning, match="no gradient for w"):
        optimizer.apply([None, gn.tensor([1.0])], [w, v])
    assert v.numpy() == pytest.approx([1.8]) and int(optimizer.iterations.numpy()) == 3
    with pytest.raises(ValueError, match="built for other parameters than 'u'"):
        optimizer.apply([gn.tensor([1.0])], [gn.Parameter([1.0], name="u")])
    with pytest.raises(ValueError, match="received 1 gradients for 2"):
        optimizer.apply([gn.tensor([1.0])])
    with pytest.raises(ValueError, match="name the parameters"):
        optimizers.SGD().apply([gn.tensor([1.0])])
    saved = [np.array(x.numpy()) + 1 for x in optimizer.variables]
    optimizer.set_weights(saved)
    assert int(optimizer.iterations.numpy()) == 4
    with pytest.raises(ValueError, match="set_weights needs 2 arrays"):
        optimizer.set_weights(saved[:1])


def test_a_scaled_loss_makes_the_same_steps():
    found = [after_one_step(optimizers.SGD(0.1, loss_scale_factor=k), "mse") for k in (None, 8.0)]
    assert found[0] == pytest.approx(found[1]) and found[0][0] != 1.0
