"""What is kept of the answers of the raises engine, from one run to the next."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from resultflow.check.answers import Answer, Answers, Question
from resultflow.check.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from resultflow.check.raises import Escape

READ = Question("near.read")
NEAR = "import far\n\ndef read(): far.read()\n"
FAR = "class Lost(Exception): ...\n\ndef read(): raise Lost\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Give a project of two modules."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "near.py").write_text(NEAR)
    (folder / "far.py").write_text(FAR)
    return folder


def ask(source: Path, cache: Path | None, settings: Settings | None = None) -> tuple[Answer, str]:
    """Ask of one function, as a run of mypy does."""
    answers, digest = Answers(settings or Settings(), cache).ask("near", [READ], [str(source)])
    return answers[READ], digest


def kept(cache: Path) -> Path:
    """Give the file of the answers."""
    (file,) = cache.glob("raises-*.jsonl")
    return file


def test_an_answer_has_class_and_way(source: Path) -> None:
    """What can leave a function has its class, the bases of that, and how it comes there."""
    answer, _ = ask(source, None)
    (found,) = answer.found
    assert found.kinds[:2] == ("far.Lost", "builtins.Exception")
    assert found.path == "read -> read"
    assert found.is_expected
    assert answer.is_known


@pytest.mark.parametrize(
    ("raised", "settings", "is_expected"),
    [
        ("Lost", Settings(), True),
        ("OSError", Settings(), True),
        ("FileNotFoundError", Settings(), True),
        ("ValueError", Settings(), False),
        ("ValueError", Settings(failures=("builtins.ValueError",)), True),
        ("UnicodeError", Settings(failures=("builtins.Value*",)), True),
        ("Lost", Settings(bugs=("far.*",)), False),
        ("TypeError", Settings(), False),
        ("TypeError", Settings(failures=("builtins.TypeError",)), True),
    ],
)
def test_what_is_expected_can_be_said(
    source: Path, raised: str, settings: Settings, *, is_expected: bool
) -> None:
    """Exceptions of the project and the system, and those of the settings; no bugs."""
    (source / "far.py").write_text(FAR.replace("raise Lost", f"raise {raised}"))
    (found,) = ask(source, None, settings)[0].found
    assert found.is_expected is is_expected


def test_what_the_library_calls_is_not_expected(source: Path) -> None:
    """What the library's own functions call has no say in what one of the project may raise."""
    (source / "far.py").write_text(
        "from resultflow.child import watch\n\ndef read():\n    watch()\n"
    )
    found = ask(source, None)[0].found
    assert "builtins.OSError" in {one.kinds[0] for one in found}
    assert not any(one.is_expected for one in found)


def test_what_ends_the_program_is_no_answer(source: Path) -> None:
    """A `BaseException` is nothing that `@safe` catches, and no failure."""
    (source / "far.py").write_text(FAR.replace("raise Lost", "raise SystemExit"))
    assert ask(source, None)[0].found == ()


def test_what_is_caught_can_be_left_out(source: Path) -> None:
    """A question may say what does not matter, with what is derived from it."""
    answers = Answers(Settings(), None)
    asked = [
        Question("near.read", is_bare=True, without=kinds)
        for kinds in ((), ("far.Lost",), ("builtins.Exception",), ("builtins.OSError",))
    ]
    found = answers.solve(asked, [str(source)])
    assert [len(answer.found) for answer in found.values()] == [1, 0, 0, 1]


def test_answers_are_kept_until_a_file_changes(source: Path, tmp_path: Path) -> None:
    """The digest is the same as long as the answers are, and changes with them."""
    cache = tmp_path / "cache"
    assert Answers(Settings(), cache).digest("near") is None
    _, first = ask(source, cache)
    assert Answers(Settings(), cache).digest("near") == first
    assert Answers(Settings(), cache).digest("far") is None
    (source / "far.py").write_text(FAR.replace("raise Lost", "raise OSError"))
    second = Answers(Settings(), cache).digest("near")
    assert second not in {first, None}
    assert Answers(Settings(), cache).digest("near") == second
    assert ask(source, cache)[1] == second
    (source / "far.py").write_text(FAR)
    assert Answers(Settings(), cache).digest("near") == first
    (source / "near.py").unlink()
    assert Answers(Settings(), cache).digest("near") not in {first, second}


