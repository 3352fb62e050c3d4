"""The real Keras is compared on JAX."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
