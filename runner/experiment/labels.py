"""Labels: short names that distinguish the settings of an experiment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.contracts.parameters import is_seed

Scalar = float | int | str | bool | None


@dataclass(frozen=True)
class Labels:
    """The labels of the settings of one axis.

    Attributes:
        labels: the label of each setting: the name of its plugin and, in brackets, the parameters in which settings of this
            plugin differ.
        swept: for each label, the numeric parameters in which its settings differ and which the label leaves out.
    """

    labels: tuple[str, ...]
    swept: Mapping[str, tuple[str, ...]]


def label(settings: Sequence[tuple[str, Mapping[str, Scalar]]], numbers: bool) -> Labels:
    """Return labels for the settings of one axis.

    Args:
        settings: the name of each setting's plugin, and its parameters.
        numbers: True to write numeric parameters into the label; otherwise they are reported as swept, except seeds, which are
            left out.
    """
    groups: dict[str, list[Mapping[str, Scalar]]] = defaultdict(list)
    for name, parameters in settings:
        groups[name].append(parameters)
    swept: dict[str, tuple[str, ...]] = {}
    texts: dict[str, dict[str, dict[Scalar, str]]] = {}
    for name, group in groups.items():
        columns = {key: [parameters.get(key) for parameters in group] for key in group[0]}
        varied = {
            key: values
            for key, values in columns.items()
            if any(value != values[0] for value in values) and (numbers or not is_seed(key))
        }
        swept[name] = tuple(key for key, values in varied.items() if not numbers and all(map(_is_number, values)))
        texts[name] = {key: _texts(values) for key, values in varied.items() if key not in swept[name]}
    labels = []
    for name, parameters in settings:
        shown = [f"{key}={text[parameters.get(key)]}" for key, text in texts[name].items()]
        labels.append(f"{name}({', '.join(shown)})" if shown else name)
    return Labels(tuple(labels), {text: swept[name] for text, (name, _) in zip(labels, settings, strict=True)})


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _texts(values: Sequence[Scalar]) -> dict[Scalar, str]:
    """Return a text for each value. If the short texts are not all different, the texts have all digits and quotation marks."""
    short = {value: f"{value:.6g}" if isinstance(value, float) else str(value) for value in values}
    texts = short if len(set(short.values())) == len(short) else {value: repr(value) for value in values}
    return {value: text.lower() if isinstance(value, bool) else text for value, text in texts.items()}
