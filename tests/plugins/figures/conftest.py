"""Fixtures of the tests of figures."""

from __future__ import annotations

import pytest

from runner.store.reading.stored_results import StoredResults
from tests.support.experiments import compute
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory) -> StoredResults:
    path = tmp_path_factory.mktemp("regression") / "r.toml"
    path.write_bytes((ROOT / "experiments" / "linear_regression.toml").read_bytes())
    return compute(path)
