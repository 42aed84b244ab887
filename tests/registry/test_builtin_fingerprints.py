"""The code fingerprints of the built-in plugins, which decide if stored runs are computed again."""

from __future__ import annotations

import json

from runner.registry.registry import Registry
from tests.support.paths import ASSETS

KEPT = ASSETS / "builtin_fingerprints.json"
FINGERPRINTED = ("objective", "gradient", "optimizer")


def test_the_built_in_plugins_have_the_code_of_stored_runs() -> None:
    """If a fingerprint changes, every stored run of the plugin is computed again.

    If the plugin's code must change, change the file `tests/assets/builtin_fingerprints.json` in the same commit, and say in
    CHANGELOG.md which runs are computed again. A string below a constant counts as code, unlike a docstring.
    """
    found = {
        f"{offer.kind} {offer.name}": offer.fingerprint
        for offer in Registry().offers()
        if offer.kind in FINGERPRINTED and offer.distribution == "gradient-runner"
    }
    assert found == json.loads(KEPT.read_text(encoding="utf-8"))
