"""Comparisons with the real Keras, in a run of their own: `GRAPHNET_PARITY=1 python -m pytest tests/parity`."""

import os

import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")


@pytest.fixture(autouse=True)
def names_begin_anew():
    """Keras numbers names through the life of a process; here every test is a new one."""
    if os.environ.get("GRAPHNET_PARITY") == "1":
        import keras

        keras.utils.clear_session()
