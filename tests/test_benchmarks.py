"""The benchmarks: their report from made-up figures, their arguments, and that ours computes what NumPy does."""

import json
import math

import numpy as np
import pytest

import graphnet as gn
from benchmarks import __main__ as command
from benchmarks import chains, coldstart, compiling, fit, harness, images, memory, networks, report, sequences, works
from benchmarks.report import Result, Target

FIGURES = {"graphnet": 0.002, "JAX": 0.004, "PyTorch": 0.001}


def test_verdicts_compare_with_the_peers_that_the_target_names():
    result = Result("w", "a work", FIGURES, (Target(0.5, ("JAX",)), Target(1.0), Target(3.0, ("Keras",))))
    assert result.best == "PyTorch"
    assert result.verdicts() == [("≤ 0.5 × JAX", True), ("≤ 1 × PyTorch", False), ("≤ 3 × Keras", None)]
    assert report.verdict(result) == "≤ 0.5 × JAX: met; ≤ 1 × PyTorch: not met; ≤ 3 × Keras: ?"
    assert report.ratio(result) == "2.00"


def test_a_target_can_be_a_number_and_a_work_can_be_ours_alone():
    result = Result("w", "a work", {"graphnet": 0.3}, (Target(0.4, absolute=True), Target(0.2, absolute=True)))
    assert result.verdicts() == [("≤ 400 ms", True), ("≤ 200 ms", False)]
    assert report.ratio(result) == "" and result.best is None
    alone = Result("w", "a work", {"JAX": 1.0}, (Target(1.0), Target(1.0, absolute=True)))
    assert [met for _, met in alone.verdicts()] == [None, None]


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (1.234e-6, "s", "1.23 µs"),
        (0.1234, "s", "123 ms"),
        (12.34, "s", "12.3 s"),
        (4321, "s", "4321 s"),
        (1234.5, "MiB", "1,234 MiB"),
        (0.0, "s", "0 µs"),
    ],
)
def test_figures_are_shown_with_three_digits(value, unit, expected):
    assert report.shown(value, unit) == expected


def test_the_markdown_has_every_work_and_figure(tmp_path):
    results = [
        Result("small", "a small step", FIGURES, (Target(1.0, ("JAX",)),), notes=["without Keras: not installed"]),
        Result("big", "much memory", {"graphnet": 10.0, "JAX": 5.0}, (Target(1.0),), "MiB"),
    ]
    text = report.markdown(results, {"Machine": "a small one"})
    for line in (
        "Machine: a small one  ",
        "1 of 2 targets are met. Figures are medians, less is better; the ratio is ours to that of the best peer.",
        "| a small step (`small`) | 2.00 ms | PyTorch 1.00 ms | 2.00 | ≤ 1 × JAX: met |",
        "| much memory (`big`) | 10 MiB | JAX 5 MiB | 2.00 | ≤ 1 × JAX: not met |",
        "| work | graphnet | JAX | PyTorch |",
        "| `big` | 10 MiB | 5 MiB |  |",
        "- `small`: without Keras: not installed",
    ):
        assert line in text.splitlines(), line
    assert "big" in report.table(results)
    paths = report.write(results, {"Machine": "a small one"}, tmp_path / "new")
    assert [p.name for p in paths][:2] == ["results.json", "results.md"] and all(p.stat().st_size for p in paths)
    assert json.loads(paths[0].read_text("utf-8"))["results"][0]["figures"] == FIGURES


def test_arguments():
    options = command.parser().parse_args(["small", "fit", "--peers", "jax, pytorch", "--threads", "1"])
    assert (options.works, options.peers, options.threads, options.rounds) == (
        ["small", "fit"],
        ["JAX", "PyTorch"],
        1,
        9,
    )
    for wrong in (["--peers", "theano"], ["--rounds", "0"], ["--threads", "x"]):
        with pytest.raises(SystemExit):
            command.parser().parse_args(wrong)


def test_works_are_chosen_by_name_or_by_how_they_begin(capsys):
    assert [w.name for w in works.chosen(["fit", "small"])] == ["fit", "small-sgd", "small-adam"]
    assert works.chosen([]) == list(works.WORKS)
    assert len({w.name for w in works.WORKS}) == len(works.WORKS)
    assert command.main(["--list"]) == 0 and "deep50-dropout" in capsys.readouterr().out
    assert command.main(["nothing"]) == 2 and "no work is named 'nothing'" in capsys.readouterr().err


