"""`pad_sequences` under the name that older scripts import it by."""

from graphnet.nn.sequences import pad_sequences

__all__ = ["pad_sequences"]
