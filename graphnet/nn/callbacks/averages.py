"""A callback that evaluates and predicts with the moving averages of the weights in their place."""

from __future__ import annotations

from graphnet.nn.callbacks.base import Callback, Logs


class SwapEMAWeights(Callback):
    """Put the optimizer's averages in the place of the weights while a validation, evaluation or prediction runs.

    The optimizer keeps averages with `use_ema=True`. With `swap_on_epoch` they are also in place from the end of an
    epoch to the begin of the next, so that callbacks that save the model save them (Polyak and Juditsky, "Acceleration
    of stochastic approximation by averaging", 1992).

    Raises `ValueError` for an optimizer that keeps no averages.
    """

    def __init__(self, swap_on_epoch: bool = False):
        super().__init__()
        self.swap_on_epoch = swap_on_epoch

    def put(self, averages: bool) -> None:
        """Have the averages in place, or the weights."""
        optimizer = self.model.optimizer
        if optimizer is None or not optimizer.use_ema:
            raise ValueError("SwapEMAWeights needs an optimizer with use_ema=True, which keeps averages.")
        if averages != optimizer.swapped:
            optimizer.swap()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.put(False)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if self.swap_on_epoch:
            self.put(True)

    def on_test_begin(self, logs: Logs = None) -> None:
        self.put(True)

    def on_test_end(self, logs: Logs = None) -> None:
        self.put(False)

    def on_predict_begin(self, logs: Logs = None) -> None:
        self.put(True)

    def on_predict_end(self, logs: Logs = None) -> None:
        self.put(False)
