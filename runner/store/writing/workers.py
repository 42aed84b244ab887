"""The processes that are computing just now, and whether one of them is gone."""

from __future__ import annotations

import os
import platform
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import Connection, Row, delete, func, select, update

from runner.store import schema
from runner.store.writing.shared_rows import next_id

LEASE_SECONDS = 300.0
"""A process on another machine that gave no sign of life for so long is taken for gone."""
SIGN_SECONDS = 60.0
"""How often a process gives a sign of life, at least."""
RARELY = 10.0
"""A sign of life that comes along with other writing is left out if the last one is no older than so many seconds."""
SAME_START = 0.05
"""Two readings of one process's start differ by less: both clocks tick in hundredths of a second."""

_AT_WORK: set[str] = set()
"""The tokens of the sweeps that are going on in this process."""


@dataclass(frozen=True)
class Worker:
    """One process and one sweep of it.

    Attributes:
        token: random.
        host: the machine's name.
        boot: which start of that machine, and which set of process numbers on it.
        process: the process's number.
        started: when the process started, in seconds since the machine did: no clock that somebody sets has part in it.
    """

    token: str
    host: str
    boot: str
    process: int
    started: float

    @classmethod
    def here(cls) -> Worker:
        """Describe this process."""
        here = cls(uuid.uuid4().hex, platform.node(), _boot(), os.getpid(), _started(psutil.Process()))
        _AT_WORK.add(here.token)
        return here

    def end(self) -> None:
        """Be gone from now on, though the process may live on."""
        _AT_WORK.discard(self.token)

    def put(self, connection: Connection) -> tuple[int, bool]:
        """Write or refresh this sweep's row; return its number, and whether it is new: at first, or taken for gone since."""
        table = schema.worker
        now = _now(connection)
        row = connection.execute(select(table.c.id, table.c.seen_at).where(table.c.token == self.token)).one_or_none()
        if row is None:
            number = next_id(connection, table)
            described = {"host": self.host, "boot": self.boot, "process": self.process, "process_started": self.started}
            connection.execute(table.insert().values(id=number, token=self.token, seen_at=now, **described))
            return number, True
        if now - row.seen_at > RARELY:
            connection.execute(update(table).where(table.c.id == row.id).values(seen_at=now))
        return int(row.id), False

    def sign(self, connection: Connection) -> None:
        """Give a sign of life."""
        table = schema.worker
        connection.execute(update(table).where(table.c.token == self.token).values(seen_at=_now(connection)))

    def remove(self, connection: Connection) -> None:
        """Take this process's row away, and its claims with it."""
        connection.execute(delete(schema.worker).where(schema.worker.c.token == self.token))

    def remove_gone(self, connection: Connection) -> bool:
        """Take away the rows of sweeps that are gone, and their claims with them; return whether none is left but this one."""
        others = connection.execute(select(schema.worker).where(schema.worker.c.token != self.token)).all()
        now = _now(connection) if others else 0.0
        gone = [other.id for other in others if self._is_gone(other, now)]
        if gone:
            connection.execute(delete(schema.worker).where(schema.worker.c.id.in_(gone)))
        return len(gone) == len(others)

    def _is_gone(self, other: Row[tuple[object, ...]], now: float) -> bool:
        """Whether it is: surely, on this machine; by its silence elsewhere, and where this user may not see it."""
        lives = None
        if (other.host, other.boot) == (self.host, self.boot):
            if other.process == self.process:
                return other.token not in _AT_WORK
            lives = _lives(other.process, other.process_started)
        return bool(now - other.seen_at > LEASE_SECONDS) if lives is None else not lives


def described(connection: Connection) -> list[str]:
    """Name the processes that are computing, or have died while they did."""
    query = select(schema.worker.c.host, schema.worker.c.process).order_by(schema.worker.c.id)
    return [words(row.host, row.process) for row in connection.execute(query)]


def words(host: str, process: int) -> str:
    """Name a process for people."""
    return f"process {process}" if host == platform.node() else f"process {process} on {host}"


def _lives(process: int, started: float) -> bool | None:
    """Whether a process lives; None if there is one by that number, and this user may not see which."""
    try:
        found = psutil.Process(process)
        return abs(_started(found) - started) < SAME_START and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None if _is_hidden(process) else False
    except psutil.AccessDenied:
        return None


def _is_hidden(process: int) -> bool:
    """Whether a process that is not among those shown is there all the same, as those of others are under Linux's `hidepid`."""
    if sys.platform == "win32":
        return False  # and to ask as below would end it
    try:
        os.kill(process, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True


def _started(process: psutil.Process) -> float:
    return round(process.create_time() - psutil.boot_time(), 2)


def _boot() -> str:
    if sys.platform != "linux":
        return str(psutil.boot_time())
    try:
        # Containers have process numbers of their own, in which those of others are missing though they live.
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return str(psutil.boot_time())


def _now(connection: Connection) -> float:
    """Return the time by the server's clock where there is one: those of the machines that use it may differ."""
    if connection.dialect.name == "postgresql":
        return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())
    return time.time()
