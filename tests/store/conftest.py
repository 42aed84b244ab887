"""Fixtures of the tests of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import runner
from tests.support.databases import opened, stored_in
from tests.support.filters import TWO_OPTIMIZERS


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """A function that names a new database, for each of the two systems."""
    if request.param == "postgresql":
        make: Callable[[], str] = request.getfixturevalue("server_database")
        return make
    names = iter(range(10))
    return lambda: str(tmp_path / f"r{next(names)}.db")


@pytest.fixture
def name(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def other_system(request: pytest.FixtureRequest, tmp_path: Path, name: str) -> str:
    """A new database of the other system."""
    if "://" in name:
        return str(tmp_path / "other.db")
    make: Callable[[], str] = request.getfixturevalue("server_database")
    return make()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with three optimizers, and a few numbers that are not finite."""
    database = stored_in(tmp_path_factory.mktemp("many"), TWO_OPTIMIZERS)
    with opened(database) as connection:
        connection.execute("UPDATE run SET final_value = NULL, final_value_class = 'nan' WHERE id = 2")
        connection.execute("UPDATE run SET final_value = NULL, final_value_class = '-nan' WHERE id = 7")
        connection.execute("UPDATE run SET final_value = 0, final_value_class = '-0.0' WHERE id = 5")
        connection.execute("UPDATE run SET best_value = 9e999, best_value_class = 'inf' WHERE id = 3")
        connection.execute("UPDATE run SET behaviour = CASE id % 3 WHEN 0 THEN 'oscillating' END")
    return database


@pytest.fixture(scope="module")
def stored(many: Path) -> Iterator[runner.ResultsDatabase]:
    with runner.open(str(many)) as database:
        yield database
