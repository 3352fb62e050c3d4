"""The cost of an eager op: forward and backward of 100 chained elementwise ops on four float32 numbers.

`python -m benchmarks.eager` times graphnet beside PyTorch, autograd and MyGrad (those that are installed), each in a
process of its own, in rounds that take turns, after checking that all compute the same value and gradient. Reported are
medians over the rounds, and what `import graphnet` costs beyond `import numpy`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

import numpy as np

from benchmarks.harness import Contender, race


def chain(x, scale, shift, sin, tanh):
    """20 times: multiply, sin, add, tanh, divide by a number."""
    for _ in range(20):
        x = tanh(sin(x * scale) + shift) / 1.5
    return x


START = np.array([0.1, -0.4, 0.7, 1.2], np.float32)
SCALE = np.array([1.1, 0.9, 1.3, 0.7], np.float32)
SHIFT = np.array([0.3, -0.2, 0.1, 0.4], np.float32)


def graphnet_step():
    import graphnet as gn

    scale, shift = gn.tensor(SCALE), gn.tensor(SHIFT)

    def step():
        x = gn.tensor(START, requires_grad=True)
        y = chain(x, scale, shift, gn.sin, gn.tanh).sum()
        y.backward()
        return y.item(), x.grad.numpy()

    return step


def torch_step():
    import torch

    torch.set_num_threads(1)
    scale, shift = torch.tensor(SCALE), torch.tensor(SHIFT)

    def step():
        x = torch.tensor(START, requires_grad=True)
        y = chain(x, scale, shift, torch.sin, torch.tanh).sum()
        y.backward()
        return y.item(), x.grad.numpy()

    return step


def autograd_step():
    import autograd
    import autograd.numpy as anp

    both = autograd.value_and_grad(lambda x: anp.sum(chain(x, SCALE, SHIFT, anp.sin, anp.tanh)))
    return lambda: both(START)


def mygrad_step():
    import mygrad as mg

    def step():
        x = mg.tensor(START)
        y = mg.sum(chain(x, SCALE, SHIFT, mg.sin, mg.tanh))
        y.backward()
        return y.item(), x.grad

    return step


STEPS = {"graphnet": graphnet_step, "PyTorch": torch_step, "autograd": autograd_step, "MyGrad": mygrad_step}


def contender(case: str, library: str) -> Contender:
    """The step of one library, and the value and gradient it computes."""
    step = STEPS[library]()
    value, gradient = step()
    return Contender(step, [value, *gradient])


def import_cost(rounds: int = 15) -> tuple[float, float]:
    """Median seconds of `import numpy` and of `import graphnet`, in fresh processes that take turns."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    times: dict[str, list[float]] = {"numpy": [], "graphnet": []}
    for turn in range(rounds + 1):
        for module, measured in times.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {module}"], check=True, env=environment)
            if turn:
                measured.append(time.perf_counter() - start)
    return statistics.median(times["numpy"]), statistics.median(times["graphnet"])


def main() -> None:
    medians = {name: t * 1e6 for name, t in race("eager", "chain", list(STEPS), say=print).medians.items()}
    print("forward and backward of 100 elementwise ops on float32[4], same values and gradients:")
    print(f"{'':10} {'us':>8} {'us/op':>7} {'graphnet is':>12}")
    for name, median in medians.items():
        print(f"{name:10} {median:8.0f} {median / 100:7.2f} {medians['graphnet'] / median:10.2f} x")
    numpy_seconds, graphnet_seconds = import_cost()
    print(
        f"import numpy {numpy_seconds:.3f} s, import graphnet {graphnet_seconds:.3f} s: "
        f"{graphnet_seconds - numpy_seconds:.3f} s more"
    )


if __name__ == "__main__":
    main()
