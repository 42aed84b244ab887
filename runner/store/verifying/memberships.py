"""Whether experiments have the runs of their grids, each at its place, and every run belongs to one."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator

from sqlalchemy import Connection, text

DOUBLED = """
    SELECT e.name, m.position, count(*) FROM experiment_run m JOIN experiment e ON e.id = m.experiment_id
    GROUP BY e.id, e.name, m.position HAVING count(*) > 1 ORDER BY e.id, m.position"""
TWICE = """
    SELECT e.name, r.identity, count(*) FROM experiment_run m JOIN experiment e ON e.id = m.experiment_id
    JOIN run r ON r.id = m.run_id GROUP BY e.id, e.name, r.identity HAVING count(*) > 1 ORDER BY e.id, r.identity"""
ABSENT = """
    SELECT m.experiment_id, m.run_id FROM experiment_run m LEFT JOIN run r ON r.id = m.run_id
    WHERE r.id IS NULL ORDER BY m.experiment_id, m.run_id"""
# What makes a run current, and what takes one out of an experiment, leaves each current run in at least one.
HOMELESS = """
    SELECT r.id FROM run r WHERE r.superseded_by IS NULL
    AND NOT EXISTS (SELECT 1 FROM experiment_run m WHERE m.run_id = r.id) ORDER BY r.id"""
GRIDS = """
    SELECT e.id, e.name, e.digest, r.identity FROM experiment e
    LEFT JOIN experiment_run m ON m.experiment_id = e.id LEFT JOIN run r ON r.id = m.run_id ORDER BY e.id"""


def wrong_with_memberships(connection: Connection) -> Iterator[str]:
    """Give what is wrong, a sentence each."""
    for name, position, count in connection.execute(text(DOUBLED)):
        yield f"experiment {name}: {count} runs stand at place {position} of its grid"
    for name, identity, count in connection.execute(text(TWICE)):
        yield f"experiment {name}: has {count} runs with the identity {identity[:12]}"
    for experiment, run in connection.execute(text(ABSENT)):
        yield f"experiment {experiment}: run {run} of it is not there"
    for (run,) in connection.execute(text(HOMELESS)):
        yield f"run {run}: belongs to no experiment"


def incomplete(connection: Connection) -> Iterator[str]:
    """Say of which experiments the runs are not the whole grid: it was interrupted, say, or some of its runs were deleted."""
    rows = connection.execute(text(GRIDS))
    for (_, name, digest), members in itertools.groupby(rows, key=lambda row: (row.id, row.name, row.digest)):
        identities = sorted(row.identity for row in members if row.identity is not None)
        if hashlib.sha256("\n".join(identities).encode()).hexdigest() != digest:
            yield f"experiment {name}: incomplete; {len(identities):,} runs are there, which are not its whole grid"