def test_a_race_of_one_and_of_none():
    found = harness.race("eager", "chain", ["graphnet", "nobody"], rounds=2, seconds=0.01)
    assert set(found.medians) == {"graphnet"} and 0 < found.medians["graphnet"] < 1
    assert found.skipped == {"nobody": "KeyError: 'nobody'"}


def test_differences_are_said():
    assert harness.differs([1.0, 2.0], [1.0, 2.0001], 1e-4) is None
    assert harness.differs([1.0, 2.0], [1.0, 2.01], 1e-4) == "number 1 is 2; graphnet has 2.01"
    assert harness.differs([1.0], [], 1e-4) == "1 numbers instead of 0"
    assert harness.differs([math.nan], [1.0], 1e-4) is not None


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def reference_losses(case, steps):
    """Backpropagation written out in float64."""
    ws, bs = (list(map(np.float64, column)) for column in zip(*networks.weights(case), strict=True))
    ps = [*ws, *bs]
    slots = [[np.zeros_like(p), np.zeros_like(p)] for p in ps]
    losses = []
    for t, (x, y) in enumerate(networks.batches(case)[:steps], 1):
        activations = [np.float64(x)]
        for w, b in zip(ws, bs, strict=True):
            z = activations[-1] @ w + b
            activations.append(np.maximum(z, 0) if w is not ws[-1] else softmax(z))
        losses.append(-np.log(activations[-1][np.arange(len(y)), y]).mean())
        delta = (activations.pop() - np.eye(case.sizes[-1])[y]) / len(y)
        slopes = [None] * len(ps)
        for i in reversed(range(len(ws))):
            slopes[i] = activations[i].T @ delta + 2 * case.penalty * ws[i]
            slopes[len(ws) + i] = delta.sum(0)
            delta = (delta @ ws[i].T) * (activations[i] > 0)
        for p, g, s in zip(ps, slopes, slots, strict=True):
            if case.optimizer == "adam":
                s[0][...] = 0.9 * s[0] + 0.1 * g
                s[1][...] = 0.999 * s[1] + 0.001 * g * g
                root = np.sqrt(s[1] / (1 - 0.999**t)) + 1e-7 / math.sqrt(1 - 0.999**t)
                p -= case.rate * s[0] / (1 - 0.9**t) / root
            else:
                s[0][...] = (0.9 if case.optimizer == "momentum" else 0.0) * s[0] + g
                p -= case.rate * s[0]
    return losses


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_our_training_step_is_the_one_written_out(optimizer):
    case = networks.Case((7, 6, 5, 4), 8, optimizer)
    ours = networks.graphnet(case)
    expected = reference_losses(case, 5)
    np.testing.assert_allclose([*ours.answer, ours.step(), ours.step()], expected, rtol=1e-5)
    assert expected[0] != expected[1]


def test_our_step_with_dropout_drops_and_scales():
    case = networks.Case((7, 600, 4), 8, "sgd", 0.5)
    ours = networks.graphnet(case)
    np.testing.assert_allclose(ours.answer, reference_losses(case, 1), rtol=1e-5)
    assert ours.loose[0] != ours.answer[0] and abs(ours.loose[0] / ours.answer[0] - 1) < 0.5


def test_our_chain_is_the_one_written_out():
    ours = chains.graphnet("chain-1e3", 1000).step().numpy()
    x = np.float64(chains.start(1000))
    expected = np.maximum(np.sqrt(np.exp(np.tanh(x * 1.1 + 0.3) * 0.7) + 1.0) * 0.5 - 0.8, 0)
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    assert 0 < (expected == 0).sum() < 1000


@pytest.mark.parametrize("case", chains.FUNCTIONS)
def test_our_functions_and_their_slopes_are_those_of_differences(case):
    shape = (3, 9)
    given, weights = chains.arguments(case, shape)
    given = [np.float64(a) for a in given]

    def value(*args):
        x = args[0]
        if case == "softmax":
            y = softmax(x)
        elif case == "layernorm":
            y = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * args[1] + args[2]
        else:
            y = x * np.vectorize(lambda t: 0.5 * (1 + math.erf(t / math.sqrt(2))))(x)
        return (y * weights).sum()

    total, slopes = chains.graphnet(case, shape).step()
    np.testing.assert_allclose(total, value(*given), rtol=1e-4, atol=1e-5)
    for place, a in enumerate(given):
        differences = np.zeros_like(a)
        for i in np.ndindex(*a.shape):
            near = [b.copy() for b in given]
            near[place][i] += 1e-6
            above = value(*near)
            near[place][i] -= 2e-6
            differences[i] = (above - value(*near)) / 2e-6
        np.testing.assert_allclose(slopes[place].numpy(), differences, rtol=1e-3, atol=1e-4)


