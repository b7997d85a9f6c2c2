"""The example's harness, part by part: what it is told, what it sees, and how it judges."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from scheduler_job import demo, matrix, observe, outage, soak
from scheduler_job.chronicle import table
from scheduler_job.events import Event, Kind, LogTail, parse_line
from scheduler_job.observe import Process, descendants
from scheduler_job.passage import Passage, legacy_faults, pipeline_faults, report_in
from scheduler_job.picture import finding
from scheduler_job.stage import Console, Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
HUNG = Passage(
    name="legacy",
    down=100.0,
    back=108.0,
    end=123.0,
    loop_dead=101.5,
    exit=None,
    status="",
    left=3,
    held=2,
    state="RUNNING",
    health=503,
    restarted=None,
    ready=None,
    due_done=None,
    dues=(98.0, 104.0),
    report=(),
    tally=Tally(done=1, lost=1, twice=0),
)
CAME_BACK = attrs.evolve(
    HUNG,
    name="pipeline",
    exit=102.0,
    status="exit status 75",
    left=0,
    held=0,
    health=200,
    restarted=102.1,
    ready=108.4,
    due_done=109.0,
    report=("resultflow: DatabaseGone()", "  then completion failed: DatabaseGone()"),
    tally=Tally(done=2, lost=0, twice=0),
)


# --- what it is told --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--database", "oracle"], ["'oracle'", "choose sqlite or postgresql"]),
        (["--down", "-1"], ["'-1'", "from 1 to 600", "give one"]),
        (["--down", "nan"], ["'nan'", "from 1 to 600"]),
        (["--down", "inf"], ["'inf'", "from 1 to 600"]),
        (["--down", "soon"], ["'soon'", "from 1 to 600"]),
        (["--stop", "fast"], ["'fast'", "SQLite", "--database postgresql"]),
        (["--stop", "slowly"], ["'slowly'", "choose fast, immediate or lock"]),
        (["--only", "both"], ["'both'", "choose legacy or pipeline"]),
        (["--out", "/dev/null/picture.svg"], ["'/dev/null/picture.svg'", "name another file"]),
        (["--out", "/"], ["'/'", "directory", "name another file"]),
        (["--downs", "3"], ["--downs"]),
        (["more"], ["more"]),
    ],
)
def test_bad_usage_is_one_line_that_names_value_rule_and_way_out(
    arguments: list[str], names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad input ends the demo with status 2 and one line, before anything is started."""
    with pytest.raises(SystemExit) as ended:
        demo.parse(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    for name in names:
        assert name in said.err


@pytest.mark.parametrize("runs", ["0", "-3", "2.5", "many", "1001"])
def test_a_soak_of_no_or_too_many_runs_is_refused(
    runs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The number of runs is a whole number from 1 up, or the soak does not begin."""
    with pytest.raises(SystemExit) as ended:
        soak.parse(["--runs", runs])
    assert ended.value.code == 2
    assert f"{runs!r} is not a whole number" in capsys.readouterr().err


def test_a_machine_without_postgresql_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there are no binaries of PostgreSQL, one line says so and names SQLite."""
    monkeypatch.setattr(outage, "DEBIAN", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        demo.parse(["--database", "postgresql"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "install postgresql" in said
    assert "--database sqlite" in said
    assert said.count("\n") == 1


def test_a_temporary_directory_that_is_too_deep_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A directory in which no unix socket fits is named before supervisord fails in it."""
    deep = tmp_path / ("deep" * 20)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(SystemExit) as ended:
        demo.parse([])
    assert ended.value.code == 2
    assert "set TMPDIR to a shorter one" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another user")
def test_a_temporary_directory_that_postgresql_cannot_enter_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As root, the user that PostgreSQL runs as must be able to reach its directory."""
    with tempfile.TemporaryDirectory() as closed:
        monkeypatch.setattr(tempfile, "tempdir", closed)
        with pytest.raises(SystemExit) as ended:
            demo.parse(["--database", "postgresql", "--out", f"{closed}/picture.svg"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "TMPDIR" in said or "install postgresql" in said


def test_the_directory_of_the_picture_is_made(tmp_path: Path) -> None:
    """The picture may go to a directory that is not there yet."""
    given = demo.parse(["--out", str(tmp_path / "new" / "timeline.svg"), "--only", "pipeline"])
    assert given.picture.parent.is_dir()
    assert not list(given.picture.parent.iterdir())
    assert given.spellings == ("pipeline",)


@pytest.mark.parametrize("module", ["demo", "soak", "matrix"])
def test_help_tells_the_options_and_their_defaults(module: str) -> None:
    """`--help` prints the options and ends with status 0."""
    asked = subprocess.run(
        [sys.executable, "-m", f"scheduler_job.{module}", "--help"],
        env={**os.environ, "PYTHONPATH": str(EXAMPLES)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert asked.returncode == 0
    assert "--database sqlite|postgresql" in asked.stdout
    assert "default" in asked.stdout
    assert asked.stderr == ""


# --- what it sees -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "kind", "detail", "pid"),
    [
        ("INFO spawned: 'scheduler' with pid 41", Kind.SPAWNED, "", 41),
        (
            "WARN exited: scheduler (exit status 75; not expected)",
            Kind.EXITED,
            "exit status 75",
            0,
        ),
        (
            "WARN exited: scheduler (terminated by SIGKILL; not expected)",
            Kind.EXITED,
            "terminated by SIGKILL",
            0,
        ),
        ("WARN stopped: scheduler (exit status 0)", Kind.EXITED, "exit status 0", 0),
        (
            "INFO success: scheduler entered RUNNING state, process has stayed up for > than 1",
            Kind.RUNNING,
            "",
            0,
        ),
        (
            "INFO gave up: scheduler entered FATAL state, too many start retries too quickly",
            Kind.GAVE_UP,
            "FATAL",
            0,
        ),
        ("INFO scheduler ready job=3 pid=42", Kind.READY, "", 42),
        ("WARNING waiting for the database: locked", Kind.WAITING, "locked", 0),
        ("ERROR scheduler loop dead: gone", Kind.LOOP_DEAD, "gone", 0),
        ("INFO task due-1 started job=1 run=2 pid=7", Kind.TASK_STARTED, "due-1", 7),
        ("INFO task due-1 done", Kind.TASK_DONE, "due-1", 0),
    ],
)
def test_a_log_line_tells_its_event_and_its_time(
    line: str, kind: Kind, detail: str, pid: int
) -> None:
    """The lines of both logs become events, at the millisecond that stands in them."""
    for separator in ".,":
        stamped = f"2026-01-02 03:04:05{separator}678 {line}"
        assert parse_line(stamped) == Event(1767323045.678, kind, detail, pid)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Traceback (most recent call last):",
        "2026-01-02 03:04:05.678 INFO something else",
        "2026-01-02 03:04:05.678 INFO task due-1 done it says",
        "scheduler ready job=3 pid=42",
    ],
)
def test_other_lines_tell_nothing(line: str) -> None:
    """What is no marker, or has no time, is no event."""
    assert parse_line(line) is None


def test_a_growing_log_is_read_line_by_line(tmp_path: Path) -> None:
    """Only complete lines are given, each once; a file that is not there yet has none."""
    log = LogTail(tmp_path / "log")
    assert log.lines() == []
    (tmp_path / "log").write_bytes(b"one\ntwo\nthr")
    assert log.lines() == ["one", "two"]
    with (tmp_path / "log").open("ab") as file:
        file.write(b"ee\n\xff\n")
    assert log.lines() == ["three", "\N{REPLACEMENT CHARACTER}"]
    assert log.lines() == []


def test_descendants_are_found_over_generations() -> None:
    """Children of children belong to a process, its siblings and itself do not."""
    table = {
        pid: Process(pid=pid, parent=parent, born=0)
        for pid, parent in {10: 1, 11: 10, 12: 11, 20: 1, 21: 20}.items()
    }
    assert descendants(table, 10) == {11, 12}
    assert descendants(table, 12) == frozenset()


def test_a_marked_process_is_found_and_killed_and_others_are_not(tmp_path: Path) -> None:
    """The sweep ends exactly the processes that carry the marker, or work in its directory."""
    home = tmp_path / "marked-by-place"
    home.mkdir()
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    environment = {**os.environ, observe.MARKER: "marked-by-place/lane"}
    by_environment = subprocess.Popen(command, env=environment)
    by_place = subprocess.Popen(command, cwd=home)
    spared = subprocess.Popen(command, env={**os.environ, observe.MARKER: "marked-by-place-not"})
    try:
        found = observe.processes("marked-by-place")
        assert set(found) == {by_environment.pid, by_place.pid}
        assert observe.kill_all("marked-by-place", within=30) == frozenset()
        assert {by_environment.wait(30), by_place.wait(30)} == {-9}
        assert spared.poll() is None
    finally:
        for process in (by_environment, by_place, spared):
            process.kill()
            process.wait(30)


def test_a_listening_port_is_found_with_its_owner() -> None:
    """A port that is listened on is seen, and by which process; a free one is not."""
    [free] = observe.free_ports(1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: int = server.getsockname()[1]
        assert observe.listeners([taken, free], [os.getpid()]) == {taken: {os.getpid()}}
        assert observe.listeners([taken, free], []) == {taken: frozenset()}


def test_nobody_answering_is_no_health() -> None:
    """Where nothing listens, the health is 0, not an exception."""
    assert observe.health(observe.free_ports(1)[0]) == 0


def test_a_supervisord_that_is_not_there_has_no_state(tmp_path: Path) -> None:
    """Without an answer there is no state, and nothing is raised."""
    assert observe.Supervisor(tmp_path / "supervisor.sock").program() is None


def test_progress_lines_carry_the_time_and_the_lane(capsys: pytest.CaptureFixture[str]) -> None:
    """A line says when and where; a quiet console says nothing."""
    Console(began=100.0).say("loop dead", lane="legacy", at=103.25)
    Console(quiet=True).say("unheard")
    assert capsys.readouterr().out == "    3.2 s  legacy    loop dead\n"


# --- how it judges ----------------------------------------------------------------------------


def test_a_passage_as_the_story_tells_has_no_fault() -> None:
    """Legacy that hangs and a pipeline that comes back are what the demo is to show."""
    assert legacy_faults(HUNG) == []
    assert pipeline_faults(CAME_BACK) == []


@pytest.mark.parametrize(
    ("passage", "named"),
    [
        (attrs.evolve(HUNG, exit=104.0), "its process is alive"),
        (attrs.evolve(HUNG, state="FATAL"), "supervisord says RUNNING"),
        (attrs.evolve(HUNG, left=0), "its children are left"),
        (attrs.evolve(HUNG, due_done=110.0), "it does nothing that is due"),
        (attrs.evolve(HUNG, loop_dead=None), "take a longer --down"),
    ],
)
def test_a_legacy_that_does_not_hang_is_a_fault(passage: Passage, named: str) -> None:
    """Each part of the story that does not come true is named."""
    [fault] = legacy_faults(passage)
    assert named in fault


@pytest.mark.parametrize(
    ("passage", "named"),
    [
        (attrs.evolve(CAME_BACK, exit=107.0), "within 5 s of its loop's death, not 5.5 s"),
        (attrs.evolve(CAME_BACK, status="exit status 0"), "other than 0"),
        (attrs.evolve(CAME_BACK, left=2), "leaves no process, not 2"),
        (attrs.evolve(CAME_BACK, held=1), "leaves no port held, not 1"),
        (attrs.evolve(CAME_BACK, report=CAME_BACK.report[:1]), "its log has both errors"),
        (attrs.evolve(CAME_BACK, restarted=None), "restarted"),
        (attrs.evolve(CAME_BACK, state="FATAL"), "RUNNING, not FATAL"),
        (attrs.evolve(CAME_BACK, health=503), "answers 200, not 503"),
        (attrs.evolve(CAME_BACK, due_done=124.0), "within 15 s of the return, not 16.0 s"),
        (attrs.evolve(CAME_BACK, due_done=None), "within 15 s of the return, not never"),
        (
            attrs.evolve(CAME_BACK, tally=Tally(done=1, lost=0, twice=1)),
            "exactly once, not 1 of 2 done once, 1 twice",
        ),
        (attrs.evolve(CAME_BACK, loop_dead=None), "take a longer --down"),
    ],
)
def test_a_promise_that_the_pipeline_breaks_is_named(passage: Passage, named: str) -> None:
    """Each broken promise is named, with what was seen instead."""
    [fault] = pipeline_faults(passage)
    assert named in fault


def test_a_pipeline_that_never_exits_breaks_more_than_one_promise() -> None:
    """A pipeline that hung like legacy would not pass by any of its cells."""
    assert len(pipeline_faults(attrs.evolve(HUNG, name="pipeline"))) > 4


@pytest.mark.parametrize(
    ("judged", "passages", "status"),
    [
        ("both", [HUNG, CAME_BACK], True),
        ("legacy alone", [HUNG], True),
        ("pipeline alone", [CAME_BACK], True),
        ("pipeline hung", [HUNG, attrs.evolve(HUNG, name="pipeline")], False),
        ("legacy came back", [attrs.evolve(CAME_BACK, name="legacy"), CAME_BACK], False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_demo_succeeds_only_if_every_lane_that_ran_is_as_expected(
    judged: str, passages: Sequence[Passage], *, status: bool
) -> None:
    """With `--only`, that half alone is judged; with both, both."""
    del judged
    assert demo.judge(passages).is_ok() is status


def test_a_completion_after_the_return_need_not_have_failed() -> None:
    """When the database was back before the exit, one error in the log is all there was."""
    late = attrs.evolve(CAME_BACK, loop_dead=107.8, exit=108.2, report=CAME_BACK.report[:1])
    assert pipeline_faults(late) == []


def test_the_last_report_of_a_log_is_found_without_its_places() -> None:
    """Reports are told from other lines, and the latest counts."""
    log = [
        "resultflow: Older()",
        "2026-01-01 00:00:00.000 INFO scheduler ready job=1 pid=1",
        "resultflow: Newer()",
        "  at job.py:1 main",
        "  then completion failed: Gone()",
        "    caused by OperationalError()",
        "2026-01-01 00:00:01.000 INFO scheduler ready job=2 pid=2",
        "  unrelated",
    ]
    assert report_in(log) == (
        "resultflow: Newer()",
        "  then completion failed: Gone()",
        "    caused by OperationalError()",
    )
    assert report_in(log[3:]) == ()


SIGKILLED = matrix.Fate(
    spelling="pipeline",
    exit_after=0.1,
    how="terminated by SIGKILL",
    left=0,
    held=0,
    serves_after=1.0,
)


@pytest.mark.parametrize(
    ("fate", "named"),
    [
        (attrs.evolve(SIGKILLED, exit_after=5.1), "ends within 5 s, not 5.1 s"),
        (attrs.evolve(SIGKILLED, exit_after=None), "not never"),
        (
            attrs.evolve(SIGKILLED, how="exit status 137"),
            "dies by SIGKILL, not by 'exit status 137'",
        ),
        (attrs.evolve(SIGKILLED, left=1), "no process, not 1"),
        (attrs.evolve(SIGKILLED, held=2), "no port held, not 2"),
        (attrs.evolve(SIGKILLED, serves_after=None), "the restarted one serves"),
    ],
)
def test_a_signal_that_is_not_obeyed_is_named(fate: matrix.Fate, named: str) -> None:
    """Each promise about signals that is broken is named; none is otherwise."""
    assert matrix.broken(SIGKILLED, signal.SIGKILL) == []
    [fault] = matrix.broken(fate, signal.SIGKILL)
    assert named in fault


def test_the_table_sets_the_lanes_side_by_side() -> None:
    """Each fact is a row, each lane a column, and what never happened says never."""
    rows = {line[:16].strip(): line[16:].split("   ") for line in table([HUNG, CAME_BACK])}
    cells = {name: [cell.strip() for cell in row if cell.strip()] for name, row in rows.items()}
    assert cells[""] == ["legacy", "pipeline"]
    assert cells["process exit"] == ["never (23.0 s watched)", "0.5 s later, exit status 75"]
    assert cells["processes left"] == ["3", "0"]
    assert cells["due task done"] == ["never (23.0 s watched)", "1.0 s after the return"]


@pytest.mark.parametrize(
    ("passage", "says"),
    [
        (HUNG, "hangs: 21.5 s after its loop died the process is alive"),
        (CAME_BACK, "exited 0.5 s after its loop died (exit status 75), left nothing behind"),
        (attrs.evolve(CAME_BACK, left=2), "left 2 processes and 0 ports behind"),
        (attrs.evolve(CAME_BACK, due_done=None), "but did not do the due task"),
        (attrs.evolve(HUNG, loop_dead=None), "its loop outlived the outage"),
    ],
)
def test_the_finding_of_a_lane_is_what_was_seen(passage: Passage, says: str) -> None:
    """The picture's sentence follows from the facts, whichever lane they belong to."""
    assert says in finding(passage)
