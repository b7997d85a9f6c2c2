"""The error codes: what each means, why it is an error, and what to write instead.

`resultflow check --explain CODE` prints a code's page, and `docs/reference/checks/` holds the
same pages.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CODES", "Code", "page"]


class Code(NamedTuple):
    """One kind of finding.

    Attributes:
        name: what stands in brackets behind a message.
        title: what is wrong, in one line.
        what: when it is reported.
        why: why that is an error.
        bad: code that has it.
        good: the same without.
        silence: what to do when it is meant, beside `# type: ignore`.
        strict: reported only under `strict = true`.
        is_dear: reported only in the modules that the setting of its name lists: it takes long.
        is_typed: needs mypy's types, so that only the plugin has it.
    """

    name: str
    title: str
    what: str
    why: str
    bad: str
    good: str
    silence: str = ""
    strict: bool = False
    is_dear: bool = False
    is_typed: bool = True


def page(code: Code) -> str:
    """Give the page of a code, in Markdown."""
    where = "by the mypy plugin" if code.is_typed else "by the mypy plugin and `resultflow check`"
    when = "when `strict = true`" if code.strict else "by default"
    if code.is_dear:
        when = f"in the modules that the setting `{code.name}` lists"
    silence = f"{code.silence}\n\n" if code.silence else ""
    return f"""\
# `{code.name}`

{code.title}. Reported {where}, {when}.

## What

{code.what}

## Why

{code.why}

## Bad

```python
{code.bad.strip()}
```

## Good

```python
{code.good.strip()}
```

## When it is meant

{silence}`# type: ignore[{code.name}]` at the line silences one finding; write why behind it.
`disable_error_code = ["{code.name}"]` in mypy's configuration silences a module, or all.
"""


_LOAD = """\
from resultflow import Err, Ok, Result


class DbLost(Exception): ...


class JobGone(Exception): ...


def load(job: int) -> Result[str, DbLost | JobGone]:
    return Ok("a job") if job else Err(JobGone())
"""

CODES = (
    Code(
        "dropped-result",
        "A callable that returns a Result is given to one that drops it",
        """\
A function, method, lambda or object whose call gives a Result is handed to a parameter, name,
attribute, list or return type that is declared to return `object` or `None` (also awaited), to a
receiver that is known to look at nothing (`Thread(target=...)`, `atexit.register`,
`ExitStack.callback`, `signal.signal`), or overrides a method that is declared to return `object`.
A receiver that is declared to return `Any` or a type variable is taken for one that looks.""",
        """\
The call that drops the Result is somewhere else, in a library even: nothing that is visible here
or there looks like a discarded value.""",
        _LOAD
        + """

from threading import Thread

thread = Thread(target=load, args=(1,))
""",
        _LOAD
        + """

from threading import Thread


def load_and_tell(job: int) -> None:
    match load(job):
        case Ok(found):
            print(found)
        case Err(error):
            print(f"not loaded: {error!r}")


thread = Thread(target=load_and_tell, args=(1,))
""",
        """\
A receiver that does look at what it gets goes into the settings, by its full name:

```toml
[tool.resultflow]
may-drop = ["myproject.jobs.Runner.add", "myproject.registry.*"]
```""",
    ),
    Code(
        "may-raise",
        "A function that returns a Result may raise a failure",
        """\
A failure may leave a function that returns a Result (also awaited, or through `@do`) as an
exception: one that the project defines, an `OSError`, or one that the settings name. The message
has the shortest way to where it is raised: `complete -> Session.commit: OperationalError`. It is
computed from the source of all that the function calls, as `resultflow escapes` does, which takes
as long as mypy itself the first time. Bugs (`TypeError`, `AssertionError`, ...) are never
reported.""",
        """\
The type promises that failures come as values: who calls it handles the `Err`, and nothing else.
An exception goes past all that.""",
        _LOAD
        + """

class Full(Exception): ...


def store(text: str) -> None:
    if len(text) > 80:
        raise Full


def copy(job: int) -> Result[None, DbLost | JobGone]:
    return load(job).map(store)
""",
        _LOAD
        + """

from resultflow import safe


class Full(Exception): ...


@safe(Full)
def store(text: str) -> None:
    if len(text) > 80:
        raise Full


def copy(job: int) -> Result[None, DbLost | JobGone | Full]:
    return load(job).and_then(store)
