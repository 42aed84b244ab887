"""The processes that are computing runs now, and the recognition of processes that have died."""

from __future__ import annotations

import os
import platform
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import Connection, delete, func, select, update

from runner.store import schema
from runner.store.writing.shared_rows import next_id

LEASE_SECONDS = 300.0
"""A process on another machine counts as dead after this number of seconds without a sign of life."""
SIGN_OF_LIFE_SECONDS = 60.0
"""The longest time between two signs of life of a process."""
SIGN_OF_LIFE_PAUSE = 10.0
"""The shortest time, in seconds, between two signs of life that are written together with other rows."""
START_TOLERANCE = 0.05
"""The largest difference, in seconds, between two readings of one process's start. Both clocks tick in hundredths of a second."""

_active_tokens: set[str] = set()
"""The tokens of the sweeps that are in progress in this process."""


@dataclass(frozen=True)
class Worker:
    """One sweep of one process. A process may run several sweeps, one after the other or at the same time.

    Attributes:
        token: a random name of the sweep.
        host: the machine's name.
        boot: a text that identifies the start of the machine, and the namespace of its process numbers.
        process: the process's number.
        started: the seconds from the machine's start to the process's start, which do not change when a clock is set.
    """

    token: str
    host: str
    boot: str
    process: int
    started: float

    @classmethod
    def of_this_process(cls) -> Worker:
        """Return a new worker that describes this process."""
        boot = str(psutil.boot_time())
        if sys.platform == "linux":
            with suppress(OSError):
                # A container has process numbers of its own, and does not see the processes of other containers.
                namespace = Path("/proc/self/ns/pid").readlink()
                boot = f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {namespace}"
        return cls(uuid.uuid4().hex, platform.node(), boot, os.getpid(), _started(psutil.Process()))

    def register(self, connection: Connection) -> tuple[int, bool]:
        """Write this worker's row, or refresh its sign of life.

        Returns:
            The row number, and whether the row is new. The row is new at the first call, and after another process has treated
            this process as dead and removed its row.
        """
        table = schema.worker
        now = _now(connection)
        row = connection.execute(select(table.c.id, table.c.seen_at).where(table.c.token == self.token)).one_or_none()
        if row is None:
            _active_tokens.add(self.token)
            row_id = next_id(connection, table)
            columns = {"host": self.host, "boot": self.boot, "process": self.process, "process_started": self.started}
            connection.execute(table.insert().values(id=row_id, token=self.token, seen_at=now, **columns))
            return row_id, True
        if now - row.seen_at > SIGN_OF_LIFE_PAUSE:
            connection.execute(update(table).where(table.c.id == row.id).values(seen_at=now))
        return int(row.id), False

    def give_sign_of_life(self, connection: Connection) -> None:
        """Write the present time into this worker's row."""
        table = schema.worker
        connection.execute(update(table).where(table.c.token == self.token).values(seen_at=_now(connection)))

    def end(self) -> None:
        """Let this worker count as dead from now on, even if its row cannot be removed and the process lives on."""
        _active_tokens.discard(self.token)

    def remove(self, connection: Connection) -> None:
        """Delete this worker's row, and its claims with it."""
        connection.execute(delete(schema.worker).where(schema.worker.c.token == self.token))

    def remove_dead(self, connection: Connection) -> bool:
        """Delete the rows of dead workers, and their claims with them; return whether no other worker is left.

        A process of this machine is dead if it has ended. A process of another machine, or a process that this user may not
        see, counts as dead if its last sign of life is older than `LEASE_SECONDS`.
        """
        others = connection.execute(select(schema.worker).where(schema.worker.c.token != self.token)).all()
        now = _now(connection) if others else 0.0
        dead = []
        for other in others:
            alive: bool | None = None
            if (other.host, other.boot, other.process) == (self.host, self.boot, self.process):
                alive = other.token in _active_tokens
            elif (other.host, other.boot) == (self.host, self.boot):
                alive = _is_alive(other.process, other.process_started)
            if alive is None:
                alive = now - other.seen_at <= LEASE_SECONDS
            if not alive:
                dead.append(other.id)
        if dead:
            connection.execute(delete(schema.worker).where(schema.worker.c.id.in_(dead)))
        return len(dead) == len(others)


def worker_names(connection: Connection) -> list[str]:
    """Return the names of the processes that are computing, or that died before they removed their rows."""
    query = select(schema.worker.c.host, schema.worker.c.process).order_by(schema.worker.c.id)
    return [process_name(row.host, row.process) for row in connection.execute(query)]


def process_name(host: str, process: int) -> str:
    """Return the name of a process in messages, with its machine if that is another one."""
    return f"process {process}" if host == platform.node() else f"process {process} on {host}"


def _is_alive(process: int, started: float) -> bool | None:
    """Return whether a process of this machine is alive, or None if this user may not see the process with its number."""
    try:
        found = psutil.Process(process)
        return abs(_started(found) - started) < START_TOLERANCE and found.status() != psutil.STATUS_ZOMBIE
    except psutil.AccessDenied:
        return None
    except psutil.NoSuchProcess:
        if sys.platform == "win32":
            return False  # os.kill would end a process there.
    # Linux's option `hidepid` hides the processes of other users. A signal finds them nevertheless.
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return None
    return None


def _started(process: psutil.Process) -> float:
    return round(process.create_time() - psutil.boot_time(), 2)


def _now(connection: Connection) -> float:
    """Return the seconds since 1970, by the server's clock if there is a server, because the clocks of machines differ."""
    if connection.dialect.name == "postgresql":
        return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())
    return time.time()
