"""One training step of a relu network with softmax and cross-entropy, SGD and an L2 penalty on the weights.

`python -m benchmarks.step [THREADS]` times graphnet (as it is written, and compiled) beside PyTorch and JAX (those that
are installed), after checking that all have the same losses over five steps. Batches are in memory, not shuffled.
On a machine with other work to do, several threads of a matrix product wait for each other: then compare with one.
"""

from __future__ import annotations

import os
import sys
from itertools import pairwise

import numpy as np

from benchmarks.harness import race, serve

NETWORKS = {
    "64-32-10, batch 32": ([64, 32, 10], 32),
    "784-128-10, batch 128": ([784, 128, 10], 128),
    "784-1200x5-6, batch 50": ([784, 1200, 1200, 1200, 1200, 1200, 6], 50),
}
RATE, PENALTY = 0.05, 1e-4
LIBRARIES = ("compiled", "eager", "PyTorch", "JAX")


def data(sizes, batch):
    """The same images, labels and starting weights for all."""
    rng = np.random.default_rng(0)
    x = rng.random((batch, sizes[0]), dtype=np.float32)
    y = rng.integers(0, sizes[-1], batch)
    weights = []
    for a, b in pairwise(sizes):
        limit = np.sqrt(6 / (a + b))
        weights += [rng.uniform(-limit, limit, (a, b)).astype(np.float32), np.zeros(b, np.float32)]
    return x, y, weights


def graphnet_step(sizes, batch, compiled):
    import graphnet as gn

    x, y, weights = data(sizes, batch)
    ps = [gn.Parameter(w, dtype="float32") for w in weights]

    def step(x, y):
        h = x
        for i in range(0, len(ps), 2):
            h = h @ ps[i] + ps[i + 1]
            if i + 2 < len(ps):
                h = gn.relu(h)
        loss = -gn.take_along_axis(gn.log_softmax(h), y.reshape(-1, 1), 1).mean()
        total = loss
        for w in ps[::2]:
            total = total + PENALTY * (w * w).sum()
        with gn.no_grad():
            for p, g in zip(ps, gn.gradients(total, ps), strict=True):
                p.assign(p - RATE * g)
        return loss

    xt, yt = gn.tensor(x), gn.tensor(y)
    run = gn.compile(step) if compiled else step
    return lambda: run(xt, yt).item()


def torch_step(sizes, batch):
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    x, y, weights = data(sizes, batch)
    ps = [torch.tensor(w, requires_grad=True) for w in weights]
    xt, yt = torch.tensor(x), torch.tensor(y)

    def step():
        h = xt
        for i in range(0, len(ps), 2):
            h = torch.addmm(ps[i + 1], h, ps[i])
            if i + 2 < len(ps):
                h = torch.relu(h)
        loss = torch.nn.functional.cross_entropy(h, yt)
        grads = torch.autograd.grad(loss, ps)
        with torch.no_grad():
            for i, (p, g) in enumerate(zip(ps, grads, strict=True)):
                if i % 2 == 0:
                    p.mul_(1 - 2 * RATE * PENALTY)
                p.sub_(g, alpha=RATE)
        return loss.item()

    return step


def jax_step(sizes, batch):
    import jax
    import jax.numpy as jnp

    x, y, weights = data(sizes, batch)
    x, y = jnp.asarray(x), jnp.asarray(y)
    state = [[jnp.asarray(w) for w in weights]]

    def loss_of(ps):
        h = x
        for i in range(0, len(ps), 2):
            h = h @ ps[i] + ps[i + 1]
            if i + 2 < len(ps):
                h = jax.nn.relu(h)
        loss = -jnp.take_along_axis(jax.nn.log_softmax(h), y[:, None], 1).mean()
        return loss + PENALTY * sum((w * w).sum() for w in ps[::2]), loss

    @jax.jit
    def update(ps):
        grads, loss = jax.grad(loss_of, has_aux=True)(ps)
        return [p - RATE * g for p, g in zip(ps, grads, strict=True)], loss

    def step():
        state[0], loss = update(state[0])
        return float(loss)

    return step


def contender(word):
    library, network = word.split(":")
    sizes, batch = NETWORKS[network]
    if library in ("compiled", "eager"):
        step = graphnet_step(sizes, batch, library == "compiled")
    else:
        step = {"PyTorch": torch_step, "JAX": jax_step}[library](sizes, batch)
    return step, [step() for _ in range(5)]


def main() -> None:
    if len(sys.argv) > 1 and ":" in sys.argv[1]:
        serve(lambda: contender(sys.argv[1]), seconds=0.15)
        return
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    print(f"one training step on {threads} threads, microseconds (graphnet compiled is 1.00)")
    for network in NETWORKS:
        words = [f"{library}:{network}" for library in LIBRARIES]
        losses, medians = race("benchmarks.step", words, rounds=7, threads=threads)
        for word, found in losses.items():
            np.testing.assert_allclose(found, losses[words[0]], rtol=1e-4, err_msg=word)
        ours = medians[words[0]]
        cells = [f"{word.split(':')[0]} {t:,.0f} ({t / ours:.2f})" for word, t in medians.items()]
        print(f"{network:24} " + "   ".join(cells))


if __name__ == "__main__":
    main()
