"""The check of memberships: each experiment has the runs of its grid, and each run belongs to an experiment."""

from __future__ import annotations

import hashlib
import itertools

from sqlalchemy import Connection, text

from runner.store.verifying.part import VerifiedPart

POSITIONS_WITH_SEVERAL_RUNS = """
    SELECT e.name, m.position, count(*) FROM experiment_run m JOIN experiment e ON e.id = m.experiment_id
    GROUP BY e.id, e.name, m.position HAVING count(*) > 1 ORDER BY e.id, m.position"""
IDENTITIES_WITH_SEVERAL_RUNS = """
    SELECT e.name, r.identity, count(*) FROM experiment_run m JOIN experiment e ON e.id = m.experiment_id
    JOIN run r ON r.id = m.run_id GROUP BY e.id, e.name, r.identity HAVING count(*) > 1 ORDER BY e.id, r.identity"""
MISSING_RUNS = """
    SELECT m.experiment_id, m.run_id FROM experiment_run m LEFT JOIN run r ON r.id = m.run_id
    WHERE r.id IS NULL ORDER BY m.experiment_id, m.run_id"""
# Every command that writes leaves each current run in at least one experiment.
RUNS_WITHOUT_EXPERIMENT = """
    SELECT r.id FROM run r WHERE r.superseded_by IS NULL
    AND NOT EXISTS (SELECT 1 FROM experiment_run m WHERE m.run_id = r.id) ORDER BY r.id"""
IDENTITIES_OF_EXPERIMENTS = """
    SELECT e.id, e.name, e.digest, r.identity FROM experiment e
    LEFT JOIN experiment_run m ON m.experiment_id = e.id LEFT JOIN run r ON r.id = m.run_id ORDER BY e.id"""


def check_memberships(connection: Connection, part: VerifiedPart) -> None:
    """Check the rows of table `experiment_run`, and note each incomplete experiment.

    An experiment is incomplete after its sweep was interrupted or some of its runs were deleted, so this is not damage.
    """
    part.count = int(connection.execute(text("SELECT count(*) FROM experiment_run")).scalar_one())
    for name, position, count in connection.execute(text(POSITIONS_WITH_SEVERAL_RUNS)):
        part.problems.append(f"experiment {name}: {count} runs have position {position} of its grid")
    for name, identity, count in connection.execute(text(IDENTITIES_WITH_SEVERAL_RUNS)):
        part.problems.append(f"experiment {name}: {count} of its runs have the identity {identity[:12]}")
    for experiment, run in connection.execute(text(MISSING_RUNS)):
        part.problems.append(f"experiment {experiment}: its run {run} is missing")
    for (run,) in connection.execute(text(RUNS_WITHOUT_EXPERIMENT)):
        part.problems.append(f"run {run}: belongs to no experiment")
    rows = connection.execute(text(IDENTITIES_OF_EXPERIMENTS))
    for (_, name, digest), members in itertools.groupby(rows, key=lambda row: (row.id, row.name, row.digest)):
        identities = sorted(row.identity for row in members if row.identity is not None)
        if hashlib.sha256("\n".join(identities).encode()).hexdigest() != digest:
            part.notes.append(f"experiment {name}: is incomplete: its {len(identities):,} stored runs are not the whole grid")
