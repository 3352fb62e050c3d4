"""`TensorBoard`: event files of a training, written by the library tensorboardX."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from graphnet.escape import file_name, line
from graphnet.extras import install
from graphnet.mode import warn
from graphnet.nn.callbacks.base import Callback, Logs
from graphnet.nn.data import whole
from graphnet.nn.probe import Probe
from graphnet.optional import optional

_number = itertools.count()


class TensorBoard(Callback):
    """Write what TensorBoard shows into `log_dir`: `tensorboard --logdir logs`.

    As Keras has it: training is in `log_dir/train`, validation in `log_dir/validation`, and each epoch has
    `epoch_loss`, `epoch_accuracy` and so on, counted from 0.

    * `histogram_freq`: every so many epochs histograms of all weights, and of their gradients on the latest batch
      (`.../gradient`); 0 for none. Looking at gradients changes nothing in the training;
    * `write_graph`: the model's graph, as text; `write_images`: weights of two axes as images, with the histograms;
    * `update_freq`: "epoch"; or "batch" or a number, and `batch_loss` and so on are written every so many batches too;
    * `write_steps_per_second`: `epoch_steps_per_second` too;
    * `embeddings_freq`: every so many epochs the weights of all Embedding layers, for TensorBoard's projector;
      `embeddings_metadata` is a file with a label on each line, or a dict of them by the layers' names.

    Each training has files of its own in these folders, so that one into the same folder adds to what is there.
    `profile_batch` is there for code written for Keras: nothing is profiled here, and a value that asks for it gives a
    warning.

    Raises `ImportError` in one line where tensorboardX is missing.
    """

    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Any = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ):
        super().__init__()
        self._writer_of = _summary_writer()
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = whole(histogram_freq, "histogram_freq", 0)
        if update_freq not in ("epoch", "batch"):
            update_freq = whole(update_freq, "update_freq, where it is neither 'epoch' nor 'batch',")
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.write_graph, self.write_images = write_graph, write_images
        self.write_steps_per_second = write_steps_per_second
        self.profile_batch = profile_batch
        if profile_batch:
            warn(
                f"TensorBoard: profile_batch={profile_batch!r} profiles nothing here; model.plan.profile() tells where "
                "the time of a step goes."
            )
        self.embeddings_freq = whole(embeddings_freq, "embeddings_freq", 0)
        self.embeddings_metadata = embeddings_metadata
        self._writers: dict[str, Any] = {}
        self._batches = 0
        self._probe: Probe | None = None
        if self.update_freq == "epoch" and not write_steps_per_second:
            return
        # A hook of its own: where nothing is written for each batch, nothing is computed for it.
        self.on_train_batch_end = self._batch_end  # type: ignore[method-assign]

    def on_train_begin(self, logs: Logs = None) -> None:
        if self.histogram_freq:
            self._probe = Probe(self.model)
        if self.write_graph:
            try:
                text = str(self.model.graph())
            except Exception as error:
                text = f"the graph cannot be had: {error}"
            indented = "\n".join(f"    {line}" for line in text.splitlines())
            self._writer("train").add_text("graph", indented, 0)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._begun, self._first = time.perf_counter(), self._batches

    def _batch_end(self, batch: int, logs: Logs = None) -> None:
        self._batches += 1
        if self.update_freq != "epoch" and self._batches % self.update_freq == 0:
            for key, value in (logs or {}).items():
                self._writer("train").add_scalar(f"batch_{line(key)}", float(value), self._batches - 1)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        for key, value in (logs or {}).items():
            validation = key.startswith("val_")
            writer = self._writer("validation" if validation else "train")
            writer.add_scalar(f"epoch_{line(key.removeprefix('val_'))}", float(value), epoch)
        if self.write_steps_per_second:
            pace = (self._batches - self._first) / max(time.perf_counter() - self._begun, 1e-9)
            self._writer("train").add_scalar("epoch_steps_per_second", pace, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._histograms(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._embeddings(epoch)
        for writer in self._writers.values():
            writer.flush()

    def _histograms(self, epoch: int) -> None:
        writer = self._writer("train")
        slopes = (self._probe() if self._probe is not None else None) or {}
        for w in self.model.weights:
            name, values = w.name or "weight", w.numpy()
            for tag, array in ((f"{name}/histogram", values), (f"{name}/gradient", slopes.get(w))):
                if array is not None and array.dtype.kind == "f" and array.size and np.isfinite(array).all():
                    writer.add_histogram(line(tag), np.asarray(array, np.float64), epoch)
            if self.write_images and values.ndim == 2:
                low, high = float(values.min()), float(values.max())
                image = (values - low) / (high - low) if high > low else np.zeros_like(values)
                writer.add_image(f"{line(name)}/image", image, epoch, dataformats="HW")

    def _embeddings(self, epoch: int) -> None:
        from graphnet.nn.layers import Embedding

        for place, layer in enumerate(self.model.walk()):
            if isinstance(layer, Embedding) and layer.embeddings is not None:
                file = self.embeddings_metadata
                file = file.get(layer.name) if isinstance(file, dict) else file
                labels = None if file is None else Path(file).read_text("utf-8").splitlines()
                table = layer.embeddings.numpy()
                if labels is not None and len(labels) != len(table):
                    raise ValueError(
                        f"TensorBoard: {file} has {len(labels)} lines for the {len(table)} rows of '{layer.name}'."
                    )
                # It names a folder.
                tag = file_name(layer.name)
                tag = tag if tag == layer.name else f"{place}_{tag}"
                self._writer("train").add_embedding(table, labels, tag=tag, global_step=epoch)

    def on_train_end(self, logs: Logs = None) -> None:
        if self._probe is not None:
            self._probe.close()
            self._probe = None
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def _writer(self, part: str) -> Any:
        if part not in self._writers:
            # tensorboardX names a file by the second in which it begins.
            suffix = f".{os.getpid()}.{next(_number)}"
            self._writers[part] = self._writer_of(os.path.join(self.log_dir, part), filename_suffix=suffix)
        return self._writers[part]


def _summary_writer() -> Any:
    try:
        return optional("tensorboardX").SummaryWriter
    except ImportError:
        raise ImportError(f"TensorBoard needs tensorboardX: {install('tensorboard')}") from None
