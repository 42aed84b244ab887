"""The password of a database's URL appears in no message, no file and no database."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import make_url

import runner
from runner.errors import StoreError
from runner.store.connection import Database
from tests.support.experiment_texts import SMALL

PASSWORD = "hunter2"
SUPPORTED = (
    "results are kept in an SQLite file or in PostgreSQL: give a path, or a URL such as postgresql+psycopg://user@host/name"
)
NEITHER = f"is neither a path nor a database URL; {SUPPORTED}"
REFUSED = 'connection failed: connection to server at "127.0.0.1", port 1 failed: Connection refused'
TWICE = "has more than one @ before its host; in a name or a password write %40 for it"
MESSAGES = [
    ("postgresql+psycopg://bob:hunter2@127.0.0.1:1/x", "postgresql+psycopg://bob:***@127.0.0.1:1/x", REFUSED),
    ("postgresql+psycopg://bob:hun/te?r2@127.0.0.1:1/x", "postgresql+psycopg://bob:***@127.0.0.1:1/x", REFUSED),
    ("postgresql://h@x:hunter2@127.0.0.1:1/x", "postgresql://h@x:***@127.0.0.1:1/x", REFUSED),
    (
        "postgresql+psycopg://127.0.0.1:1/x?user=bob&password=hunter2&sslmode=disable",
        "postgresql+psycopg://127.0.0.1:1/x?user=bob&password=***&sslmode=disable",
        REFUSED,
    ),
    ("postgresql+psycopg://bob:it@hunter2@127.0.0.1:1/x", "postgresql+psycopg://bob:***@127.0.0.1:1/x", TWICE),
    ("postgresql+psycopg://bob:hunter2@127.0.0.1:port/x", "postgresql+psycopg://bob:***@127.0.0.1:port/x", NEITHER),
    ("postgresql+psycopg://bob:it@h:hunter2@127.0.0.1:1/x", "postgresql+psycopg://bob:***@127.0.0.1:1/x", NEITHER),
    ("1 2://bob:hunter2@h/x", "1 2://bob:***@h/x", NEITHER),
    ("mysql://bob:hunter2@h/x", "mysql://bob:***@h/x", f"mysql is not supported; {SUPPORTED}"),
    (
        "postgresql+psycopg://bob:hunter2@127.0.0.1:1/x?colour=red",
        "postgresql+psycopg://bob:***@127.0.0.1:1/x?colour=red",
        'invalid connection option "colour"',
    ),
]


def test_process_shows_stars_for_the_password(runner_cli):
    url, shown, problem = MESSAGES[0]
    done = runner_cli("list", "--db", url)
    assert (done.code, done.out, done.err) == (4, "", f"error: database {shown}: {problem}\n")


@pytest.mark.parametrize(("url", "shown", "problem"), MESSAGES)
def test_errors_show_stars_for_the_password(call, url, shown, problem):
    done = call("list", "--db", url)
    assert (done.code, done.out, done.err) == (4, "", f"error: database {shown}: {problem}\n")


@pytest.mark.parametrize(
    "name", ["r.db", "a:b@c.db", "postgresql://bob@h:5432/x", "postgresql+psycopg://postgres:@/x?host=/tmp/y"]
)
def test_address_without_a_password_is_shown_unchanged(name):
    assert Database(name).name == name


@pytest.fixture
def with_password(server_database) -> str:
    """The URL of an empty database on a server that accepts every password."""
    return make_url(server_database()).set(password=PASSWORD).render_as_string(hide_password=False)


def test_no_command_shows_writes_or_stores_the_password(call, write, tmp_path, with_password):
    write()
    shown = with_password.replace(PASSWORD, "***")
    said = []
    for arguments in (
        ["run", "small.toml"],
        ["run", "small.toml", "--format", "json"],
        ["sql", "SELECT * FROM nowhere"],
        ["compare", "small", "smell"],
        ["report", "small", "-o", "again"],
        ["db", "info", "--format", "json"],
        ["db", "backup"],
        ["db", "vacuum"],
        ["db", "copy", "copy.db"],
        ["db", "copy", with_password],
        ["show", "99"],
    ):
        done = call(*arguments, RUNNER_DB=with_password)
        assert done.code in (0, 1, 2, 4), (arguments, done)
        said.append(done.out + done.err)
    assert not [each for each in said if PASSWORD in each]
    assert sum(shown in each for each in said) > 5
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), path


def test_successful_commands_show_stars_for_the_password(call, write, with_password):
    write()
    shown = with_password.replace(PASSWORD, "***")
    assert call("run", "small.toml", "--quiet", "--no-report", "--db", "r.db").code == 0
    assert call("db", "copy", with_password, "--db", "r.db").out == f"{shown}: 12 runs copied and verified\n"
    assert call("db", "upgrade", "--db", with_password).out == f"{shown}: already has schema 0004\n"
    assert call("verify", "--db", with_password).out.endswith(f"{shown}: intact\n")
    assert call("db", "info", "--db", with_password).out.startswith(f"database      {shown}\n")
    done = call("delete", "1", "--db", with_password)
    assert done.code == 2
    assert done.err.endswith(
        f" of trajectories from {shown}; standard input is not a terminal, so confirm with --yes\n  see runner delete --help\n"
    ), done.err


def test_python_shows_stars_for_the_password(write, call, with_password):
    write(SMALL)
    assert call("run", "small.toml", "--quiet", "--no-report", "--db", with_password).code == 0
    shown = with_password.replace(PASSWORD, "***")
    with runner.open(with_password) as database:
        assert database.name == shown
        assert repr(database).startswith(f"<results database {shown}>\n")
        assert PASSWORD not in f"{vars(database)} {vars(database._database)}"
        with pytest.raises(runner.RunnerError) as caught:
            database.run(99)
    assert str(caught.value).startswith(f"database {shown}: holds no run 99; ")


def test_advice_does_not_repeat_the_password(with_password):
    database = Database(with_password)
    database.schema = "0001"
    shown = with_password.replace(PASSWORD, "***")
    assert database.outdated == (
        f"database {shown}: has the older schema 0001; `runner db upgrade`, with the same --db or RUNNER_DB, brings it to schema 0004"
    )
    with pytest.raises(StoreError) as caught:
        Database(with_password.replace("psycopg", "nothing"))
    assert str(caught.value).startswith(f"database {shown.replace('psycopg', 'nothing')}: its driver cannot be loaded (")
