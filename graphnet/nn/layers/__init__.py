"""The layers, one file for each idea: each class states its formula and its shapes."""

from graphnet.nn.layers.core import Activation, Dense, Dropout, Flatten, Input, InputLayer, dropped, table, whole

__all__ = ["Activation", "Dense", "Dropout", "Flatten", "Input", "InputLayer", "dropped", "table", "whole"]