def test_a_module_that_is_new_may_change_an_answer(source: Path, tmp_path: Path) -> None:
    """An import that led nowhere may lead somewhere later."""
    cache = tmp_path / "cache"
    far = (source / "far.py").read_text()
    (source / "far.py").unlink()
    _, first = ask(source, cache)
    (source / "far.py").write_text(far)
    assert Answers(Settings(), cache).digest("near") != first


def test_what_is_installed_may_change_an_answer(source: Path, tmp_path: Path) -> None:
    """Another release of a library is seen by the time of the folder that it is in."""
    cache, installed = tmp_path / "cache", tmp_path / "site-packages"
    installed.mkdir()
    (source / "far.py").replace(installed / "far.py")
    answers = Answers(Settings(failures=("far.*",)), cache)
    _, first = answers.ask("near", [READ], [str(source), str(installed)])
    (installed / "far.py").write_text(FAR.replace("raise Lost", "return"))
    info = installed / "far-2.dist-info"
    info.mkdir()
    (info / "RECORD").write_text("far.py,,\n")
    assert Answers(Settings(failures=("far.*",)), cache).digest("near") not in {first, None}


def test_several_processes_write_one_file(source: Path, tmp_path: Path) -> None:
    """The workers of mypy add their modules, each its own; the last word on a module counts."""
    cache = tmp_path / "cache"
    one, other = (Answers(Settings(), cache) for _ in range(2))
    _, first = one.ask("near", [READ], [str(source)])
    _, second = other.ask("far", [Question("far.read")], [str(source)])
    _, third = one.ask("near", [Question("near.read", without=("far.Lost",))], [str(source)])
    found = Answers(Settings(), cache)
    assert [found.digest("near"), found.digest("far")] == [third, second]
    assert first != third


@pytest.mark.parametrize(
    "text", ["{", '["stamps"]', "[1, 2]", "[]", "3", '["near", [], [1], ""]', "\udcff"]
)
def test_a_line_that_is_torn_is_left_out(source: Path, tmp_path: Path, text: str) -> None:
    """What cannot be read is asked anew; what can be read still counts."""
    cache = tmp_path / "cache"
    _, digest = ask(source, cache)
    file = kept(cache)
    whole = file.read_text()
    file.write_text(f"{text}\n", errors="surrogateescape")
    assert Answers(Settings(), cache).digest("near") is None
    if text != "\udcff":
        file.write_text(f"{text}\n{whole}")
        assert Answers(Settings(), cache).digest("near") == digest


def test_a_folder_that_cannot_be_written_costs_time_alone(source: Path, tmp_path: Path) -> None:
    """Where nothing can be kept, questions are answered all the same."""
    cache = tmp_path / "file"
    cache.touch()
    assert len(ask(source, cache)[0].found) == 1


def test_what_is_too_deep_is_not_known(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the engine gives up, nothing is promised, and the next question is answered."""
    from resultflow.check.raises import Program

    escapes = Program.escapes

    def give_up(self: Program, function: str) -> tuple[Escape, ...]:
        if function == READ.function:
            raise RecursionError
        return escapes(self, function)

    monkeypatch.setattr(Program, "escapes", give_up)
    far = Question("far.read")
    found = Answers(Settings(), None).solve([READ, far], [str(source)])
    assert found[READ] == Answer(is_known=False, found=())
    assert len(found[far].found) == 1


def test_every_line_is_json(source: Path, tmp_path: Path) -> None:
    """The file is one for other tools to read, and holds no text of the sources."""
    cache = tmp_path / "cache"
    ask(source, cache)
    names = [json.loads(line)[0] for line in kept(cache).read_text().splitlines()]
    assert names == ["stamps", "near"]