def test_our_epoch_and_our_row(monkeypatch):
    monkeypatch.delenv("GRAPHNET_MNIST", raising=False)
    (w1, b1), (w2, b2) = (map(np.float64, layer) for layer in networks.weights(fit.CASE))
    x, y = fit.data(fit.BATCH)
    p = softmax(np.maximum(x @ w1 + b1, 0) @ w2 + b2)
    loss, accuracy = -np.log(p[np.arange(len(y)), y]).mean(), (p.argmax(-1) == y).mean()
    ours = fit.graphnet("fit", fit.BATCH)
    np.testing.assert_allclose(ours.answer, [loss, accuracy], rtol=1e-5)
    # An epoch of one batch: its loss is that before the step.
    np.testing.assert_allclose(ours.loose, [loss], rtol=1e-5)
    assert ours.step()["loss"][0] < loss
    one = fit.data(1)[0]
    expected = softmax(np.maximum(one @ w1 + b1, 0) @ w2 + b2)
    for library in ("graphnet", "graphnet.nn"):
        np.testing.assert_allclose(fit.contender("row", library).step(), expected, rtol=1e-4)


def test_our_cold_start_learns(tmp_path, monkeypatch):
    path = tmp_path / "digits.npz"
    coldstart.save_digits(str(path))
    monkeypatch.setenv("BENCHMARK_DIGITS", str(path))
    assert 1.0 < coldstart.measure("cold", "graphnet") < math.log(10)


def test_graphs_that_are_compiled_have_their_size_and_values():
    x = np.array([0.5, 0.25])
    a, b = x, x * 0.5
    for i in range(9):
        a, b = b, np.maximum(a, b) if i % 2 else a * b
    np.testing.assert_allclose(compiling.ladder(gn.tensor(x), 10).numpy(), b)
    c = x
    for _ in range(2):
        c = np.exp(np.sqrt(np.tanh(c * 1.01) + 0.3))
    np.testing.assert_allclose(compiling.chain(gn.tensor(x), 10).numpy(), c)
    for case in ("compile-chain", "compile-ladder"):
        assert 0 < compiling.measure(f"{case}:20", "graphnet") < 60


def test_peak_memory_grows_by_what_is_held():
    memory.forget_peak()
    before = memory.peak()
    held = np.ones(50 << 20, np.uint8)
    assert memory.peak() >= max(before, held.nbytes)


def test_the_step_of_the_convolutional_network(monkeypatch):
    monkeypatch.setattr(images, "DROPOUT", 0.0)
    k1, b1, k2, b2, w, b = map(np.float64, images.weights())
    (x, y), *_ = images.batches(3)

    def convolved(x, kernel, bias):
        looks = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))  # (batch, h, w, in, 3, 3)
        z = np.maximum(np.einsum("bhwiuv,uvio->bhwo", looks, kernel) + bias, 0)
        n = z.shape[1] // 2 * 2
        return z[:, :n, :n].reshape(len(z), n // 2, 2, n // 2, 2, -1).max((2, 4))

    scores = convolved(convolved(np.float64(x), k1, b1), k2, b2).reshape(3, -1) @ w + b
    expected = np.mean(np.log(np.exp(scores).sum(1)) - scores[np.arange(3), y])
    ours = images.graphnet(3)
    np.testing.assert_allclose([*ours.answer, *ours.loose], expected, rtol=1e-5)
    assert np.mean([ours.step() for _ in range(16)][8:]) < expected


def test_our_step_of_a_sequence():
    table, kernel, recurrent, bias, last, last_bias = (w.astype(np.float64) for w in sequences.weights())
    x, y = sequences.batches()[0]
    h = c = np.zeros((sequences.BATCH, sequences.UNITS))
    for t in range(sequences.STEPS):
        i, f, g, o = np.split(table[x[:, t]] @ kernel + h @ recurrent + bias, 4, axis=1)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
    p = 1 / (1 + np.exp(-(h @ last + last_bias)))
    loss = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
    ours = sequences.graphnet()
    np.testing.assert_allclose(ours.answer[0], loss, rtol=1e-4)
    assert np.isfinite(ours.step())
