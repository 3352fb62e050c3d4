"""Comparisons with the real Keras, in a run of their own: `GRAPHNET_PARITY=1 python -m pytest tests/parity`."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
