"""Models and weights in files, and back. docs/saving.md tells users about the formats."""

from graphnet.nn.registry import (
    custom_object_scope,
    get_custom_objects,
    register_keras_serializable,
    register_serializable,
    registered_name,
)
from graphnet.nn.saving.errors import FileError
from graphnet.nn.saving.models import clone_model, load_model, model_from_json, save_model, to_json
from graphnet.nn.saving.weights import load_weights, save_weights

__all__ = [
    "FileError",
    "clone_model",
    "custom_object_scope",
    "get_custom_objects",
    "load_model",
    "load_weights",
    "model_from_json",
    "register_keras_serializable",
    "register_serializable",
    "registered_name",
    "save_model",
    "save_weights",
    "to_json",
]
