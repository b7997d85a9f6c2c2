"""The scheduler's database: jobs, tasks and runs.

Plain SQLAlchemy 2 that raises SQLAlchemy's exceptions, as any such code does; both spellings of
the scheduler call it. It knows nothing of Results.

A *job* is one scheduler's life. A *task* is claimed by one job at a time and carries that claim's
token; a *run* is one attempt. Every statement that changes a claimed task names the token, so
that an attempt whose claim was taken back can no longer record anything.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args
from urllib.parse import quote

import attrs
from sqlalchemy import (
    DateTime,
    Enum,
    ForeignKey,
    Index,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DatabaseError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import NullPool
from sqlalchemy.types import TypeDecorator

from scheduler_job.settings import SettingsError, database_url, refuse

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator, Iterator, Sequence

    from sqlalchemy.engine import Connection, Dialect, Engine
    from sqlalchemy.types import TypeEngine

JobState: TypeAlias = Literal["running", "success", "failed", "stopped"]
TaskState: TypeAlias = Literal["due", "running", "done"]
Outcome: TypeAlias = Literal["done", "failed", "lost"]

APPLICATION_ID = 0x5EC4ED01
"""Marks an SQLite file as ours, in the place that the file format keeps for it."""

LOCK_TIMEOUT = 1
"""Seconds to wait for a lock. Short: a scheduler must notice that it is locked out."""

CONNECT_TIMEOUT = 2
STATEMENT_TIMEOUT = 5

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""A task's key, which names its run log too; hence no dots and no slashes."""


class ForeignDatabaseError(Exception):
    """The database is corrupt, belongs to something else, or was never initialised."""


class ClaimLostError(Exception):
    """The claim was taken back: another attempt owns the task now."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC, also where the database (SQLite) keeps no zone."""

    impl: type[TypeEngine[datetime]] | TypeEngine[datetime] = DateTime(timezone=True)
    cache_ok: bool | None = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store in UTC."""
        del dialect
        if value is not None and value.tzinfo is None:
            message = f"{value!r} has no time zone; pass an aware time"
            raise ValueError(message)
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read as UTC."""
        del dialect
        if value is not None and value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        return value and value.astimezone(UTC)


def _one_of(alias: object, name: str) -> Enum:
    return Enum(*get_args(alias), name=name, native_enum=False, create_constraint=True)


class Base(DeclarativeBase):
    """The three tables."""


class Job(Base):
    """One life of a scheduler."""

    __tablename__ = "job"

    id: Mapped[int] = mapped_column(primary_key=True)
    pid: Mapped[int]
    state: Mapped[JobState] = mapped_column(_one_of(JobState, "job_state"))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    latest_heartbeat: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Task(Base):
    """A piece of work that is to be done once, at or after a time."""

    __tablename__ = "task"
    __table_args__ = (Index("task_by_due", "state", "due_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    duration: Mapped[float]
    state: Mapped[TaskState] = mapped_column(_one_of(TaskState, "task_state"))
    claimed_by: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    claim: Mapped[str | None]


class TaskRun(Base):
    """One attempt at a task; the index makes a second `done` impossible."""

    __tablename__ = "task_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"))
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[Outcome | None] = mapped_column(_one_of(Outcome, "run_outcome"))

    __table_args__ = (
        Index(
            "task_done_once",
            task_id,
            unique=True,
            sqlite_where=outcome == "done",
            postgresql_where=outcome == "done",
        ),
    )


@attrs.frozen
class Claim:
    """The right to do one task, until it is finished or taken back."""

    task_id: int
    key: str
    duration: float
    job_id: int
    run_id: int
    token: str


def utc_now() -> datetime:
    """Tell the time, aware and in UTC."""
    return datetime.now(UTC)


def connect(url: str) -> Engine:
    """Describe the connection; nothing is opened yet, and no file is ever created by it."""
    return _engine(make_url(url), mode="rw")


