"""The pytest plugin, seen from outside: a real pytest runs small test modules.

One run does for most of them, since each costs a start of pytest.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
import asyncio
import threading
import unittest
from contextlib import ExitStack

import pytest

from resultflow import Err, Ok, Resource, aio, is_err, is_ok, ignore


def make(name):
    def close(value, exit):
        return None

    close.__qualname__ = f"close_{name}"
    return Resource.make(lambda: Ok(name), close)


def opened(name):
    make(name).open().__enter__()
"""
EQUAL = """
def load():
    return Err(ValueError("no port")).context("reading the settings")

def test_variant():
    assert load() == Ok(3)

def test_list():
    assert Ok([1, 2, 3]) == Ok([1, 5, 3])

def test_text():
    assert Err("some text") == Err("some test")

def test_nested():
    assert Ok(Ok({"a": 1})) == Ok(Ok({"a": 2}))

def test_number():
    assert Ok(3) == Ok(4)

def test_err():
    assert load() == Err(ValueError("no host"))

def test_plain():
    assert Ok(3) == 3

def test_others():
    assert [3] == [4]

def test_unequal():
    three = Ok(3)
    assert three != three

def test_long():
    assert Ok(list(range(99))) == Ok([])
"""
OPEN = """
def test_open():
    make("a").open().__enter__()

def test_allocated():
    make("b").both(make("c")).allocated().unwrap()

def test_tidy():
    _, close = make("d").allocated().unwrap()
    assert close() == Ok(None)
    with make("e").open():
        assert make("f").use(Ok) == Ok("f")

def test_failed():
    opened("g")
    assert False

def test_stack():
    ExitStack().enter_context(make("i").open())

@pytest.fixture
def broken():
    yield
    raise ValueError("torn")

def test_torn(broken):
    opened("h")

def test_only_torn(broken):
    pass

def test_many():
    opened("first")
    ends = make("a")
    for _ in range(25_000):
        assert is_ok(ends.use(Ok))
    cells = [cell.cell_contents for cell in opened.__globals__["Resource"].use.__globals__[
        "Scope"].__init__.__closure__]
    [leaks] = [it for it in cells if hasattr(it, "_noted")]
    assert len(leaks._noted) < 10_002

@pytest.mark.leaves_open(reason="the next test closes it")
def test_allowed():
    opened("k")

@pytest.mark.leaves_open(reason=" ")
def test_empty_reason():
    pass

@pytest.mark.leaves_open("the reason")
def test_no_keyword():
    pass
"""
FIXTURES = """
@pytest.fixture
def own(): opened("own")

@pytest.fixture(scope="module")
def of_module(): opened("module")

@pytest.fixture(scope="session")
def of_session(): opened("session")

@pytest.fixture(scope="class")
def of_class(): opened("class")

@pytest.fixture
def tidy():
    with make("tidy").open() as value:
        yield value

def setup_module(): opened("setup_module")

def test_wider(of_module, of_session, tidy):
    pass

def test_late(request):
    request.getfixturevalue("tidy")
    request.getfixturevalue("of_class")
    opened("late")

def test_own(own):
    pass
"""
THREADS = """
def hold(name, begun):
    opened(name)
    begun.set()

@pytest.fixture(scope="session")
def server():
    asked, begun = threading.Event(), threading.Event()
    def serve():
        asked.wait()
        hold("served", begun)
    threading.Thread(target=serve).start()
    return asked, begun

def test_asks(server):
    asked, begun = server
    asked.set()
    begun.wait()

def test_own_thread():
    begun = threading.Event()
    threading.Thread(target=hold, args=("mine", begun)).start()
    begun.wait()
"""
ASYNC = """
@pytest.fixture
def anyio_backend():
    return "asyncio"

def test_run():
    async def main():
        (await aio.Resource.of(make("a")).allocated()).unwrap()
    asyncio.run(main())

@pytest.mark.anyio
async def test_anyio():
    (await aio.Resource.of(make("b")).allocated()).unwrap()

@pytest.mark.anyio
async def test_tidy():
    async def body(value):
        return Ok(value)
    async with aio.Resource.of(make("c")).open():
        assert await aio.Resource.of(make("d")).use(body) == Ok("d")
"""
CASES = """
class TestIt(unittest.TestCase):
    def setUp(self):
        self.opened = make("a").open()
        self.opened.__enter__()

    def tearDown(self):
        self.opened.__exit__(None, None, None)

    def test_tidy(self):
        pass

    def test_untidy(self):
        opened("b")
"""
INJECT = """
def test_clean(inject):
    assert inject(lambda ledger: ledger.resource("a").use(Ok)).is_clean

def test_leak(inject):
    def scenario(ledger):
        token = ledger.token("a")
        token.acquire()
        len("work")
        token.release()
    inject(scenario)
"""
UNINSPECTED = """
from resultflow import Bind, collect, combine, do, first_ok
from resultflow.testing import inject as injected
from hypothesis import given, strategies as st
from hypothesis import settings
import copy
import gc
import pickle

def save():
    return Err("disk full")

def broken():
    result = save()
    raise ValueError

@do
def step(bind: Bind[str]) -> int:
    return bind(save())

@pytest.fixture
def unread():
    yield
    save()

made_early = [Err("made early")]

# What must be found, and nothing below that.

def test_statement():
    save()

def test_variable():
    result = save()

def test_given_on():
    save().map(str).and_then(Ok).context("saving").flatten()

def test_replaced():
    save().map_err(len)

def test_scope():
    make("a").use(lambda _: save())

def test_do():
    step()

def test_collected():
    collect([Ok(1), save(), Ok(2)])

def test_class_only():
    assert isinstance(save(), Err)
    match save():
        case Err():
            pass

def test_several():
    save()
    Err(LookupError("no job 3"))

def test_raised_over():
    with pytest.raises(ValueError):
        broken()

def test_fixture(unread):
    pass

class TestCase(unittest.TestCase):
    def test_case(self):
        result = save()

def test_thread():
    thread = threading.Thread(target=save)
    thread.start()
    thread.join()

def test_held():
    made_early.clear()

def test_thread_beside_the_collector():
    def collecting(phase, _):
        if phase == "start":
            test_thread()
    gc.disable()
    gc.callbacks.append(collecting)
    gc.collect()
    gc.callbacks.remove(collecting)
    gc.enable()

# And what must not.

def test_read():
    match save():
        case Err(_):
            pass
    match save():
        case Err(error="disk full"):
            pass
    assert save().error == save().err() == save().unwrap_err()
    assert repr(save()) and str(save()) and hash(save()) and save().report()
    assert save() == save() and save() != Ok(1) and Ok(1) != save()
    assert save().suppressed == ()
    with pytest.raises(Exception):
        save().unwrap()

def test_asked():
    assert is_err(save()) and not is_ok(save()) and save().is_err() and not save().is_ok()
    assert not save().is_ok_and(bool) and save().is_err_and(bool)
    assert not is_err(3) and not is_ok(None)

def test_decided():
    assert save().unwrap_or(3) == 3 and save().ok() is None and not list(save())
    assert save().unwrap_or_default(int) == save().map_or(0, len) == 0
    assert save().or_(Ok(1)) == save().or_else(lambda _: Ok(1)) == Ok(1)
    assert Ok(1).or_(save()) == Ok(1) and save().and_(save()).is_err()
    ignore(save(), reason="the disk is only a cache")

def test_left_aside():
    assert collect([save(), save()]).is_err() and combine(save(), save()).is_err()
    assert first_ok([save(), Ok(1), save()]) == Ok(1)
    assert first_ok(save() if n < 3 else Ok(n) for n in range(9)) == Ok(3)
    assert first_ok(save() for _ in range(2)).is_err()

def test_carried():
    both = Resource.make(lambda: Ok(1), lambda value, exit: save())
    assert both.use(lambda _: save()).is_err()
    assert both.use(Ok).is_err()
    with pytest.raises(ValueError):
        both.use(lambda _: broken_quietly())

def broken_quietly():
    raise ValueError

def test_travelled():
    assert pickle.loads(pickle.dumps(save())) == copy.deepcopy(save())
    assert is_err(pickle.loads(pickle.dumps(Err([save()]))).error[0])

def test_in_a_cycle():
    cycle = [save()]
    cycle.append(cycle)
    del cycle
    gc.collect()

@pytest.mark.xfail
def test_failed():
    result = save()
    assert False

def test_after_a_failure():
    gc.collect()

@settings(database=None, max_examples=20)
@given(st.builds(Err, st.integers()), st.integers().map(Err))
def test_example(first, second):
    pass

def test_injected():
    def scenario(ledger):
        return ledger.resource("a").use(lambda _: save())
    injected(scenario).check()

@pytest.mark.parametrize("result", [Err("kept by pytest")])
def test_parameter(result):
    pass
"""
SWITCHES = """
from resultflow import resource

def test_it(request):
    opened("a")
    assert "__del__" not in vars(Err)
    assert resource.Scope.__init__.__module__ == "resultflow.resource"
    try:
        request.getfixturevalue("inject")
        print("inject is there")
    except pytest.FixtureLookupError:
        print("inject is not there")
"""
STRANGERS = """
import sys

def test_has_none():
    assert [name for name in sys.modules if name.startswith("resultflow")] == [
        "resultflow", "resultflow.pytest_plugin"
    ]

def opened():
    from resultflow import Ok, Resource

    resource = Resource.make(lambda: Ok(1), lambda value, exit: None)
    resource.open().__enter__()

def test_first():
    opened()

def test_second():
    opened()
"""


