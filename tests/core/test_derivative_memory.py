"""Derivatives leave no reference cycles: what a call used is free when it returns, or raises, without the collector."""

import gc
import os
import subprocess
import sys
import tracemalloc
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np
from backends import settled

import graphnet as gn

x = np.linspace(0.1, 1.0, 6)
w = gn.Parameter(x, name="w")
P = {"w": x, "b": (np.array(2.0), None), "c": OrderedDict(a=[1.0, 2.0])}


def f(x):
    return gn.tanh(gn.exp(x) * x).sum()


def of_container(p):
    return (gn.tanh(p["w"]) * p["b"][0]).sum() + p["c"]["a"].sum()


def fails(x):
    return gn.matmul(gn.exp(x), np.ones((3, 3))).sum()


def raises(x):
    y = gn.exp(x)
    raise KeyError(y.shape)


def recorded():
    return gn.tensor(x, requires_grad=True)


def changed():
    y = (w * w).sum()
    w.assign(x)
    y.backward()


def twice():
    t = recorded()
    slope = gn.gradients(f(t), t)
    return gn.gradients(slope.sum(), t)


rule = gn.custom_gradient(lambda a: (a * a, lambda g: g * 2 * a))
pair = gn.custom_gradient(lambda a: ((gn.exp(a), a * 2), lambda g, h: g * gn.exp(a) + h * 2))
kept = gn.checkpoint(f)
kept_pair = gn.checkpoint(lambda a: (gn.exp(rule(a)) * w, a * 2))
step = lambda c, r: (c + gn.exp(r) * c, c)  # noqa: E731
compiled, compiled_grad = gn.compile(f), gn.compile(gn.grad(f))
graph = gn.trace(f, x)
plan = graph.compile()

CALLS = {
    "grad": lambda: gn.grad(f)(x),
    "grad of a container": lambda: gn.grad(of_container)(P),
    "value_and_grad": lambda: gn.value_and_grad(of_container)(P),
    "grad with aux": lambda: gn.grad(lambda x: (f(x), {"a": x}), has_aux=True)(x),
    "grad of grad": lambda: gn.grad(lambda x: gn.grad(f)(x).sum())(x),
    "grad with a parameter": lambda: gn.grad(lambda x: f(x * w))(x),
    "vjp": lambda: gn.vjp(gn.exp, x)[1](x),
    "vjp with a parameter": lambda: gn.vjp(lambda x: x * w, x)[1](x),
    "jvp": lambda: gn.jvp(gn.exp, (x,), (x,)),
    "jvp with a parameter": lambda: gn.jvp(lambda x: x * w, (x,), (x,)),
    "jacobian": lambda: gn.jacobian(gn.exp)(x),
    "hessian": lambda: gn.hessian(f)(x),
    "hvp": lambda: gn.hvp(f)(x, x),
    "elementwise_grad": lambda: gn.elementwise_grad(gn.tanh)(x),
    "backward": lambda: f(recorded()).backward(),
    "backward to a parameter": lambda: (f(w * 2.0).backward(), setattr(w, "grad", None)),
    "gradients": twice,
    "lists of tensors": lambda: gn.grad(lambda x: gn.sum([x.sum(), [x[0], 2.0][0]]))(x),
    "custom_gradient": lambda: gn.grad(lambda x: rule(x).sum())(x),
    "custom_gradient twice": lambda: gn.hessian(lambda x: rule(x).sum())(x),
    "custom_gradient of a pair": lambda: gn.grad(lambda x: pair(x)[0].sum() + pair(x)[1].sum())(x),
    "custom_gradient not asked for": lambda: pair(recorded()),
    "custom_gradient in a trace": lambda: gn.trace(lambda x: pair(x)[0].sum(), x).gradient(),
    "checkpoint": lambda: gn.grad(kept)(x),
    "checkpoint twice": lambda: gn.hessian(kept)(x),
    "checkpoint of a pair": lambda: gn.grad(lambda x: kept_pair(x)[0].sum() + kept_pair(x)[1].sum())(x),
    "checkpoint not asked for": lambda: kept_pair(recorded()),
    "checkpoint in a trace": lambda: gn.trace(lambda x: kept_pair(x)[0].sum(), x).gradient(),
    "scan": lambda: gn.scan(step, gn.tensor(0.0), x),
    "grad of scan": lambda: gn.grad(lambda x: gn.scan(step, gn.tensor(0.0), x)[0])(x),
    "compiled": lambda: compiled(x),
    "compiled grad": lambda: compiled_grad(x),
    "grad of compiled": lambda: gn.grad(compiled)(x),
    "graph": lambda: graph(x),
    "grad of a graph": lambda: gn.grad(graph)(x),
    "plan": lambda: plan(x),
    "trace": lambda: gn.trace(f, x).gradient().simplify(),
    "a new compile": lambda: gn.compile(f)(x),
    "NaN": lambda: gn.grad(lambda x: (gn.sqrt(x * 0) * 0).sum())(x),
    "check_grads": lambda: gn.check_grads(f, x),
}
FAILURES = {
    "an op": lambda: gn.grad(fails)(x),
    "the function": lambda: gn.grad(raises)(x),
    "the output": lambda: gn.grad(gn.exp)(x),
    "the argument": lambda: gn.grad(f)(3),
    "the pullback": lambda: gn.vjp(gn.exp, x)[1](np.ones(3)),
    "a key": lambda: gn.jvp(of_container, (P,), ({"w": x},)),
    "a step": lambda: gn.scan(lambda c, r: (fails(c), None), gn.tensor(x), x),
    "a carry": lambda: gn.scan(lambda c, r: ((c, c), None), gn.tensor(x), x),
    "a trace": lambda: gn.trace(fails, x),
    "a compilation": lambda: gn.compile(fails)(x),
    "float": lambda: gn.grad(lambda x: float(x.sum()) * x)(x),
    "a rule": lambda: gn.grad(lambda x: gn.custom_gradient(lambda a: (a, lambda g: (g, g)))(x).sum())(x),
    "a checkpoint": lambda: gn.grad(gn.checkpoint(fails))(x),
    "backward": lambda: gn.exp(recorded()).backward(),
    "a changed parameter": changed,
    "a graph": lambda: graph(np.ones(3)),
    "no numbers": lambda: gn.exp("a"),
    "a list": lambda: gn.exp([gn.tensor(1.0), gn.tensor([1.0, 2.0])]),
}


