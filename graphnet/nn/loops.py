"""The loops around steps: one epoch of training, one pass of a validation or evaluation, and the hooks in them."""

from __future__ import annotations

import warnings
from typing import Any

from graphnet.nn.callbacks.base import CallbackList
from graphnet.nn.data import Source
from graphnet.nn.interrupt import Interruption
from graphnet.nn.step import Steps


def train_epoch(
    model: Any,
    steps: Steps,
    batches: Source,
    listed: CallbackList,
    progress: list[Any],
    interruption: Interruption,
) -> None:
    """Learn from the batches of one epoch, from where the model's run stands."""
    every_batch = listed.listens("on_train_batch_end", besides=progress)
    run = model.run
    assert run is not None
    together, number, waiting = steps.steps_per_execution, -1, False
    for number, (xb, yb, wb) in enumerate(batches.epoch(run.batch), run.batch):
        interruption.check()
        if number % together == 0:
            listed.call("on_train_batch_begin", number, {})
        steps.learn(xb, yb, wb)
        run.batch = number + 1
        waiting = (number + 1) % together != 0
        if not waiting:
            listed.call("on_train_batch_end", number, steps.logs() if every_batch or due(progress) else {})
        interruption.check()
        if model.stop_training:
            break
    if waiting:
        listed.call("on_train_batch_end", number, steps.logs() if every_batch or due(progress) else {})


def look_through(
    model: Any,
    steps: Steps,
    batches: Source,
    listed: CallbackList,
    progress: list[Any],
    interruption: Interruption | None = None,
) -> dict[str, float]:
    """Loss and metrics of all batches, as logs; none if there are no batches."""
    steps.reset()
    every_batch = listed.listens("on_test_batch_end", besides=progress)
    model.stop_evaluating = False
    listed.call("on_test_begin", {})
    together, number, waiting = steps.steps_per_execution, -1, False
    for number, (xb, yb, wb) in enumerate(batches.epoch()):
        if number % together == 0:
            listed.call("on_test_batch_begin", number, {})
        steps.look(xb, yb, wb)
        waiting = (number + 1) % together != 0
        if not waiting:
            listed.call("on_test_batch_end", number, steps.logs("test") if every_batch or due(progress) else {})
        if interruption is not None:
            interruption.check()
        if model.stop_evaluating:
            break
    if waiting:
        listed.call("on_test_batch_end", number, steps.logs("test") if every_batch or due(progress) else {})
    if number < 0:
        warnings.warn("the validation data is used up: give data that can be gone through anew.", stacklevel=4)
    elif batches.short and not model.stop_evaluating:
        too_short(batches, "validation_steps or steps")
    logs = steps.logs("test") if number >= 0 else {}
    listed.call("on_test_end", logs)
    return logs


def due(progress: list[Any]) -> bool:
    """Whether a bar wants to be redrawn."""
    return bool(progress) and progress[0].due()


def ran_out(source: Source, done: int, wanted: int) -> None:
    """Say that there is no batch for the next epoch."""
    reason = (
        "an iterator or generator can be gone through only once. Give data that can be gone through anew, such as an "
        "object with __len__ and __getitem__, or an endless generator with steps_per_epoch"
        if source.once
        else "it gave no batch"
    )
    warnings.warn(f"the data is used up after {done} of {wanted} epochs: {reason}.", stacklevel=3)


def too_short(source: Source, what: str) -> None:
    """Say that an epoch had fewer batches than were asked for."""
    warnings.warn(
        f"your input ran out of data: {what} is {source.limit}, and there were {source.taken} batches.",
        stacklevel=3,
    )