class Told(NamedTuple):
    """What pytest tells of a test: "passed", or the stages that went wrong with all their text."""

    outcome: str
    text: str

    @property
    def explained(self) -> list[str]:
        """The lines in which pytest explains a failure."""
        return [line[1:].strip() for line in self.text.splitlines() if line[:2] in {"E ", "E"}]

    @property
    def left_open(self) -> list[str]:
        """The resources that were left open, each with the function that acquired it."""
        lines = [
            line.removeprefix("E").strip()
            for line in self.text.splitlines()
            if ", acquired at " in line
        ]
        return [f"{line.partition(',')[0]} {line.rpartition(' ')[2]}" for line in lines]


def run_in(
    folder: Path, modules: dict[str, str], *options: str, head: str = HEAD, pure: str = "0"
) -> dict[str, Told]:
    """Run pytest in a process of its own, on modules that begin with `head`."""
    for name, module in modules.items():
        (folder / f"test_{name}.py").write_text(head + module, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--junitxml=told.xml"]
    done = subprocess.run(
        [*command, *options],
        cwd=folder,
        env={**os.environ, "RESULTFLOW_PURE": pure},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    told: dict[str, Told] = {}
    for case in ET.parse(folder / "told.xml").iter("testcase"):  # noqa: S314 - of our own making
        key = f"{case.attrib['classname'].removeprefix('test_')}.{case.attrib['name']}"
        before = told.get(key, Told("", ""))
        wrong = [child for child in case if child.tag in {"failure", "error"}]
        outcome = " ".join(filter(None, [before.outcome, *(child.tag for child in wrong)]))
        text = "\n".join([before.text, *(child.text or "" for child in wrong)])
        told[key] = Told(outcome or "passed", text)
    told[""] = Told("", done.stdout)
    return told


@pytest.fixture(scope="module", name="told")
def _told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """Run all that needs no options."""
    return run_in(
        tmp_path_factory.mktemp("told"),
        {"a_inject": INJECT, "async": ASYNC, "cases": CASES, "equal": EQUAL}
        | {"fixtures": FIXTURES, "open": OPEN, "threads": THREADS},
    )


@pytest.fixture(scope="module", name="verbose")
def _verbose(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """Run a few tests with options, and let what nobody looked at be a warning."""
    return run_in(
        tmp_path_factory.mktemp("verbose"),
        {"equal": EQUAL, "uninspected": UNINSPECTED},
        *("-v", "-o", "resultflow_uninspected=true"),
        *("-k", "test_long or test_statement or test_variable"),
    )


# What is shown when `==` fails


def test_another_variant_is_shown_with_the_report(told: dict[str, Told]) -> None:
    """An `Err` where an `Ok` was expected tells all that is known about its error."""
    said = told["equal.test_variant"].explained
    assert said[0] == "AssertionError: assert Err(ValueError('no port')) == Ok(3)"
    assert said[2:4] == ["left is an Err, right is an Ok", "left: ValueError: no port"]
    assert said[4].startswith("at ")
    assert said[4].endswith(" load")
    assert said[5:] == ["while reading the settings"]


def test_contents_are_compared_by_pytest_itself(told: dict[str, Told]) -> None:
    """Two values of the same variant are explained as pytest explains any two values."""
    assert "At index 1 diff: 2 != 5" in told["equal.test_list"].explained
    assert {"- some test", "+ some text"} <= set(told["equal.test_text"].explained)
    assert "{'a': 1} != {'a': 2}" in told["equal.test_nested"].explained
    assert told["equal.test_number"].explained == ["assert Ok(3) == Ok(4)"]


def test_an_err_that_the_test_made_itself_is_not_reported(told: dict[str, Told]) -> None:
    """Where the expected `Err` was made stands before the reader's eyes, and is left out."""
    said = told["equal.test_err"].explained
    assert "left: ValueError: no port" in said
    assert not [line for line in said if line.startswith("right")]


def test_a_result_and_a_plain_value_are_told_apart(told: dict[str, Told]) -> None:
    """The usual mistake is named; what has nothing to do with Results is left to pytest."""
    said = told["equal.test_plain"].explained
    assert "left is an Ok, right is an int" in said
    assert "only a Result equals a Result: compare with Ok(...) or Err(...)" in said
    assert "At index 0 diff: 3 != 4" in told["equal.test_others"].explained
    assert told["equal.test_unequal"].explained == ["assert Ok(3) != Ok(3)"]


def test_long_results_are_cut_but_for_verbose_runs(
    told: dict[str, Told], verbose: dict[str, Told]
) -> None:
    """The summary is short, and whole with `-v`."""
    said = told["equal.test_long"].explained[0]
    assert said == "assert Ok([0, 1, 2, ..., 96, 97, 98]) == Ok([])"
    assert "95, 96, 97, 98]) == Ok([])" in verbose["equal.test_long"].explained[0]


# What tests leave open


def test_what_a_test_leaves_open_fails_it(told: dict[str, Told]) -> None:
    """The error names each resource and where it was acquired; a test that is tidy passes."""
    assert told["open.test_tidy"].outcome == "passed"
    assert told["open.test_open"].outcome == "error"
    first, _, *rest = told["open.test_open"].text.split("\n")[1:]
    assert first == "test_open left 1 resource open:"
    assert rest == [
        "release it before the test ends: by Resource.use, a with block or close()",
        "or say why it may stay open: @pytest.mark.leaves_open(reason=...)",
    ]
    assert f"test_open.py:{HEAD.count(chr(10)) + 3} test_open" in told["open.test_open"].text
    assert told["open.test_allocated"].left_open == [
        "close_b test_allocated",
        "close_c test_allocated",
    ]
    assert told["open.test_stack"].left_open == ["close_i test_stack"]


def test_a_failure_does_not_hide_a_leak(told: dict[str, Told]) -> None:
    """What a failed test has left is told as well, and so is it beside a failing teardown."""
    assert told["open.test_failed"].outcome == "failure error"
    assert told["open.test_failed"].left_open == ["close_g opened"]
    assert "ValueError: torn" in told["open.test_torn"].explained
    assert told["open.test_torn"].left_open == ["close_h opened"]
    assert told["open.test_only_torn"].left_open == []


def test_fixtures_are_answered_for_by_their_scope(told: dict[str, Told]) -> None:
    """A test answers for its own fixtures, and not for those of a class, module or session."""
    assert told["fixtures.test_wider"].outcome == "passed"
    assert told["fixtures.test_late"].left_open == ["close_late opened"]
    assert told["fixtures.test_own"].left_open == ["close_own opened"]


def test_threads_of_wider_fixtures_are_not_accused(told: dict[str, Told]) -> None:
    """What a server in the background holds at the moment is no test's leak; a test's own is."""
    assert told["threads.test_asks"].outcome == "passed"
    assert told["threads.test_own_thread"].left_open == ["close_mine opened"]


def test_asynchronous_tests_are_watched(told: dict[str, Told]) -> None:
    """A resource of `aio` is named like any other, though its `close` is gone by then."""
    assert told["async.test_run"].left_open == ["close_a test_run.<locals>.main"]
    assert told["async.test_anyio"].left_open == ["close_b test_anyio"]
    assert told["async.test_tidy"].outcome == "passed"


def test_unittest_cases_are_watched(told: dict[str, Told]) -> None:
    """`setUp` and `tearDown` belong to the test."""
    assert told["cases.TestIt.test_tidy"].outcome == "passed"
    assert told["cases.TestIt.test_untidy"].left_open == ["close_b opened"]


def test_a_marker_with_a_reason_allows_it(told: dict[str, Told]) -> None:
    """A reason must be given; and the marker is known, so that pytest's strict mode lets it by."""
    assert told["open.test_allowed"].outcome == "passed"
    for name in ("open.test_empty_reason", "open.test_no_keyword"):
        assert (
            "leaves_open needs a reason: @pytest.mark.leaves_open(reason=...)" in told[name].text
        )


def test_scopes_that_have_ended_are_forgotten(told: dict[str, Told]) -> None:
    """A test may open any number; what it opened first is still known."""
    assert told["open.test_many"].outcome == "error"
    assert told["open.test_many"].left_open == ["close_first opened"]


def test_watching_can_be_switched_off(tmp_path: Path) -> None:
    """With the option off, or without the plugin, resources are as they are without pytest."""
    off = run_in(tmp_path, {"switches": SWITCHES}, "-s", "-o", "resultflow_leaks=false")
    assert off["switches.test_it"].outcome == "passed"
    assert "inject is there" in off[""].text
    without = run_in(tmp_path, {"switches": SWITCHES}, "-s", "-p", "no:resultflow")
    assert without["switches.test_it"].outcome == "passed"
    assert "inject is not there" in without[""].text


# An Err that nobody looked at


@pytest.fixture(scope="module", name="refused", params=["0", "1"], ids=["built", "pure"])
def _refused(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Told]:
    """Make errors of what is found, in both builds."""
    return run_in(
        tmp_path_factory.mktemp("refused"),
        {"uninspected": UNINSPECTED},
        *("-o", "resultflow_uninspected=true"),
        *("-W", "error::resultflow.testing.UninspectedErr"),
        pure=request.param,
    )


def names(module: str, beginning: str, end: str) -> list[str]:
    """List the tests between two lines of a module."""
    part = module.partition(beginning)[2].partition(end or "\0")[0]
    return re.findall(r"def (test_\w+)", part)


def test_what_nobody_looked_at_is_found(refused: dict[str, Told]) -> None:
    """An `Err` that was dropped, passed on in vain or seen by its class alone fails the test."""
    found = names(UNINSPECTED, "# What must be found", "# And what must not")
    told = {key.rpartition(".")[2]: it for key, it in refused.items()}
    assert {name: told[name].outcome for name in found} == dict.fromkeys(found, "error")


def test_what_somebody_looked_at_is_not(refused: dict[str, Told]) -> None:
    """Reading, asking, comparing, deciding, carrying and ignoring are all looks."""
    not_found = names(UNINSPECTED, "# And what must not", "")
    told = {key.rpartition(".")[2].partition("[")[0]: it for key, it in refused.items()}
    wrong = {name: told[name].text for name in not_found if "dropped" in told[name].text}
    assert not wrong
    assert "passed" in {told[name].outcome for name in not_found}


def test_the_finding_says_what_and_where(refused: dict[str, Told]) -> None:
    """The report of the `Err` and the line that dropped it lead to the mistake."""
    text = refused["uninspected.test_statement"].text.strip()
    line = 1 + (HEAD + UNINSPECTED).partition("def test_statement")[0].count("\n")
    lines = text.splitlines()
    assert lines[0].startswith("this Err was dropped at ")
    assert lines[0].endswith(
        f"test_uninspected.py:{line + 1} test_statement, and nobody had looked at it:"
    )
    assert lines[1] == "'disk full'"
    assert lines[2].endswith(" save")
    assert lines[3] == "handle it, or drop it on purpose: ignore(result, reason=...)"
    assert "dropped as the test ended" in refused["uninspected.test_variable"].text
    assert "LookupError: no job 3" in refused["uninspected.test_several"].text
    assert refused["uninspected.test_several"].text.count("this Err was dropped") == 2


def test_findings_are_warnings(verbose: dict[str, Told]) -> None:
    """Without a filter they fail nothing, and pytest's summary lists them."""
    assert verbose["uninspected.test_statement"].outcome == "passed"
    assert verbose[""].text.count("UninspectedErr: this Err was dropped") == 2


# The injector, and what the plugin costs


def test_inject_is_a_fixture(told: dict[str, Told]) -> None:
    """It gives the report of a clean scenario, and fails with it otherwise."""
    assert told["a_inject.test_clean"].outcome == "passed"
    said = told["a_inject.test_leak"].explained
    assert "points are bad (mode signal" in said[0]
    assert "leak: 'a'" in said
    assert "testing.py" not in told["a_inject.test_leak"].text


def test_loading_the_plugin_loads_nothing_heavy(unmeasured: dict[str, str]) -> None:
    """What pytest imports at every start is the plugin's module, and no other of this package."""
    program = (
        "import sys, pytest\n"
        "before = set(sys.modules)\n"
        "import resultflow.pytest_plugin\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        env=unmeasured,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "resultflow resultflow.pytest_plugin\n"


def test_projects_without_resources_are_left_alone(tmp_path: Path) -> None:
    """Only what the project itself imports is loaded; resources are watched from there on."""
    told = run_in(tmp_path, {"strangers": STRANGERS}, head="")
    assert told["strangers.test_has_none"].outcome == "passed"
    for name in ("first", "second"):
        text = told[f"strangers.test_{name}"].text
        assert f"test_{name} left 1 resource open:\n  opened.<locals>.<lambda>" in text
