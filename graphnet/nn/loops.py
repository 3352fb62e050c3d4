"""The loops around steps: one epoch of training, one pass of a validation or evaluation, and the hooks in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphnet.mode import warn
from graphnet.nn.callbacks.base import CallbackList, Told
from graphnet.nn.data import Source, whole
from graphnet.nn.interrupt import Interruption
from graphnet.nn.step import Steps
from graphnet.nn.structures import joined


def train_epochs(
    model: Any, steps: Steps, epochs: range, validates: Callable[[int], bool], progress: list[Any], told: Told
) -> None:
    """Learn through `epochs`, from where the model's run stands, and look at validations after those that `validates`
    names, counted from 1. `told` has the logs of the last one."""
    run = model.run
    train, validation, listed = run.train, run.validation, run.callbacks
    with steps.waits_told(progress), Interruption() as interruption:
        for epoch in range(run.epoch, epochs.stop):
            if model.stop_training:
                break
            if not train.more():
                if not train.short:
                    ran_out(train, epoch - epochs.start, epochs.stop - epochs.start)
                break
            if not run.batch:
                steps.reset()
            listed.params["steps"] = train.steps
            listed.call("on_epoch_begin", epoch, {})
            train_epoch(model, steps, train, listed, progress, interruption)
            logs = told.logs = steps.logs()
            if not model.stop_training and train.short:
                too_short(train, "steps_per_epoch")
            if validation is not None and validates(epoch + 1):
                found = look_through(model, steps, validation, listed, progress, interruption)
                listed.params["validation_steps"] = validation.steps
                logs.update({f"val_{k}": v for k, v in found.items()})
            run.epoch, run.batch = epoch + 1, 0
            listed.call("on_epoch_end", epoch, logs)
        run.done = True


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
    begins, ends = listed.called("on_train_batch_begin"), listed.called("on_train_batch_end")
    for number, (xb, yb, wb) in enumerate(batches.epoch(run.batch), run.batch):
        interruption.check()
        if begins and number % together == 0:
            listed.call("on_train_batch_begin", number, {})
        interruption.in_step = True
        try:
            steps.learn(xb, yb, wb)
        finally:
            interruption.in_step = False
        run.batch = number + 1
        waiting = (number + 1) % together != 0
        if ends and not waiting:
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
    begins, ends = listed.called("on_test_batch_begin"), listed.called("on_test_batch_end")
    model.stop_evaluating = False
    with listed.around("test") as told:
        together, number, waiting = steps.steps_per_execution, -1, False
        for number, (xb, yb, wb) in enumerate(batches.epoch()):
            if begins and number % together == 0:
                listed.call("on_test_batch_begin", number, {})
            steps.look(xb, yb, wb)
            waiting = (number + 1) % together != 0
            if ends and not waiting:
                listed.call("on_test_batch_end", number, steps.logs("test") if every_batch or due(progress) else {})
            if interruption is not None:
                interruption.check()
            if model.stop_evaluating:
                break
        if waiting:
            listed.call("on_test_batch_end", number, steps.logs("test") if every_batch or due(progress) else {})
        if number < 0:
            warn("the validation data is used up: give data that can be gone through anew.")
        elif batches.short and not model.stop_evaluating:
            too_short(batches, "validation_steps or steps")
        told.logs = steps.logs("test") if number >= 0 else {}
    return told.logs


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
    warn(f"the data is used up after {done} of {wanted} epochs: {reason}.")


def too_short(source: Source, what: str) -> None:
    """Say that an epoch had fewer batches than were asked for."""
    warn(f"your input ran out of data: {what} is {source.limit}, and there were {source.taken} batches.")


def predict_through(model: Any, batches: Source, listed: CallbackList) -> Any:
    """The outputs for all batches, one after the other, in the containers in which the model gives them."""
    outputs = []
    model.stop_predicting = False
    begins, ends = listed.called("on_predict_batch_begin"), listed.called("on_predict_batch_end")
    with listed.around("predict"):
        for number, (xb, _, _) in enumerate(batches.epoch()):
            if begins:
                listed.call("on_predict_batch_begin", number, {})
            outputs.append(model._predicted(xb))
            if ends:
                listed.call("on_predict_batch_end", number, {"outputs": outputs[-1]})
            if model.stop_predicting:
                break
    if not outputs:
        raise ValueError("x gave no batch: an iterator or generator can be gone through only once.")
    if batches.short and not model.stop_predicting:
        too_short(batches, "steps")
    return joined(outputs)


def frequency(freq: Any) -> Callable[[int], bool]:
    """Whether an epoch, counted from 1, is one to validate in: every so many, or those that are listed."""
    if isinstance(freq, (list, tuple, set, range)):
        wanted = {whole(n, "an epoch in validation_freq") for n in freq}
        return lambda epoch: epoch in wanted
    every = whole(freq, "validation_freq")
    return lambda epoch: epoch % every == 0
