"""`runner verify`: all damage is found and named."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import runner
from runner.contracts.outcomes import BEHAVIOURS, OUTCOMES
from runner.store.connection import Database
from runner.store.run_columns import NUMBER_CLASSES
from runner.store.verifying.part import VerifiedPart
from runner.store.verifying.verify import verify
from tests.support.databases import opened, run_into

PARTS = [
    "pages",
    "references",
    "layout",
    "values",
    "settings",
    "parameters",
    "starts",
    "environments",
    "runs",
    "trajectories",
    "memberships",
]
# 816 learning rates × 10 starts; two numbers at each of two iterates: 32 bytes for each run.
FLIPPED = """\
objective = [{ name = "quadratic" }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "gradient_descent", learning_rate = { linspace = [0.01, 0.4], num = 816 } }]
start = { uniform = { low = 1.0, high = 2.0, count = 10, seed = 0 } }
stop = { max_steps = 1 }
record = { x = false }
"""
WRAPPING = """\
objective = [{ name = "l2", penalty = 0.01, objective = { name = "neural_network", data_set = "moons", hidden = [8, 8] } }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "gradient_descent", learning_rate = 0.1 }]
start = { initialisation = { count = 1, seed = 0 } }
stop = { max_steps = 1, divergence_limit = inf }
"""


def checked(path: Path) -> dict[str, VerifiedPart]:
    database = Database(str(path))
    found = {part.name: part for part in verify(database)}
    database.close()
    return found


def problems(path: Path) -> list[str]:
    return [problem for part in checked(path).values() for problem in part.problems]


@pytest.fixture
def database(tmp_path: Path, write: Callable[..., Path]) -> Path:
    run_into(write(), tmp_path / "r.db")
    return tmp_path / "r.db"


def test_sound_database_is_reported_check_by_check(database, runner_cli):
    done = runner_cli("verify", "--db", "r.db")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == PARTS
    assert [line.split()[-1] for line in lines[:-1]] == ["ok"] * len(PARTS)
    assert lines[8].split() == ["runs", "12", "ok"]
    assert lines[-1] == "r.db: intact"


def test_change_of_any_byte_of_a_trajectory_is_noticed(tmp_path, write):
    run_into(write(FLIPPED, "flipped.toml"), tmp_path / "r.db")
    flips = [(place, change) for place in range(32) for change in range(1, 256)]
    with opened(tmp_path / "r.db") as connection:
        chunks = connection.execute("SELECT run_id, data FROM chunk ORDER BY run_id").fetchall()
        assert {len(data) for _, data in chunks} == {32}
        assert len(chunks) == len(flips)
        damaged = []
        for (run_id, data), (place, change) in zip(chunks, flips, strict=True):
            flipped = bytearray(data)
            flipped[place] ^= change
            damaged.append((bytes(flipped), run_id))
        connection.executemany("UPDATE chunk SET data = ? WHERE run_id = ?", damaged)
    assert checked(tmp_path / "r.db")["trajectories"].problems == [
        f"run {run_id}: the chunk at step 0 does not match its checksum" for run_id, _ in chunks
    ]


DAMAGE = {
    "UPDATE run SET identity = 'x' WHERE id = 2": [
        "table run, id 2: identity is 'x', and must be a text in UTF-8 of 64 characters",
        "run 2: its identity is not that of its plugins, rules and start",
        "run 2: the chunk at step 0 does not match its checksum",
    ],
    "UPDATE run SET outcome = 'fine' WHERE id = 2": [
        f"table run, id 2: outcome is 'fine', and must be one of {', '.join(OUTCOMES)}"
    ],
    "UPDATE run SET behaviour = CAST(x'ff' AS TEXT) WHERE id = 2": [
        f"table run, id 2: behaviour is '\\\\xff', and must be one of {', '.join(BEHAVIOURS)}, or null"
    ],
    "UPDATE run SET error = x'ff' WHERE id = 2": ["table run, id 2: error is b'\\xff', and must be a text in UTF-8"],
    "UPDATE run SET finished_at = 1e300 WHERE id = 2": [
        "table run, id 2: finished_at is 1e+300, and must be a number from 0 to 253402300799"
    ],
    "UPDATE run SET value_evaluations = 'x', seconds = 9e999 WHERE id = 2": [
        "table run, id 2: value_evaluations is 'x', and must be a whole number from 0 to 9223372036854775807",
        "table run, id 2: seconds is inf, and must be a number from 0 to 1.79769313486232e+308",
    ],
    "UPDATE run SET records_x = 7 WHERE id = 2": ["table run, id 2: records_x is 7, and must be a truth value, 0 or 1"],
    "UPDATE experiment SET name = CAST(x'ff' AS TEXT), created_at = 'x'": [
        "table experiment, id 1: name is '\\\\xff', and must be a text in UTF-8",
        "table experiment, id 1: created_at is 'x', and must be a number from 0 to 253402300799",
    ],
    "UPDATE landmark SET minimum_value = 'x', minimiser = x'00' WHERE setting_id = 1": [
        "table landmark, setting_id 1: minimum_value is 'x', and must be a number from -1.79769313486232e+308 to 1.79769313486232e+308",
        "table landmark, setting_id 1: minimiser is b'\\x00', and must be numbers of 8 bytes each",
    ],
    "UPDATE parameter SET number = x'00' WHERE setting_id = 3": [
        "table parameter, setting_id 3, name 'learning_rate': number is b'\\x00', and must be a number, or null",
        "setting 3 (optimizer gradient_descent): its parameter learning_rate differs from its canonical text",
    ],
    "UPDATE experiment_run SET start_number = 'second' WHERE run_id = 2": [
        "table experiment_run, experiment_id 1, run_id 2: start_number is 'second', and must be a whole number from 0 to 2147483647"
    ],
    "UPDATE run SET dimension = 2 WHERE id = 2": [
        "run 2: its dimension is 2, but its start has dimension 1",
        "run 2: the chunk at step 0 has 1224 bytes, not 51 iterates of 4 numbers",
    ],
    "UPDATE run SET dimension = 'two' WHERE id = 2": [
        "table run, id 2: dimension is 'two', and must be a whole number from 0 to 2147483647",
        "run 2: its dimension is two, but its start has dimension 1",
        "run 2: holds invalid content: unsupported operand type(s) for +: 'int' and 'str'",
    ],
    "UPDATE run SET steps = 7 WHERE id = 2": ["run 2: took 7 steps, but 51 iterates are stored"],
    "UPDATE run SET final_value = 0.5 WHERE id = 2": [
        "run 2: final_value is 0.5 in its row, and 3.8865295012900384e-10 in its trajectory"
    ],
    "UPDATE run SET final_value_class = 'nan' WHERE id = 2": [
        "run 2: final_value is nan in its row, and 3.8865295012900384e-10 in its trajectory"
    ],
    "UPDATE run SET final_gradient_norm_class = 'large' WHERE id = 2": [
        f"table run, id 2: final_gradient_norm_class is 'large', and must be one of {', '.join(NUMBER_CLASSES)}",
        "run 2: final_gradient_norm cannot be read: its number is 3.9428565793292754e-05, and its class is 'large'",
    ],
    "UPDATE run SET best_value = 0.5 WHERE id = 2": [
        "run 2: best_value is 0.5 in its row, and 3.8865295012900384e-10 in its trajectory"
    ],
    "UPDATE run SET best_step = 3 WHERE id = 2": ["run 2: best_step is 3 in its row, and 50 in its trajectory"],
    "UPDATE run SET start_id = 2 WHERE id = 1": [
        "run 1: its identity is not that of its plugins, rules and start",
        "run 1: its first iterate is not its start",
    ],
    "UPDATE run SET rules_id = 99 WHERE id = 2": [
        "row 2 of table run refers to a row of table setting that is missing",
        "run 2: refers to a row that is missing: rules",
    ],
    "UPDATE chunk SET first_step = 1 WHERE run_id = 2": ["run 2: a chunk begins at step 1, where step 0 should follow"],
    "UPDATE chunk SET count = 0 WHERE run_id = 2": ["run 2: the chunk at step 0 has 1224 bytes, not 0 iterates of 3 numbers"],
    "UPDATE chunk SET data = substr(data, 9) WHERE run_id = 2": [
        "run 2: the chunk at step 0 has 1216 bytes, not 51 iterates of 3 numbers"
    ],
    "UPDATE chunk SET checksum = checksum + 1 WHERE run_id = 2": ["run 2: the chunk at step 0 does not match its checksum"],
    "DELETE FROM chunk WHERE run_id = 2": ["run 2: took 50 steps, but 0 iterates are stored"],
    "UPDATE chunk SET run_id = 99 WHERE run_id = 12": [
        "row {row} of table chunk refers to a row of table run that is missing",
        "run 12: took 50 steps, but 0 iterates are stored",
        "run 99: is missing, but has a trajectory",
    ],
    "UPDATE setting SET fingerprint = 'x' WHERE id = 1": ["setting 1 (objective quadratic): does not match its checksum"],
    "UPDATE setting SET name = 'other' WHERE id = 1": [
        "setting 1 (objective other): its name is 'other' in its row, and 'quadratic' in its canonical text"
    ],
    "UPDATE parameter SET number = 0.2 WHERE setting_id = 3": [
        "setting 3 (optimizer gradient_descent): its parameter learning_rate differs from its canonical text"
    ],
    "UPDATE parameter SET number = NULL, text = '0x1.999999999999ap-4' WHERE setting_id = 4": [
        "setting 4 (optimizer gradient_descent): its parameter learning_rate differs from its canonical text"
    ],
    "UPDATE parameter SET text = 'false' WHERE name = 'record_x'": [
        "setting 7 (rules rules): its parameter record_x differs from its canonical text"
    ],
    "UPDATE parameter SET name = 'rate' WHERE setting_id = 3": [
        "setting 3 (optimizer gradient_descent): its parameter learning_rate is missing",
        "setting 3 (optimizer gradient_descent): its parameter rate is not in its canonical text",
    ],
    "DELETE FROM parameter WHERE name = 'samples'": ["setting 6 (objective linear_regression): its parameter samples is missing"],
    "UPDATE run SET superseded_by = 2 WHERE id = 1": ["run 1: is superseded by run 2, which has another identity"],
    "UPDATE start SET x = x'00' WHERE id = 2": [
        "table start, id 2: x is b'\\x00', and must be numbers of 8 bytes each",
        "start 2: does not match its checksum",
        "run 2: holds invalid content: buffer size must be a multiple of element size",
        "run 4: holds invalid content: buffer size must be a multiple of element size",
        "run 6: holds invalid content: buffer size must be a multiple of element size",
        "run 2: its first iterate is not its start",
        "run 4: its first iterate is not its start",
        "run 6: its first iterate is not its start",
    ],
    "UPDATE environment SET packages = '{}'": ["environment 1: does not match its checksum"],
    "UPDATE experiment_run SET position = 1 WHERE run_id = 1": ["experiment small: 2 runs have position 1 of its grid"],
    "UPDATE experiment_run SET run_id = 99 WHERE run_id = 12": [
        "a row of table experiment_run refers to a row of table run that is missing",
        "experiment 1: its run 99 is missing",
        "run 12: belongs to no experiment",
    ],
    "DELETE FROM experiment_run WHERE run_id > 10": ["run 11: belongs to no experiment", "run 12: belongs to no experiment"],
    "UPDATE experiment SET digest = 'x'": ["table experiment, id 1: digest is 'x', and must be a text in UTF-8 of 64 characters"],
    "CREATE TRIGGER away AFTER UPDATE ON run BEGIN DELETE FROM chunk WHERE run_id = new.id; END": [
        "trigger away is not one of runner's, and may change table run when it is written"
    ],
    "DROP INDEX run_current": ["index run_current is missing"],
    "DROP VIEW steps": ["view steps is missing"],
    "DROP TABLE claim": [
        "column claim.identity is missing",
        "column claim.worker_id is missing",
        "table claim is missing",
        "cannot be read to the end: database {path}: no such table: claim",
    ],
}
"""Each change to a database, and the problems that it causes."""


def test_parameters_of_every_type_are_not_taken_for_damage(tmp_path, write):
    write(WRAPPING, "wrapping.toml")
    run_into(tmp_path / "wrapping.toml", tmp_path / "r.db")
    assert problems(tmp_path / "r.db") == []
    with opened(tmp_path / "r.db") as connection:
        connection.execute("UPDATE parameter SET text = '[8, 9]' WHERE name = 'hidden'")
    assert problems(tmp_path / "r.db") == ["setting 1 (objective l2): its parameter hidden differs from its canonical text"]


@pytest.mark.parametrize("command", DAMAGE)
def test_each_kind_of_damage_is_named(database, command):
    with opened(database) as connection:
        connection.execute(command)
        row = connection.execute("SELECT rowid FROM chunk WHERE run_id = 99").fetchone()
    found = "\n".join(problems(database))
    assert found == "\n".join(DAMAGE[command]).replace("{row}", str(row and row[0])).replace("{path}", str(database))


def test_changed_view_is_named_and_foreign_views_are_ignored(database):
    with opened(database) as connection:
        connection.execute("CREATE TABLE note (text)")
        connection.execute("CREATE VIEW mine AS SELECT id FROM run")
        connection.execute("CREATE TRIGGER mine_too AFTER INSERT ON note BEGIN DELETE FROM note; END")
        (query,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'experiments'").fetchone()
        connection.execute("DROP VIEW experiments")
        connection.execute(query.replace("\n", " "))
    assert problems(database) == []
    with opened(database) as connection:
        connection.execute("DROP VIEW experiments")
        connection.execute(query.replace("count(*)", "count(*) + 1"))
    assert problems(database) == ["the query of view experiments is not the one that runner gave it"]


def test_incomplete_experiment_is_reported_and_is_not_damage(database, runner_cli):
    with closing(runner.open(str(database))) as opened_:
        opened_.delete(opened_.plan_deletion([12]))
    done = runner_cli("verify", "--db", "r.db")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-3:] == [
        "memberships           11  ok",
        "  experiment small: is incomplete: its 11 stored runs are not the whole grid",
        "r.db: intact",
    ]


def test_foreign_triggers_cannot_call_functions_of_runner(database, runner_cli):
    with opened(database) as connection:
        connection.create_function("ieee754_from_blob", 1, lambda blob: 0.0)
        connection.execute("CREATE TRIGGER own AFTER DELETE ON run BEGIN SELECT ieee754_from_blob(x'00'); END")
    done = runner_cli("delete", "1", "--yes", "--db", "r.db")
    assert (done.code, done.err) == (4, "error: database r.db: unsafe use of ieee754_from_blob()\n")


def test_damaged_text_cannot_control_the_terminal(database, runner_cli):
    with opened(database) as connection:
        connection.execute("UPDATE experiment SET name = ?", ("evil\x07\u202ename\r",))
        connection.execute("UPDATE experiment_run SET position = 1 WHERE run_id = 1")
    done = runner_cli("verify", "--db", "r.db")
    assert done.code == 4
    assert done.out.splitlines()[-2] == "  experiment evil\\x07\\u202ename\\r: 2 runs have position 1 of its grid"


TOO_DAMAGED = "error: database r.db: is damaged: database disk image is malformed; the file is too damaged to list the damage; use a backup\n"


def test_damaged_pages_are_reported_without_a_traceback(database, runner_cli):
    with opened(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page_bytes, pages = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count"))
    whole = database.read_bytes()
    for page in range(1, pages):
        damaged = bytearray(whole)
        damaged[page * page_bytes : page * page_bytes + 12] = b"\xff" * 12
        database.write_bytes(damaged)
        done = runner_cli("verify", "--db", "r.db")
        assert done.code == 4, page
        assert (done.err, done.out.endswith("r.db: damaged; see above\n")) in [("", True), (TOO_DAMAGED, False)], page


def test_search_ends_at_runs_out_of_order(database, runner_cli):
    with opened(database) as connection:
        connection.execute("DELETE FROM run WHERE id > 4")
        for command in ("PRAGMA journal_mode = DELETE", "PRAGMA page_size = 1024", "VACUUM"):
            connection.commit()
            connection.execute(command)
    damaged = bytearray(database.read_bytes())
    # The row's number, the length of the header of about thirty columns, a null in place of the number, a text of 64 characters.
    (place,) = [found.start() for found in re.finditer(rb"\x04[\x1a-\x40]\x00\x81\x0d", bytes(damaged))]
    damaged[place] ^= 4
    database.write_bytes(damaged)
    done = runner_cli("verify", "--db", "r.db")
    assert (done.code, done.err) == (4, "")
    lines = done.out.splitlines()
    assert "  run 0 comes after run 3 in the file, so further runs cannot be checked" in lines
    assert lines[-1] == "r.db: damaged; see above"


def test_missing_or_repeated_schema_version_is_explained(database, runner_cli):
    told = "error: database r.db: is damaged: its table runner_schema must hold one version of the schema, and holds {}; use a backup\n"
    for command, holds in [
        ("INSERT INTO runner_schema VALUES ('0005')", "0004 and 0005"),
        ("DELETE FROM runner_schema", "no version"),
    ]:
        with opened(database) as connection:
            connection.execute(command)
        for asked in (["verify"], ["list"]):
            done = runner_cli(*asked, "--db", "r.db")
            assert (done.code, done.out, done.err) == (4, "", told.format(holds))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda path: None,
            "error: database r.db: does not exist; `runner run` creates it, and --db or RUNNER_DB names another database",
        ),
        (lambda path: path.write_text("x" * 9000), "error: database r.db: is not an SQLite database; name another file"),
    ],
)
def test_file_that_is_no_database_is_reported(tmp_path, runner_cli, make, message):
    make(tmp_path / "r.db")
    done = runner_cli("verify", "--db", "r.db")
    assert (done.code, done.out, done.err) == (4, "", f"{message}\n")
