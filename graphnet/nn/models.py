"""Models and what is done with them as a whole, under Keras' names."""

from graphnet.nn.saving import clone_model, load_model, model_from_json, save_model
from graphnet.nn.sequential import Sequential
from graphnet.nn.training import Model

__all__ = ["Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]
