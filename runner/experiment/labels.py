"""Short names that tell apart the settings of an experiment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Scalar = float | int | str | bool | None


@dataclass(frozen=True)
class Labels:
    """How the settings of one axis are called.

    Attributes:
        labels: for each setting, its plugin's name, and in brackets the parameters in which settings of that name differ.
        swept: for each label, the numeric parameters in which its settings differ; they are not in the label.
    """

    labels: tuple[str, ...]
    swept: Mapping[str, tuple[str, ...]]


def label(settings: Sequence[tuple[str, Mapping[str, Scalar]]], numbers: bool) -> Labels:
    """Name the settings of one axis, each given as a plugin's name and its parameters.

    Args:
        settings: name and parameters of each.
        numbers: whether numeric parameters go into the label; where not, they are reported as swept.
    """
    named: dict[str, list[Mapping[str, Scalar]]] = defaultdict(list)
    for name, parameters in settings:
        named[name].append(parameters)
    varied = {name: _varied(group) for name, group in named.items()}
    swept = {
        name: tuple(key for key in keys if not numbers and all(_is_number(parameters.get(key)) for parameters in named[name]))
        for name, keys in varied.items()
    }
    shown = {name: [key for key in keys if key not in swept[name]] for name, keys in varied.items()}
    texts = {
        name: {key: _texts([parameters.get(key) for parameters in named[name]]) for key in keys} for name, keys in shown.items()
    }
    labels = [_text(name, {key: texts[name][key][parameters.get(key)] for key in shown[name]}) for name, parameters in settings]
    names = [name for name, _ in settings]
    return Labels(tuple(labels), {text: swept[name] for text, name in zip(labels, names, strict=True)})


def _varied(group: Sequence[Mapping[str, Scalar]]) -> list[str]:
    first = group[0]
    return [key for key in first if any(parameters.get(key) != first[key] for parameters in group)]


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(name: str, parameters: Mapping[str, str]) -> str:
    if not parameters:
        return name
    return f"{name}({', '.join(f'{key}={value}' for key, value in parameters.items())})"


def _texts(values: Sequence[Scalar]) -> dict[Scalar, str]:
    """Return each value as text: short, unless that makes two the same."""
    short = {value: f"{value:.6g}" if isinstance(value, float) else _in_full(value, str) for value in values}
    return short if len(set(short.values())) == len(short) else {value: _in_full(value, repr) for value in values}


def _in_full(value: Scalar, write: Callable[[Scalar], str]) -> str:
    return str(value).lower() if isinstance(value, bool) else write(value)
