"""What the metrics of several outputs are called in logs, as Keras calls them."""

from __future__ import annotations

from typing import Any


def labelled(outputs: list[tuple[tuple[Any, ...], list[Any], list[Any]]]) -> dict[Any, str]:
    """A name for each metric, of outputs `(path, metrics, weighted metrics)`.

    It is the metric's, after the keys of the output (`a_accuracy`). Of two that are called the same, a weighted metric
    is `weighted_` that, and in a list of outputs the second ends in `_1`. Raises `ValueError` for two of one output.
    """
    found: dict[Any, str] = {}
    taken: set[str] = {"loss"}
    several = len(outputs) > 1
    for weighs in (False, True):
        for path, plain, weighted in outputs:
            prefix = "/".join(key for key in path if isinstance(key, str)) if several else ""
            own: set[str] = set()
            for metric in weighted if weighs else plain:
                if metric.name in own or (not prefix and metric.name == "loss"):
                    raise ValueError(f"two metrics are named {metric.name!r}: give one of them another name=.")
                own.add(metric.name)
                name = metric.name
                label = _after(prefix, name)
                if weighs and label in taken:
                    name = f"weighted_{name}"
                    label = _after(prefix, name)
                base, count = label, 0
                while label in taken:
                    if not several:
                        raise ValueError(f"two metrics are named {name!r}: give one of them another name=.")
                    count += 1
                    label = f"{base}_{count}"
                taken.add(label)
                found[metric] = label
    return found


def _after(prefix: str, name: str) -> str:
    return f"{prefix}_{name}" if prefix else name