""",
        """\
The settings name the modules that it is computed for, exceptions of others that should be reported
too, and those that are bugs:

```toml
[tool.resultflow]
may-raise = ["myproject.jobs.*"] # or ["*"]
failures = ["sqlalchemy.exc.SQLAlchemyError"]
bugs = ["myproject.errors.NotPlanned"]
```""",
        is_dear=True,
    ),
    Code(
        "result-any",
        "A captured variant has lost its type",
        """\
`case Err() as x`, `case Err(e) as x` and the same with `Ok`: mypy gives `x` the type `Err[Any]`,
whatever the Result is (a known bug of mypy, silent under `--strict` too).""",
        """\
All that is done with `x` afterwards is unchecked. The subject of the `match`, when it is a name,
is narrowed rightly, and so is what is captured inside the parentheses.""",
        _LOAD
        + """

def again(job: int) -> Result[int, DbLost | JobGone]:
    match load(job):
        case Err() as failed:
            return failed
        case Ok(found):
            return Ok(len(found))
""",
        _LOAD
        + """

def again(job: int) -> Result[int, DbLost | JobGone]:
    loaded = load(job)
    match loaded:
        case Err():
            return loaded
        case Ok(found):
            return Ok(len(found))
""",
    ),
    Code(
        "result-truth",
        "A Result is used as a condition",
        """\
A Result, or a Result that may be None, stands where a truth value is wanted: `if`, `while`,
`not`, `and`, `or`, `assert`, a conditional expression, a guard, the condition of a comprehension,
`bool(...)`, `any(...)`, `all(...)`, `filter(None, ...)`.""",
        """\
An `Err` is no less true than an `Ok`, so that such a condition would hold whatever happened. At
run time `bool(result)` raises a `TypeError`; this finds it before.""",
        _LOAD
        + """

def tell(job: int) -> None:
    if load(job):
        print("loaded")
""",
        _LOAD
        + """

def tell(job: int) -> None:
    if load(job).is_ok():
        print("loaded")
""",
    ),
    Code(
        "silent-catch",
        "A failure is turned into a success",
        """\
In a function that returns a Result (also through `@do` or `@safe`), an `except Exception`, an
`except BaseException`, a bare `except` or a `suppress` of these, around a call, that only logs or
passes, and after which nothing but `Ok` (or, under a decorator, any value or the end) can follow.
Also `Ok(r.ok())`; a statement that asks a Result for `ok()`, `unwrap_or(...)` and the like and
takes nothing; and `map_err` with a function that does not look at the error that it maps. Tests
(modules called `test_*` or `conftest`, and all below a folder `tests`) may do all that.

Not reported is a handler that keeps something of the failure (it assigns, calls, raises or
returns an `Err`), and one after which the failure can still be told: by an `Err`, a `raise`, or a
name that the `try` would have set.""",
        """\
The type says that this function tells of its failures, and here it does not: who called it goes
on as if all were well. A log is read by nobody at the moment when something could be done.""",
        _LOAD
        + """

import logging


def load_all(jobs: list[int]) -> Result[int, DbLost | JobGone]:
    for job in jobs:
        try:
            print(job, file=open("jobs"))
        except Exception:
            logging.exception("not written")
    return Ok(len(jobs))
""",
        _LOAD
        + """

from resultflow import safe


@safe(OSError)
def load_all(jobs: list[int]) -> int:
    with open("jobs", "w") as file:
        for job in jobs:
            print(job, file=file)
    return len(jobs)
""",
        """\
Catch the exceptions that may be forgotten by their names: `except FileNotFoundError` is never
reported. `ignore(result, reason="...")` drops a Result on purpose.""",
        strict=True,
    ),
    Code(
        "unhandled-error",
        "A match leaves a variant of a Result out",
        """\
A `match` on a Result has no case for one of its variants: for `Ok`, for `Err`, or for one of the
errors (or values) inside. The message names each: `Err(JobGone)`. A case with a guard promises
nothing. The errors may be handled one by one, in any order: exceptions, attrs classes and
dataclasses, enum members, literals and nested Results, with `|`, `as` and keywords; mypy then
knows, too, that all are handled, and asks for no `case _`.""",
        """\
A new error class in a function's type must make its callers fail until they handle it. A
`case _` or `case Err(_)` takes the rest where the rest is all the same.""",
        _LOAD
        + """