def check(engine: Engine) -> None:
    """Make sure that the database is a scheduler's, without changing it.

    Raises:
        ForeignDatabaseError: It is corrupt, something else's, or not initialised.
        OperationalError: It cannot be reached.
    """
    with _corruption_as_foreign(engine), engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            found = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
            if found != APPLICATION_ID:
                raise _foreign(engine, f"its application_id is {found!r}")
            damage = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
            if damage != "ok":
                raise _foreign(engine, str(damage))
        _check_tables(connection)


def create(url: str) -> None:
    """Make the tables where there is nothing yet; a scheduler's database is left as it is.

    Raises:
        ForeignDatabaseError: There is something, and it is not a scheduler's.
        SettingsError: The directory of the SQLite file is missing or cannot be written.
        OperationalError: The database cannot be reached.
    """
    parsed = make_url(url)
    if parsed.drivername == "sqlite":
        directory = Path(parsed.database or "").parent
        if not os.access(directory, os.W_OK | os.X_OK):
            message = f"{str(directory)!r} is not a writable directory; create it or name another"
            raise SettingsError(message)
    engine = _engine(parsed, mode="rwc")
    try:
        with _corruption_as_foreign(engine), engine.begin() as connection:
            _create_where_empty(connection)
        check(engine)
    finally:
        engine.dispose()


