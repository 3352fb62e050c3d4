"""Comparisons with the real Keras: only where asked for (GRAPHNET_PARITY=1), on its JAX backend."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