def failing(call):
    try:
        call()
    except Exception:
        return
    raise AssertionError("nothing was raised")


def deep(x):
    for _ in range(20):
        x = gn.tanh(x)
    return x.sum()


def peaks():
    """The most memory that 20 calls of each need, in the size of their argument."""
    big = np.ones((100, 100))
    calls = {
        "grad": lambda: gn.grad(deep)(big),
        "vjp": lambda: gn.vjp(deep, big)[1](1.0),
        "jvp": lambda: gn.jvp(deep, (big,), (big,)),
        "hvp": lambda: gn.hvp(deep)(big, big),
        "custom": lambda: gn.grad(lambda x: deep(rule(x)))(big),
        "checkpoint": lambda: gn.grad(gn.checkpoint(deep))(big),
        "failure": lambda: failing(lambda: gn.grad(lambda x: fails(deep(x) * x))(big)),
        "graph": lambda: gn.grad(gn.trace(deep, big))(big),
    }
    for name, call in calls.items():
        found = []
        for times in (2, 20):
            settled()
            tracemalloc.start()
            for _ in range(times):
                call()
            found.append(tracemalloc.get_traced_memory()[1] / big.nbytes)
            tracemalloc.stop()
        if found[1] > found[0] + 2:
            print(f"{name}: {found[0]:.0f} arrays at most in 2 calls, {found[1]:.0f} in 20")


def main():
    warnings.simplefilter("ignore")
    gc.disable()
    for name, call in {**CALLS, **{f"failure: {name}": lambda c=c: failing(c) for name, c in FAILURES.items()}}.items():
        call()
        gc.collect()
        call()
        found = gc.collect()
        if found:
            print(f"{name}: {found} objects that only the collector finds")
    peaks()


def test_no_derivative_leaves_a_cycle():
    here = Path(__file__).parent
    # In a process of its own, without threads that compile: the collector would count what they leave.
    path = os.pathsep.join([str(here), str(here.parent), str(here.parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", "import test_derivative_memory as t; t.main()"],
        env={**os.environ, "GRAPHNET_NATIVE": "0", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
