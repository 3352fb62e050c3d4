"""The methods by which a model is saved: each is a function of `graphnet.nn.saving`."""

from __future__ import annotations

from typing import Any


class Saveable:
    """What a Model can do with files."""

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the model to a `.keras` or `.graphnet` file: see `graphnet.nn.saving.save_model`."""
        from graphnet.nn.saving import save_model

        save_model(self, filepath, overwrite)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the weights to `.weights.h5`, `.safetensors` or `.npz`: see `graphnet.nn.saving.save_weights`."""
        from graphnet.nn.saving import save_weights

        save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False) -> None:
        """Take the weights of a file; nothing changes unless all fit: see `graphnet.nn.saving.load_weights`."""
        from graphnet.nn.saving import load_weights

        load_weights(self, filepath, skip_mismatch)

    def to_json(self, **options: Any) -> str:
        """The configuration as JSON, without weights: see `graphnet.nn.saving.model_from_json`."""
        from graphnet.nn.saving import to_json

        return to_json(self, **options)
