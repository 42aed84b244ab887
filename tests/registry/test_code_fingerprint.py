"""The fingerprint of a plugin's code."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path

import pytest

from runner.contracts.optimizer import Optimizer
from runner.errors import PluginError
from runner.registry.code_fingerprint import fingerprint
from runner.registry.registry import Registry

REGISTRY = Registry()
CODE = '''
"""The module."""
from dataclasses import dataclass

from runner import Optimizer

RATE = 0.5


@dataclass(frozen=True)
class Walk(Optimizer):
    """The class."""

    pace: float = 1.0

    def step(self, point, memory):
        """The method."""
        return point.x - RATE * self.pace * point.gradient, memory
'''


def plugin_of(source: str, folder: Path, name: str = "fingerprinted") -> type:
    """Write a module into a folder and return its class `Walk`."""
    path = folder / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # The usual loader would run cached bytecode after an edit of the same length and time.
    exec(compile(source, str(path), "exec"), vars(module))
    return vars(module)["Walk"]


class TestFingerprints:
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('"""The module."""', '"""Another text."""'),
            ('"""The module."""\n', ""),
            ('    """The class."""\n', ""),
            ('"""The class."""', "'''The\n    class, at length.\n    '''"),
            ('        """The method."""\n', "        # a remark\n"),
            ("RATE = 0.5", "RATE = 5e-1  # half"),
            ("RATE = 0.5", "RATE = (0.5)\n\n\n"),
            ("return point.x - RATE * self.pace * point.gradient, memory",
             "return (\n            point.x - (RATE * self.pace) * point.gradient,\n            memory,\n        )"),
            ("self, point, memory", "self, point, memory,"),
        ],
    )  # fmt: skip
    def test_comments_docstrings_and_layout_do_not_count(self, tmp_path, old: str, new: str):
        assert CODE.count(old) == 1
        assert fingerprint(plugin_of(CODE.replace(old, new), tmp_path)) == fingerprint(plugin_of(CODE, tmp_path))

    EDITS = (
        ("RATE = 0.5", "RATE = 0.4"),
        ("RATE = 0.5", "RATE = 1"),
        ("RATE = 0.5", "RATE = 1.0"),
        ("RATE = 0.5", "RATE = True"),
        ("RATE = 0.5", "RATE = '1'"),
        ("RATE = 0.5", "RATE = b'1'"),
        ("pace: float = 1.0", "pace: float = 2.0"),
        ("pace: float = 1.0", "pace: int = 1.0"),
        ("point.x -", "point.x +"),
        ("RATE * self.pace * point.gradient", "RATE * (self.pace * point.gradient)"),
        ("self, point, memory", "self, point, memory=None"),
        ("        return", "        print('a text that is not a docstring')\n        return"),
        ("        return", "        'a text that is not a docstring'\n        return"),
        ("class Walk(Optimizer):", "class Walk(Optimizer, object):"),
        ("\nRATE", "\nimport os\nRATE"),
    )

    def test_changed_code_changes_the_fingerprint(self, tmp_path):
        told = [fingerprint(plugin_of(CODE, tmp_path))]
        for old, new in self.EDITS:
            assert CODE.count(old) == 1
            told.append(fingerprint(plugin_of(CODE.replace(old, new), tmp_path)))
        assert len(set(told)) == len(self.EDITS) + 1, "each edit differs from the original and from every other"

    def test_base_class_in_another_file_counts(self, tmp_path):
        child = "from other_base import Walk as Base\nclass Walk(Base):\n    pass\n"
        told = []
        for rate in ("0.5", "0.4"):
            plugin_of(CODE.replace("0.5", rate), tmp_path, "other_base")
            told.append(fingerprint(plugin_of(child, tmp_path)))
        assert told[0] != told[1]

    def test_this_packages_own_classes_do_not_count(self):
        assert fingerprint(Optimizer) == hashlib.sha256().hexdigest(), "the engine's version is part of the identity instead"

    def test_code_that_cannot_be_read_is_refused(self, tmp_path):
        plugin = plugin_of(CODE, tmp_path, "sourceless")
        sys.modules["sourceless"].__spec__ = None
        message = "^the source code of sourceless cannot be read, so a change would go unnoticed; keep its .py file$"
        with pytest.raises(PluginError, match=message):
            fingerprint(plugin)

    def test_every_installed_plugin_has_a_fingerprint(self):
        told = [offer.fingerprint for offer in REGISTRY.offers()]
        assert len(set(told)) == len(told)