def _create_where_empty(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        present = set(inspect(connection).get_table_names())
        if not present & set(Base.metadata.tables):
            Base.metadata.create_all(connection)
        return
    # The driver opens no transaction for DDL; half a schema would be a foreign file.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    marked = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
    if not marked and not inspect(connection).get_table_names():
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        Base.metadata.create_all(connection)


def _engine(url: URL, *, mode: Literal["rw", "rwc"]) -> Engine:
    if url.drivername != "sqlite":
        return create_engine(
            url,
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT,
                # A network that swallows packets must not hold a heartbeat for ever.
                "tcp_user_timeout": 1000 * STATEMENT_TIMEOUT,
                "options": f"-c lock_timeout={LOCK_TIMEOUT}s "
                f"-c statement_timeout={STATEMENT_TIMEOUT}s -c timezone=UTC",
            },
        )
    # NullPool: children are forked, and SQLite forbids a connection to cross a fork.
    engine = create_engine(
        url.set(
            database=f"file:{quote(url.database or '')}",
            query={"mode": mode, "uri": "true"},
        ),
        poolclass=NullPool,
        # IMMEDIATE: a transaction that reads first and writes later could not wait for the lock.
        connect_args={"timeout": LOCK_TIMEOUT, "isolation_level": "IMMEDIATE"},
    )

    @event.listens_for(engine, "connect")
    def _enforce_foreign_keys(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA foreign_keys = ON")

    return engine


def _check_tables(connection: Connection) -> None:
    inspector = inspect(connection)
    present = set(inspector.get_table_names())
    for table in Base.metadata.sorted_tables:
        if table.name not in present:
            raise _foreign(connection.engine, f"table {table.name!r} is missing")
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        if missing := {column.name for column in table.columns} - columns:
            reason = f"table {table.name!r} has no column {min(missing)!r}"
            raise _foreign(connection.engine, reason)


@contextmanager
def _corruption_as_foreign(engine: Engine) -> Generator[None]:
    try:
        yield
    except (OperationalError, InterfaceError):
        raise
    except DatabaseError as exc:
        raise _foreign(engine, str(exc.orig)) from exc


def _foreign(engine: Engine, reason: str) -> ForeignDatabaseError:
    shown = (engine.url.database or "").removeprefix("file:")
    return ForeignDatabaseError(
        f"database {shown!r} is not a scheduler's ({' '.join(reason.split())}); name another, "
        "or make a new one with: python -m scheduler_job.store init"
    )


def prepare_for_execution(engine: Engine) -> int:
    """Enter a new running job for this process and return its id."""
    now = utc_now()
    with engine.begin() as connection:
        return connection.execute(
            insert(Job)
            .values(pid=os.getpid(), state="running", started_at=now, latest_heartbeat=now)
            .returning(Job.id)
        ).scalar_one()


def heartbeat(engine: Engine, job_id: int) -> bool:
    """Say that the job is alive; False when it was declared dead meanwhile."""
    with engine.begin() as connection:
        beaten = connection.execute(
            update(Job)
            .where(Job.id == job_id, Job.state == "running")
            .values(latest_heartbeat=utc_now())
        )
        return beaten.rowcount == 1


def complete_execution(engine: Engine, job_id: int, state: JobState) -> None:
    """Enter how the job ended; a job that was declared dead stays `failed`."""
    with engine.begin() as connection:
        connection.execute(
            update(Job)
            .where(Job.id == job_id, Job.state == "running")
            .values(state=state, ended_at=utc_now())
        )


def latest_heartbeat(engine: Engine) -> datetime | None:
    """Tell when a running job last said that it is alive; None when none is running."""
    with engine.connect() as connection:
        return connection.execute(
            select(func.max(Job.latest_heartbeat)).where(Job.state == "running")
        ).scalar_one()


# Each of these changes the task first and the run second, so that PostgreSQL's row locks cannot
# deadlock.


def add_task(engine: Engine, key: str, *, due_in: float = 0.0, duration: float = 0.0) -> int:
    """Enter a task that is due in `due_in` seconds and works for `duration` seconds.

    Raises:
        ValueError: The key cannot name a run log, or a time is negative.
        IntegrityError: The key is taken.
    """
    if not KEY.fullmatch(key):
        message = f"{key!r} is not a task key; use 1 to 64 letters, digits, '_' or '-'"
        raise ValueError(message)
    for seconds in (due_in, duration):
        if not 0 <= seconds < float("inf"):
            message = f"{seconds!r} is not a time; give seconds from 0 up"
            raise ValueError(message)
    with engine.begin() as connection:
        return connection.execute(
            insert(Task)
            .values(
                key=key,
                due_at=utc_now() + timedelta(seconds=due_in),
                duration=duration,
                state="due",
            )
            .returning(Task.id)
        ).scalar_one()


def claim(engine: Engine, job_id: int) -> Claim | None:
    """Claim the task that is due for longest; None when none is due.

    The claim is one statement, so two schedulers at once never get the same task: SQLite lets
    one writer in at a time, PostgreSQL skips the row that the other has locked.
    """
    now = utc_now()
    token = secrets.token_hex(8)
    next_due = (
        select(Task.id)
        .where(Task.state == "due", Task.due_at <= now)
        .order_by(Task.due_at, Task.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    with engine.begin() as connection:
        task = connection.execute(
            update(Task)
            .where(Task.id == next_due)
            .values(state="running", claimed_by=job_id, claim=token)
            .returning(Task.id, Task.key, Task.duration)
        ).one_or_none()
        if task is None:
            return None
        run_id = connection.execute(
            insert(TaskRun)
            .values(task_id=task.id, job_id=job_id, started_at=now)
            .returning(TaskRun.id)
        ).scalar_one()
    return Claim(
        task_id=task.id,
        key=task.key,
        duration=task.duration,
        job_id=job_id,
        run_id=run_id,
        token=token,
    )


def finish(engine: Engine, claim: Claim) -> None:
    """Record the task as done, in one transaction; doing so twice records it once.

    Raises:
        ClaimLostError: The claim was taken back.
    """
    with engine.begin() as connection:
        fenced = connection.execute(
            update(Task)
            .where(Task.id == claim.task_id, Task.claim == claim.token)
            .values(state="done")
        )
        if fenced.rowcount != 1:
            message = f"task {claim.key!r} is not run {claim.run_id}'s any more; leave it alone"
            raise ClaimLostError(message)
        connection.execute(
            update(TaskRun)
            .where(TaskRun.id == claim.run_id, TaskRun.outcome.is_(None))
            .values(ended_at=utc_now(), outcome="done")
        )


def give_back(engine: Engine, claim: Claim, *, due_in: float) -> None:
    """Record the attempt as failed and make the task due again, if it is still ours and open."""
    now = utc_now()
    with engine.begin() as connection:
        fenced = connection.execute(
            update(Task)
            .where(Task.id == claim.task_id, Task.claim == claim.token, Task.state == "running")
            .values(
                state="due",
                due_at=now + timedelta(seconds=due_in),
                claimed_by=None,
                claim=None,
            )
        )
        if fenced.rowcount == 1:
            connection.execute(
                update(TaskRun)
                .where(TaskRun.id == claim.run_id)
                .values(ended_at=now, outcome="failed")
            )


def take_back(engine: Engine, *, stale_after: float) -> Sequence[str]:
    """Make due again what dead jobs had claimed, and return the keys.

    Dead is a job that has ended, or has said nothing for `stale_after` seconds; the latter is
    declared failed here, so that it finds out by its next heartbeat if it lives after all.
    """
    now = utc_now()
    with engine.begin() as connection:
        connection.execute(
            update(Job)
            .where(
                Job.state == "running",
                Job.latest_heartbeat < now - timedelta(seconds=stale_after),
            )
            .values(state="failed", ended_at=now)
        )
        taken = connection.execute(
            update(Task)
            .where(
                Task.state == "running",
                Task.claimed_by.in_(select(Job.id).where(Job.state != "running")),
            )
            .values(state="due", claimed_by=None, claim=None)
            .returning(Task.id, Task.key)
        ).all()
        if taken:
            connection.execute(
                update(TaskRun)
                .where(TaskRun.task_id.in_([task.id for task in taken]), TaskRun.outcome.is_(None))
                .values(ended_at=now, outcome="lost")
            )
    return [task.key for task in taken]


def main(arguments: Sequence[str] | None = None) -> None:
    """Make a database, enter a task or list the tasks of the database in SCHEDULER_DATABASE."""
    parser = argparse.ArgumentParser(prog="scheduler_job.store", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init", help="make the tables where there is nothing yet")
    adding = commands.add_parser("add", help="enter a task")
    adding.add_argument("key")
    adding.add_argument("--in", dest="due_in", type=float, default=0.0, metavar="SECONDS")
    adding.add_argument("--duration", type=float, default=0.0, metavar="SECONDS")
    commands.add_parser("list", help="print one line a task")
    options = parser.parse_args(arguments)
    try:
        url = database_url(os.environ.get("SCHEDULER_DATABASE", ""))
        if options.command == "init":
            create(url)
            return
        engine = connect(url)
        check(engine)
        if options.command == "add":
            add_task(engine, options.key, due_in=options.due_in, duration=options.duration)
        else:
            print(*_listing(engine), sep="\n")
    except (ValueError, ForeignDatabaseError) as exc:
        refuse(exc)
    except IntegrityError:
        refuse(f"{options.key!r} is the key of another task; use a new one")
    except OperationalError as exc:
        sys.exit(f"scheduler: the database cannot be reached: {' '.join(str(exc.orig).split())}")


def _listing(engine: Engine) -> Iterator[str]:
    attempts = select(func.count()).where(TaskRun.task_id == Task.id)
    with engine.connect() as connection:
        for task in connection.execute(
            select(
                Task.key,
                Task.state,
                Task.due_at,
                attempts.scalar_subquery().label("attempts"),
                attempts.where(TaskRun.outcome == "done").scalar_subquery().label("done"),
            ).order_by(Task.due_at, Task.id)
        ):
            yield (
                f"{task.key} {task.state} due={task.due_at.isoformat()} "
                f"attempts={task.attempts} done={task.done}"
            )


if __name__ == "__main__":
    main()
