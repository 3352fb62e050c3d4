"""Which backend the real Keras takes, if it is there to be compared with."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
