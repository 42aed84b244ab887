"""The place that a run reached is the same in SQL, in filters, in records and in figures, on SQLite and on PostgreSQL."""

from __future__ import annotations

import math
import random
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

import runner
from runner.contracts.reached import REACHED
from runner.store.connection import Database
from runner.store.reading.stored_results import read_results
from tests.support.database_rows import run_into

MINIMA = (0.0, -3.0, 1e6)
GAPS = (0.0, 1e-15, -1e-15, 1e-7, -1e-7, 9.9e-7, 1.1e-6, 1e-3, -1e-3, 0.5, -0.5, 1e9, -1e9, math.inf, -math.inf, math.nan)


def scatter(name: str, generator: random.Random) -> None:
    """Give every run of a database other results, as an engine could have stored them."""
    with closing(Database(name)) as database, database.writing() as connection:
        for setting in connection.execute(text("SELECT setting_id FROM landmark")).scalars().all():
            minimum = {"setting": setting, "value": generator.choice(MINIMA)}
            connection.execute(text("UPDATE landmark SET minimum_value = :value WHERE setting_id = :setting"), minimum)
        minima = text("SELECT r.id, l.minimum_value FROM run r LEFT JOIN landmark l ON l.setting_id = r.objective_id")
        for number, minimum in connection.execute(minima).all():
            final = (minimum or 0.0) + generator.choice(GAPS)
            best = min(final, (minimum or 0.0) + generator.choice(GAPS[:-3]))
            final_class = "nan" if math.isnan(final) else "finite" if math.isfinite(final) else str(final)
            connection.execute(
                text(
                    "UPDATE run SET final_value = :final, final_value_class = :class, best_value = :best, "
                    "best_value_class = :best_class, at_rest = :rest, convex_gap_bound = :bound, value_error = :error, curvature_sign = :sign "
                    "WHERE id = :number"
                ),
                {
                    "number": number,
                    "final": None if math.isnan(final) else final,
                    "class": final_class,
                    "best": None if math.isnan(best) else best,
                    "best_class": "nan" if math.isnan(best) else "finite" if math.isfinite(best) else str(best),
                    "rest": generator.choice([True] * 6 + [False, None]),
                    "bound": generator.choice([None, 0.0, 1e-9, 1e-9, 0.01, 10.0]),
                    "error": generator.choice([None, 0.0, 1e-5, 1.0]),
                    "sign": generator.choice([None, "positive", "negative", "indefinite", "unknown"]),
                },
            )


@pytest.mark.parametrize("stop", ["", ", gap = 1e-3", ", gap = 0.0"])
@pytest.mark.parametrize("report", ["", "target = 1e-5", "target = 0.7"])
def test_every_way_to_ask_gives_the_same_answer(name: str, write, stop: str, report: str) -> None:
    experiment: Path = write(
        f"""
        name = "small"
        objective = [{{ name = "quadratic" }}, {{ name = "himmelblau" }}]
        gradient = [{{ name = "analytic" }}]
        optimizer = [{{ name = "gradient_descent", learning_rate = {{ values = [0.01, 0.02, 0.03] }} }}]
        start = {{ uniform = {{ count = 4, seed = 0 }} }}
        stop = {{ max_steps = 3{stop} }}
        report = {{ {report} }}
        """
    )
    run_into(experiment, name)
    generator, seen = random.Random(f"{stop}{report}"), set()
    for _ in range(12):
        scatter(name, generator)
        with closing(Database(name)) as database, database.reading() as connection:
            view = {row.id: row.reached for row in connection.execute(text("SELECT id, reached FROM runs"))}
            figures = {run.id: str(run.reached) for run in read_results(database, "small").runs}
        with runner.open(name) as asked:
            table = asked.runs(columns="id,reached")
            listed = dict(zip(table["id"].tolist(), list(table["reached"]), strict=True))
            records = {number: str(asked.run(number).reached) for number in view}
            found = {place: set(asked.runs(f'reached = "{place}"', columns="id")["id"].tolist()) for place in REACHED}
        assert view == listed == records == figures
        assert found == {place: {number for number, each in view.items() if each == place} for place in REACHED}
        seen |= set(view.values())
    assert seen == set(map(str, REACHED))
