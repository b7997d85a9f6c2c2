"""The code of the page on SQLAlchemy, on a PostgreSQL that is stopped while it works."""

from __future__ import annotations

import tempfile
import uuid
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.orm import Session
from stamina.instrumentation import RetryDetails, set_on_retry_hooks
from tests.pages import sections

from resultflow import Err, Ok, Result
from resultflow.interop.stamina import retry
from scheduler_job.outage import Database, PostgresPlan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from resultflow import Close

RESTARTS = pytest.mark.leaves_open(reason="the server's own fixture stops what was started anew")


@pytest.fixture(scope="module")
def server() -> Iterator[Database]:
    """Run a PostgreSQL of our own, where there is one to run."""
    match PostgresPlan.found("fast"):
        case Err(impossible):
            pytest.skip(str(impossible))
        case Ok(plan):
            with tempfile.TemporaryDirectory() as name:
                Path(name).chmod(0o711)  # for its user
                with plan.start(Path(name), uuid.uuid4().hex).open() as started:
                    yield started


@pytest.fixture(scope="module")
def page() -> SimpleNamespace:
    """Define what the page defines."""
    found = sections("how-to/sqlalchemy.md")
    code = [
        *found["Name what can go wrong"],
        *found["Write queries as ever, and wrap them"],
        *found["Make engine and transaction resources"],
        found["Retry a whole transaction"][0],
    ]
    names: dict[str, Any] = {"__name__": "page"}
    # Not as this file is compiled, whose annotations are strings.
    compiled = compile("\n".join(code), "sqlalchemy.md", "exec", dont_inherit=True)
    exec(compiled, names)  # noqa: S102 - the page's own
    return SimpleNamespace(**names)


class Outage:
    """Take the server away, and give it back when stamina waits."""

    def __init__(self, server: Database) -> None:
        self._server = server
        self._back: Close | None = None

    def begin(self) -> None:
        """Stop it."""
        _, self._back = self._server.outage([]).allocated().unwrap()

    def end(self, details: RetryDetails | None = None) -> None:
        """Start it again; also as a hook of stamina."""
        del details
        assert self._back is not None
        self._back().unwrap()


@RESTARTS
@pytest.mark.parametrize("moment", ["before", "between", "after"])
def test_an_outage_in_a_transaction(server: Database, page: SimpleNamespace, moment: str) -> None:
    """Whenever the server goes, all of the transaction is done again, and is done once."""
    outage = Outage(server)
    calls: Counter[str] = Counter()

    def step(here: str) -> None:
        calls[here] += 1
        if here == moment and calls[here] == 1:
            outage.begin()

    def work(session: Session) -> Result[int, Any]:
        step("before")
        first: Result[int, Any] = page.add(session, "first")
        if first.is_err():
            return first
        step("between")
        second: Result[int, Any] = page.add(session, "second")
        step("after")
        return second

    def main(engine: Engine) -> Result[list[str], Any]:
        page.Base.metadata.create_all(engine)

        @retry(on=page.DatabaseGone, attempts=2, wait_initial=0, wait_jitter=0)
        def enter() -> Result[int, Any]:
            result: Result[int, Any] = page.in_transaction(engine, work)
            return result

        entered = enter()
        assert entered.is_ok(), entered
        taken: Result[int, Any] = page.enter(engine, "second")
        assert isinstance(taken, Err)
        assert isinstance(taken.error, page.Conflict)
        with Session(engine) as session:
            return Ok(sorted(session.scalars(page.select(page.Job.key))))

    url = server.create(f"t{uuid.uuid4().hex[:12]}").unwrap()
    set_on_retry_hooks([outage.end])
    try:
        assert page.engine_of(url).use(main) == Ok(["first", "second"])
    finally:
        set_on_retry_hooks(None)
    assert calls["before"] == 2


@RESTARTS
def test_no_error_of_an_outage_is_lost(server: Database, page: SimpleNamespace) -> None:
    """Without a retry the statement's error comes back, with the driver's as its cause."""
    outage = Outage(server)
    url = server.create(f"t{uuid.uuid4().hex[:12]}").unwrap()

    def work(session: Session) -> Result[int, Any]:
        assert page.add(session, "first").is_ok()
        outage.begin()
        second: Result[int, Any] = page.add(session, "second")
        return second

    def main(engine: Engine) -> Result[int, Any]:
        page.Base.metadata.create_all(engine)
        result: Result[int, Any] = page.in_transaction(engine, work)
        return result

    failed = page.engine_of(url).use(main)
    outage.end()
    assert isinstance(failed.error, page.DatabaseGone)
    [cause, *_] = failed.report().causes
    assert isinstance(cause, page.OperationalError)


def test_success_alone_commits(page: SimpleNamespace, tmp_path: Path) -> None:
    """An `Err` that the database knows nothing of rolls back, and so does a bug."""
    refusal: Result[int, Any] = Err(page.Conflict("not today"))

    def refuse(session: Session) -> Result[int, Any]:
        assert page.add(session, "backup").is_ok()
        return refusal

    def fail(session: Session) -> Result[int, Any]:
        assert page.add(session, "backup").is_ok()
        raise ZeroDivisionError

    def look(session: Session) -> Result[str | None, Any]:
        state: Result[str | None, Any] = page.state_of(session, "backup")
        return state

    def main(engine: Engine) -> Result[str | None, Any]:
        page.Base.metadata.create_all(engine)
        assert page.in_transaction(engine, refuse) == refusal
        with pytest.raises(ZeroDivisionError):
            page.in_transaction(engine, fail)
        found: Result[str | None, Any] = page.in_transaction(engine, look)
        return found

    assert page.engine_of(f"sqlite:///{tmp_path}/jobs.db").use(main) == Ok(None)