def status(job: int) -> int:
    match load(job):
        case Ok(_):
            return 200
        case Err(JobGone()):
            return 404
    return 0
""",
        _LOAD
        + """

def status(job: int) -> int:
    match load(job):
        case Ok(_):
            return 200
        case Err(JobGone()):
            return 404
        case Err(DbLost()):
            return 503
""",
    ),
    Code(
        "unprotected-yield",
        "Teardown after a yield, which an exception skips",
        """\
In a generator that `contextmanager` or `asynccontextmanager` decorates, something is given back
after a `yield` that no `try` surrounds: a release is called (`close`, `terminate`, `unlink`, ...),
an attribute, item or global gets its old value again, a counter goes down again, a switch is set
the other way.

Not reported is what is right only after success (a commit, an assertion, a measurement), a
`pytest` fixture (its teardown always runs), what a surrounding `with` releases, and the lifespan
of a server.""",
        """\
`contextmanager` throws an exception of the `with` block into the generator at its `yield`. With
no `finally` around it, what follows never runs: the process that was started goes on, the lock
stays locked, the patch stays in place.""",
        """\
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def log_server() -> Iterator[None]:
    process = subprocess.Popen(["serve-logs"])
    yield
    process.terminate()
""",
        """\
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def log_server() -> Iterator[None]:
    process = subprocess.Popen(["serve-logs"])
    try:
        yield
    finally:
        process.terminate()
""",
        """\
A decorator of your own that makes context managers of generators goes into the settings:

```toml
[tool.resultflow]
context-managers = ["myproject.tools.managed"]
```

`resultflow check` does not read mypy's configuration, so that what silences a module there is
silent for mypy alone: for the command use the comment at the line, `--exclude` or a baseline.""",
        is_typed=False,
    ),
    Code(
        "unreachable-handler",
        "A handler for an error that cannot be there",
        """\
`catch(X, ...)`, `case Err(X())` or `case Ok(X())` for a class that this Result cannot hold, or
that an earlier case has taken.""",
        """\
The error was renamed, is handled already, or never comes this way: either the handler is dead
code, or the error that it was written for goes somewhere else.""",
        _LOAD
        + """

def size(job: int) -> Result[int, DbLost | JobGone]:
    return load(job).map(len).catch(TimeoutError, lambda _: 0)
""",
        _LOAD
        + """

def size(job: int) -> Result[int, DbLost]:
    return load(job).map(len).catch(JobGone, lambda _: 0)
""",
    ),
    Code(
        "unused-result",
        "A Result is thrown away",
        """\
A value that is a Result, or holds one, is dropped: a statement whose value nobody takes (a call,
an attribute, an operator, a chain of methods; awaited, not awaited, or made a task; in a tuple,
list, comprehension or conditional expression), or a name that gets one and is never read after
(`_` too), in a function. Not reported is the last statement of a `with pytest.raises(...)`: no
Result comes from it.""",
        """\
A failure that nobody looks at is a failure that nobody handles: the program goes on as if it had
succeeded.""",
        _LOAD
        + """

def warm_up() -> None:
    load(1)
    _ = load(2)
""",
        _LOAD
        + """

from resultflow import ignore


def warm_up() -> Result[None, DbLost | JobGone]:
    ignore(load(1), reason="the cache is only for speed")
    return load(2).map(lambda _: None)
""",
        '`ignore(result, reason="...")` drops a Result on purpose.',
    ),
    Code(
        "unwrap",
        "A checked failure becomes an exception again",
        """\
`unwrap`, `expect`, `unwrap_err` or `expect_err` is called on a Result, outside of tests (modules
called `test_*` or `conftest`, and all below a folder `tests`) and of `__main__`.""",
        """\
No type says that the caller may get an `UnwrapError`, so nobody handles it. `match`, a `@do`
block and `unwrap_or` keep the error in sight; `or_raise` raises the error itself, on purpose.""",
        _LOAD
        + """

def size(job: int) -> int:
    return len(load(job).unwrap())
""",
        _LOAD
        + """

def size(job: int) -> int:
    return load(job).map_or(0, len)
""",
        """\
Modules that may do so go into the settings, by their full names:

```toml
[tool.resultflow]
may-unwrap = ["myproject.scripts.*"]
```""",
        strict=True,
    ),
)
