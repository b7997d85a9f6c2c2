"""The page of `resultflow escapes --html`: what is in the file, and what a browser makes of it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from tests.chromium import CHROMIUM, Browser, browser

from resultflow import cli
from resultflow.check.page import as_html

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

LOST = "sqlalchemy.exc.OperationalError"
BAD_JSON = "json.decoder.JSONDecodeError"
PATHS = {
    "shop.jobs": "shop/jobs.py",
    "shop.db": "shop/db.py",
    "shop.config": "shop/config.py",
    "sqlalchemy.orm": "/opt/venv/lib/python3.12/site-packages/sqlalchemy/orm.py",
}


def path_of(function: str) -> str:
    """Give the file of a function; a compiled one has none."""
    return next((path for name, path in PATHS.items() if function.startswith(name)), "")


def call(
    caller: str, callee: str, line: int, passes: list[str], catches: list[str] | None = None
) -> dict[str, object]:
    """Give one call, as `--json` has it."""
    return {
        "from": caller,
        "to": callee,
        "line": line,
        "column": 4,
        "passes": passes,
        "catches": catches or [],
    }


def bare(function: str, line: int) -> dict[str, object]:
    """Give an unprotected yield, as a step has it."""
    place: dict[str, object] = {"function": function, "path": path_of(function), "line": line}
    return place | {"skips": "session.close()"}


def way(exception: str, *steps: tuple[str, int], yields: int = 0) -> dict[str, object]:
    """Give one escape; the step in `session_scope` passes an unprotected yield."""
    return {
        "exception": exception,
        "steps": [
            {"function": function, "path": path_of(function), "line": line, "column": 4}
            | ({"yields": [bare(function, yields)]} if yields and "scope" in function else {})
            for function, line in steps
        ],
    }


def data_of(
    calls: list[dict[str, object]],
    raises: Mapping[tuple[str, str], int],
    failures: Mapping[str, bool],
    escapes: list[dict[str, object]],
    **more: object,
) -> dict[str, object]:
    """Give the whole object, whose entry is the first caller."""
    functions = dict.fromkeys(str(one[end]) for one in calls for end in ("from", "to"))
    return {
        "entry": str(calls[0]["from"]),
        "functions": [
            {
                "id": name,
                "path": path_of(name),
                "line": at + 1,
                "kind": "table" if not path_of(name) else "function",
            }
            for at, name in enumerate(functions)
        ],
        "calls": calls,
        "raises": [
            {"function": function, "exception": exception, "line": line, "column": 8}
            for (function, exception), line in raises.items()
        ],
        "exceptions": [
            {"name": name, "bases": ["builtins.Exception"], "failure": is_failure}
            for name, is_failure in failures.items()
        ],
        "escapes": escapes,
        "unknown": [],
        "notes": [],
    } | more


SHOP = data_of(
    [
        call("shop.jobs.run", "shop.jobs.execute", 44, [LOST, "builtins.KeyError"]),
        call("shop.jobs.run", "shop.config.load", 41, ["builtins.OSError"], [BAD_JSON]),
        call("shop.jobs.run", "shop.jobs.complete", 47, [LOST]),
        call("shop.jobs.execute", "shop.jobs.heartbeat", 75, ["builtins.KeyError"], [LOST]),
        call("shop.jobs.execute", "shop.jobs.complete", 82, [LOST]),
        call("shop.jobs.heartbeat", "shop.db.session_scope", 99, [LOST]),
        call("shop.jobs.heartbeat", "shop.jobs.execute", 105, []),
        call("shop.jobs.complete", "shop.db.session_scope", 121, [LOST]),
        call("shop.db.session_scope", "sqlalchemy.orm.commit", 22, [LOST]),
        call("shop.config.load", "builtins.open", 10, ["builtins.OSError"]),
        call("shop.config.load", "json.loads", 12, [BAD_JSON]),
    ],
    {
        ("sqlalchemy.orm.commit", LOST): 702,
        ("shop.jobs.heartbeat", "builtins.KeyError"): 101,
        ("builtins.open", "builtins.OSError"): 0,
        ("json.loads", BAD_JSON): 0,
    },
    {"builtins.KeyError": False, LOST: True, "builtins.OSError": True, BAD_JSON: True},
    [
        way(
            LOST,
            ("shop.jobs.run", 47),
            ("shop.jobs.complete", 121),
            ("shop.db.session_scope", 22),
            ("sqlalchemy.orm.commit", 702),
            yields=20,
        ),
        way(
            "builtins.KeyError",
            ("shop.jobs.run", 44),
            ("shop.jobs.execute", 75),
            ("shop.jobs.heartbeat", 101),
        ),
        way(
            "builtins.OSError",
            ("shop.jobs.run", 41),
            ("shop.config.load", 10),
            ("builtins.open", 0),
        ),
    ],
    unknown=["shop.jobs.heartbeat"],
    notes=["1 call could not be resolved"],
)


def many(count: int) -> dict[str, object]:
    """Give a graph of many functions: a tree with short cuts and cycles, and twelve exceptions."""
    names = [f"package{at % 7}.module{at % 31}.function_{at}" for at in range(count)]
    edges = {((at - 1) // 3, at) for at in range(1, count)}
    edges |= {(at, at + at * 7 % 60 + 1) for at in range(count) if at + at * 7 % 60 + 1 < count}
    edges |= {(at, at // 2) for at in range(97, count, 97)}
    exceptions = [f"package{at}.errors.Error{at}" for at in range(12)]
    origins = {exception: count - 1 - at * 5 for at, exception in enumerate(exceptions)}
    escapes: list[dict[str, object]] = []
    passed: dict[tuple[int, int], list[str]] = {}
    for exception, origin in origins.items():
        path = [origin]
        while path[-1]:
            path.append((path[-1] - 1) // 3)
            passed.setdefault((path[-1], path[-2]), []).append(exception)
        escapes.append(way(exception, *((names[at], at + 1) for at in reversed(path))))
    return data_of(
        [
            call(
                names[a], names[b], a + 9, passed.get((a, b), []), exceptions[a % 12 : a % 12 + 1]
            )
            for a, b in sorted(edges)
        ],
        {(names[origin], exception): 7 for exception, origin in origins.items()},
        dict.fromkeys(exceptions, True),
        escapes,
    )


class Read(HTMLParser):
    """What a page consists of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.data = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note a text, unless it is script or style."""
        tag, attributes = self.tags[-1] if self.tags else ("", {})
        if attributes.get("id") == "data":
            self.data += data
        elif tag not in {"script", "style"} and data.strip():
            self.texts.append(data.strip())


# The file


def test_page_needs_nothing_beside_itself() -> None:
    """The page names no outside address, and forbids itself to load anything."""
    page = as_html(SHOP)
    assert set(re.findall(r"\w+://[^\"'\s]*", page)) == {"http://www.w3.org/2000/svg"}
    for _, attributes in Read(page).tags:
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    assert not re.search(r"@import|url\(", page)
    assert "default-src 'none'" in page


def test_same_data_gives_the_same_page() -> None:
    """The page depends on nothing but the data, and not on the order of its keys."""
    assert as_html(SHOP) == as_html(dict(reversed(SHOP.items())))


def test_script_has_the_graph() -> None:
    """The script is given every call, raise and way, and the signs in the order of the list."""
    data = json.loads(Read(as_html(SHOP)).data)
    names = [name for name, *_ in data["functions"]]
    signs = [name for name, _ in data["exceptions"]]
    assert signs == ["builtins.OSError", LOST, "builtins.KeyError", BAD_JSON]
    assert names[data["entry"]] == SHOP["entry"]
    assert [
        {
            "from": names[caller],
            "to": names[callee],
            "line": line,
            "column": 4,
            "passes": [signs[at] for at in passes],
            "catches": [signs[at] for at in catches],
        }
        for caller, callee, line, passes, catches in data["calls"]
    ] == SHOP["calls"]
    assert [[names[at], signs[number], line] for at, number, line in data["raises"]] == [
        ["sqlalchemy.orm.commit", LOST, 702],
        ["shop.jobs.heartbeat", "builtins.KeyError", 101],
        ["builtins.open", "builtins.OSError", 0],
        ["json.loads", BAD_JSON, 0],
    ]
    assert [[names[at] for at, _ in way] for way in data["ways"][1]] == [
        ["shop.jobs.run", "shop.jobs.complete", "shop.db.session_scope", "sqlalchemy.orm.commit"]
    ]
    place = "shop.db.session_scope"
    assert [[names[at], *of] for at, *of in data["yields"]] == [[place, place, 20]]


def test_ways_past_unprotected_yields_come_first() -> None:
    """Of several ways of an exception, the one that skips a teardown is shown, then short ones."""
    calls = [call("m.f", f"m.{name}", 1, ["m.E"]) for name in ("scope", "g", "h")]
    calls.append(call("m.h", "m.g", 2, ["m.E"]))
    data = data_of(
        calls,
        {("m.g", "m.E"): 7},
        {"m.E": True},
        [
            way("m.E", ("m.f", 1), ("m.h", 2), ("m.g", 7)),
            way("m.E", ("m.f", 1), ("m.g", 7)),
            way("m.E", ("m.f", 1), ("m.scope", 5), ("m.h", 2), ("m.g", 7), yields=4),
        ],
    )
    page = as_html(data)
    assert re.findall(r"<details class=\"path\"( open)?><summary>(.*?)</summary>", page) == [
        (" open", "3 calls deep, past 1 unprotected yield"),
        ("", "1 call deep"),
        ("", "2 calls deep"),
    ]
    assert page.count('class="mark" title="skips the teardown after a yield"') == 1


def test_what_is_not_listed_is_left_out() -> None:
    """A function that only a call names is drawn, an exception that only a call names is not."""
    listed: list[dict[str, object]] = [{"name": LOST, "bases": [BAD_JSON], "failure": True}]
    data = SHOP | {"functions": [], "exceptions": listed}
    read = json.loads(Read(as_html(data)).data)
    assert len(read["functions"]) == 9
    assert [number for _, number, _ in read["raises"]] == [0]
    assert {at for *_, passes, catches in read["calls"] for at in passes + catches} == {0}


@pytest.mark.parametrize(
    "name",
    ["</script><script>boom()</script>", "<!--data-->", "<!--", "a&amp;\"b'", "größe", "\udcff"],
)
def test_no_name_is_taken_for_a_tag(name: str) -> None:
    """A name is text wherever it stands, whatever is in it."""
    data = data_of(
        [call(f"m.{name}", "m.g", 1, [f"m.{name}Error"])],
        {("m.g", f"m.{name}Error"): 2},
        {f"m.{name}Error": True},
        [way(f"m.{name}Error", (f"m.{name}", 1), ("m.g", 2))],
        notes=[name],
        unknown=[name],
    )
    page = as_html(data)
    read, plain = Read(page), Read(as_html(SHOP))
    count = [tag for tag, _ in read.tags].count
    assert (count("script"), count("nav")) == (2, 1)
    assert [tag for tag, _ in read.tags][-1] == [tag for tag, _ in plain.tags][-1] == "script"
    assert json.loads(read.data)["functions"][0][0] == f"m.{name}"
    shown = "".join(read.texts)
    assert name.encode("utf-8", "backslashreplace").decode() in shown
    page.encode()


def test_failures_come_first_and_bugs_are_folded() -> None:
    """Failures are listed first and open; bugs and what is caught can be opened."""
    groups = [attributes for tag, attributes in Read(as_html(SHOP)).tags if tag == "details"]
    groups = [group for group in groups if group.get("class") == "group"]
    assert ["open" in group for group in groups] == [True, False, False]
    texts = Read(as_html(SHOP)).texts
    places = [texts.index(text) for text in ("Failures", "OSError", "Bugs", "KeyError")]
    assert places == sorted(places)
    assert places[-1] < texts.index("Caught on the way") < texts.index("JSONDecodeError")


def test_bugs_are_open_when_there_is_nothing_else() -> None:
    """The first group is open, whichever it is."""
    calls = [call("shop.jobs.run", "shop.jobs.execute", 44, [], [LOST])]
    page = as_html(data_of(calls, {("shop.jobs.execute", LOST): 50}, {LOST: True}, []))
    assert '<details class="group" open><summary>Caught on the way' in page
    assert "Nothing that is modelled can leave <code>shop.jobs.run</code>." in page


def test_command_writes_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`resultflow escapes --html FILE` writes the page of what it found, or says why it cannot."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.py").write_text("def run(): raise OSError\n", encoding="utf-8")
    assert cli.main(["escapes", "shop:run", "--html", "out.html"]) == 0
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "1 failure can leave <code>shop.run</code>." in page
    assert cli.main(["escapes", "shop:run", "--html", "no/such/folder.html"]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_steps_lead_from_the_raise_to_the_edge() -> None:
    """Each step has its file and line; yields that are passed and handlers that take it show."""
    article = as_html(SHOP).partition('<article class="way" id="e1"')[2].partition("</article>")[0]
    texts = " ".join(Read(f"<p>{article}".replace("<wbr>", "")).texts)
    steps = (
        "raised in sqlalchemy.orm. commit sqlalchemy/orm.py:702",
        "passes shop.db. session_scope shop/db.py:22",
        "past the yield of shop.db. session_scope shop/db.py:20",
        "and skips session.close()",
        "passes shop.jobs. complete shop/jobs.py:121",
        "passes shop.jobs. run shop/jobs.py:47",
        "leaves the entry point",
        "Caught on other ways",
        "execute takes what leaves shop.jobs. heartbeat shop/jobs.py:75",
    )
    places = [texts.find(step) for step in steps]
    assert -1 not in places, texts
    assert places == sorted(places)


def test_function_of_the_table_has_no_line() -> None:
    """What comes from the table says so, where others name file and line."""
    assert "known from the table" in as_html(SHOP)
    assert ":0<" not in as_html(SHOP)


# The browser

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on PATH")


@pytest.fixture(scope="module")
def chromium() -> Generator[Browser]:
    """One browser for all tests of this module."""
    with browser() as opened:
        yield opened


@pytest.fixture
def tab(chromium: Browser) -> Generator[Browser]:
    """The browser; in the end, nothing was logged, thrown or refused."""
    chromium.errors.clear()
    yield chromium
    assert chromium.errors == []


def show(
    tab: Browser, tmp_path: Path, data: dict[str, object], width: int = 1280, height: int = 800
) -> None:
    """Open the page of some data."""
    file = tmp_path / "page.html"
    file.write_text(as_html(data), encoding="utf-8")
    tab.open(file, width=width, height=height)


def keys_of(tab: Browser, selector: str) -> list[str]:
    """Give the functions of some nodes of the graph."""
    return sorted(
        tab.run(f"[...document.querySelectorAll({selector!r})].map(each => each.dataset.key)")
    )


def text_of(tab: Browser, selector: str) -> str:
    """Give the text that is seen in an element."""
    text: str = tab.run(f"document.querySelector({selector!r}).innerText")
    return text


def row(exception: str) -> str:
    """Give the selector of an exception in the list, by its place."""
    names = ["builtins.OSError", LOST, "builtins.KeyError", BAD_JSON]
    return f'.row[data-number="{names.index(exception)}"]'


@needs_chromium
def test_click_follows_an_exception(tab: Browser, tmp_path: Path) -> None:
    """A click on an exception lights its way from the raise to the edge, and lists the steps."""
    show(tab, tmp_path, SHOP)
    assert keys_of(tab, ".node.on") == []
    tab.click(row(LOST))
    on = ["shop.db.session_scope", "shop.jobs.complete", "shop.jobs.run", "sqlalchemy.orm.commit"]
    assert keys_of(tab, ".node.on") == on
    assert tab.run("document.querySelectorAll('#view .edge.on').length") == 3
    assert tab.run("document.querySelectorAll('#view .arrow').length") == 3
    assert tab.run("document.querySelectorAll('#view .handler').length") == 1
    steps = text_of(tab, "#ways")
    assert steps.index("shop/db.py:22") < steps.index("shop/jobs.py:47")
    assert "past the yield of shop.db.session_scope" in steps
    assert "OSError" not in steps
    assert "following sqlalchemy.exc.OperationalError: 4 steps" in text_of(tab, "#said")
    assert tab.run(f"document.querySelector('{row(LOST)}').ariaCurrent") == "true"


@needs_chromium
def test_each_way_can_be_followed(tab: Browser, tmp_path: Path) -> None:
    """Of several ways, the one that is opened in the text is the one that is drawn."""
    calls = [call("m.f", "m.g", 1, ["m.E"]), call("m.f", "m.h", 2, ["m.E"])]
    calls += [call("m.g", "m.i", 3, ["m.E"]), call("m.h", "m.i", 4, ["m.E"])]
    ways = [way("m.E", ("m.f", 1), (f"m.{name}", 3), ("m.i", 9)) for name in ("g", "h")]
    # What a decorator has put around the entry point leads on from it.
    ways.append(way("m.E", ("m.wrapper", 5), ("m.g", 3), ("m.i", 9)))
    show(tab, tmp_path, data_of(calls, {("m.i", "m.E"): 9}, {"m.E": True}, ways))
    tab.click(".row")
    assert keys_of(tab, ".node.on") == ["m.f", "m.g", "m.i"]
    tab.click(".way.followed .path:nth-of-type(2) summary")
    tab.settle()
    assert keys_of(tab, ".node.on") == ["m.f", "m.h", "m.i"]
    assert tab.run("document.querySelectorAll('.path[open]').length") == 1
    tab.click(".way.followed .path:nth-of-type(3) summary")
    tab.settle()
    assert keys_of(tab, ".node.on") == ["m.f", "m.g", "m.i", "m.wrapper"]
    assert tab.run("document.querySelectorAll('#view .edge.on').length") == 3


@needs_chromium
def test_browser_goes_back_to_what_was_followed(tab: Browser, tmp_path: Path) -> None:
    """What is followed is in the address: it can be sent, and the browser goes back to it."""
    show(tab, tmp_path, SHOP)
    tab.click(row(LOST))
    tab.click(row("builtins.OSError"))
    assert "OSError" in text_of(tab, ".way.followed")
    tab.run("new Promise(done => { addEventListener('hashchange', done); history.back(); })")
    assert "OperationalError" in text_of(tab, ".way.followed")


@needs_chromium
def test_click_on_a_sign_follows_and_on_a_node_tells(tab: Browser, tmp_path: Path) -> None:
    """The sign of an exception on its origin follows it; a function tells what passes it."""
    show(tab, tmp_path, SHOP, width=1600)
    tab.click('.node[data-key="builtins.open"] .badge')
    assert "OSError" in text_of(tab, ".way.followed")
    tab.click('.node[data-key="shop.jobs.execute"] .label')
    card = text_of(tab, "#card")
    assert "shop/jobs.py" in card
    assert "heartbeat line 75" in card
    assert "catches" in card
    tab.click("#card .close")
    assert tab.run("document.querySelector('#card').hidden")


@needs_chromium
def test_handlers_are_marked_where_they_take_it(tab: Browser, tmp_path: Path) -> None:
    """An exception that never leaves can be followed to the handlers that take it."""
    show(tab, tmp_path, SHOP)
    tab.run("document.querySelectorAll('nav details').forEach(each => { each.open = true; })")
    tab.click("[data-level=every]")
    tab.click(row(BAD_JSON))
    assert keys_of(tab, ".node") == ["json.loads", "shop.config.load", "shop.jobs.run"]
    title = tab.run("document.querySelector('#view .handler title').textContent")
    assert title.startswith("shop.jobs.run → shop.config.load, line 41")
    assert f"catches {BAD_JSON}" in title
    assert "takes what leaves" in text_of(tab, ".way.followed")


@needs_chromium
def test_levels_draw_less_or_more(tab: Browser, tmp_path: Path) -> None:
    """The shortest way, every way and the whole graph hold one another."""
    show(tab, tmp_path, SHOP)
    counts: list[int] = []
    for level in ("paths", "every", "all"):
        tab.click(f"[data-level={level}]")
        tab.click(row("builtins.OSError"))
        counts.append(len(keys_of(tab, ".node")))
        tab.press("Escape")
    assert counts == [3, 3, 9]
    assert keys_of(tab, ".node.entry") == ["shop.jobs.run"]


@needs_chromium
def test_search_finds_functions_and_exceptions(tab: Browser, tmp_path: Path) -> None:
    """Search is reached by /, chosen from by arrows and Enter, and left by Esc."""
    show(tab, tmp_path, SHOP)
    tab.click("[data-level=paths]")
    tab.press("/")
    tab.type("heart")
    assert tab.run("document.activeElement.getAttribute('aria-expanded')") == "true"
    tab.press("Enter")
    assert tab.run("document.activeElement.dataset.key") == "shop.jobs.heartbeat"
    assert keys_of(tab, ".node.chosen") == ["shop.jobs.heartbeat"]
    tab.press("/")
    tab.type("error")
    found = tab.run("[...document.querySelectorAll('#found .name')].map(each => each.innerText)")
    assert found == ["OSError", "OperationalError", "KeyError", "JSONDecodeError"]
    tab.press("ArrowDown", "ArrowDown", "ArrowUp")
    active = tab.run("document.activeElement.getAttribute('aria-activedescendant')")
    assert "OperationalError" in text_of(tab, f"#{active}")
    tab.press("Enter")
    assert "OperationalError" in text_of(tab, ".way.followed")
    tab.press("/")
    tab.type("nowhere")
    assert "nothing has such a name" in text_of(tab, "#found")
    tab.press("Escape")
    assert tab.run("document.querySelector('#found').hidden")
    assert tab.run("document.querySelector('#search').value") == ""
    assert "OperationalError" in text_of(tab, ".way.followed")


@needs_chromium
def test_everything_is_reached_by_keys(tab: Browser, tmp_path: Path) -> None:
    """Tab goes through search, list, tools and graph; arrows go from function to function."""
    show(tab, tmp_path, SHOP)
    reached: list[str] = []
    for _ in range(40):
        tab.press("Tab")
        reached.append(tab.run("document.activeElement.dataset.key ?? document.activeElement.id"))
        if reached[-1] == "shop.jobs.run":
            break
    order = [reached.index(name) for name in ("search", "theme", "fit", "shop.jobs.run")]
    assert order == sorted(order)

    def at(*keys: str) -> str:
        tab.press(*keys)
        key: str = tab.run("document.activeElement.dataset.key")
        return key

    first = at("ArrowRight")
    assert first in {"shop.jobs.execute", "shop.config.load", "shop.jobs.complete"}
    assert at("ArrowLeft") == "shop.jobs.run"
    assert {at("ArrowRight"), at("ArrowDown"), at("ArrowUp")} >= {first}
    assert at("Home") == "shop.jobs.run"
    at("Enter")
    assert keys_of(tab, '.node[aria-pressed="true"]') == ["shop.jobs.run"]
    assert tab.run("document.activeElement.ariaLabel") == "shop.jobs.run; the entry point"
    tab.press("Escape")
    assert keys_of(tab, '.node[aria-pressed="true"]') == []
    tab.run(f"document.querySelector('{row('builtins.OSError')}').focus()")
    tab.press("ArrowDown", "Enter")
    assert "OperationalError" in text_of(tab, ".way.followed")
    tab.press("Escape")
    assert tab.run("document.querySelector('.way.followed')") is None


@needs_chromium
def test_tree_says_what_it_is(tab: Browser, tmp_path: Path) -> None:
    """Every control has a role and a name for those who do not see it."""
    show(tab, tmp_path, SHOP)
    nodes = tab.ask("Accessibility.getFullAXTree")["nodes"]
    named = {
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"]
    }
    assert {
        ("navigation", "Exceptions"),
        ("combobox", "Search functions and exceptions"),
        ("radio", "Every way"),
        ("button", "Zoom in"),
        ("complementary", "Steps"),
        ("button", "shop.jobs.complete"),
        ("button", "sqlalchemy.orm.commit; raises sqlalchemy.exc.OperationalError"),
    } <= named
    focusable = {"button", "link", "radio", "checkbox", "combobox", "option"}
    assert [role for role, name in named if role in focusable and not name] == []


CONTRASTS = """(() => {
  const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const shine = (colour) => {
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data]
      .map(each => each / 255).map(each => each <= .04045 ? each / 12.92 : ((each + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const style = getComputedStyle(document.documentElement);
  const of = (name) => shine(style.getPropertyValue(name));
  const contrast = (a, b) => (Math.max(of(a), of(b)) + .05) / (Math.min(of(a), of(b)) + .05);
  const signs = ['--x0', '--x1', '--x2', '--x3', '--x4', '--x5'];
  return {
    back: style.getPropertyValue('--page'),
    text: Math.min(...['--text', '--dim', '--accent'].flatMap(each => [contrast(each, '--page'), contrast(each, '--card')]),
      contrast('--warn', '--warn-back'), contrast('--accent', '--chosen')),
    signs: Math.min(...signs.flatMap(each => [contrast(each, '--page'), contrast(each, '--card')])),
  };
})()"""  # noqa: E501 - not Python


@needs_chromium
def test_light_and_dark_can_be_read(tab: Browser, tmp_path: Path) -> None:
    """The system's choice is followed until the button changes it; both have enough contrast."""
    show(tab, tmp_path, SHOP)
    light = tab.run(CONTRASTS)
    tab.prefer("dark")
    tab.settle()
    dark = tab.run(CONTRASTS)
    assert light["back"] != dark["back"]
    assert text_of(tab, "#theme") == "Light"
    for told in (light, dark):
        assert told["text"] >= 4.5
        assert told["signs"] >= 3
    tab.click("#theme")
    assert tab.run(CONTRASTS) == light
    tab.click("#theme")
    assert tab.run(CONTRASTS) == dark
    tab.prefer("light")
    tab.settle()
    assert tab.run(CONTRASTS) == dark


BOXES = """[...document.querySelectorAll('.node')].map(each => {
  const { e: x, f: y } = each.transform.baseVal[0].matrix;
  const box = each.querySelector('.box');
  return [x, y, x + Number(box.getAttribute('width')), y + Number(box.getAttribute('height'))];
})"""


def overlaps(boxes: list[list[float]]) -> int:
    """Count pairs of boxes that lie on one another."""
    count = 0
    boxes = sorted(boxes)
    for at, (_, top, right, bottom) in enumerate(boxes):
        for left, other_top, _, other_bottom in boxes[at + 1 :]:
            if left >= right:
                break
            count += other_top < bottom and top < other_bottom
    return count


# Until it is on the screen: one frame to lay it out, and another to know that it was shown.
DRAW = """new Promise(done => {
  document.querySelector('[data-level=all]').click();
  requestAnimationFrame(() => requestAnimationFrame(done));
})"""


@needs_chromium
def test_thousand_functions_are_laid_out(tab: Browser, tmp_path: Path) -> None:
    """1,000 functions are drawn within 3 s, none on another, and alike each time."""
    data = many(1_000)
    drawn: list[list[list[float]]] = []
    for _ in range(2):
        show(tab, tmp_path, data)
        assert tab.seconds_of(DRAW) < 3
        drawn.append(tab.run(BOXES))
    assert len(drawn[0]) == 1_000
    assert drawn[0] == drawn[1]
    for level in ("paths", "every", "all"):
        tab.click(f"[data-level={level}]")
        assert overlaps(tab.run(BOXES)) == 0
    tab.click('.row[data-number="3"]')
    assert overlaps(tab.run(BOXES)) == 0
    size = tab.run("document.querySelector('.node.on .label').getBoundingClientRect().height")
    assert size > 8  # what is followed can be read, whatever the size of the rest


@needs_chromium
@pytest.mark.parametrize("width", [1280, 1600])
def test_long_way_is_seen_whole(tab: Browser, tmp_path: Path, width: int) -> None:
    """A way of many calls is wrapped, so that its raise and the edge are seen and read at once."""
    names = [f"shop.module{at}.function_number_{at}" for at in range(16)]
    data = data_of(
        [call(one, other, 1, ["m.E"]) for one, other in pairwise(names)],
        {(names[-1], "m.E"): 2},
        {"m.E": True},
        [way("m.E", *((name, 1) for name in names))],
    )
    show(tab, tmp_path, data, width=width)
    tab.click(".row")
    outside = """(frame => [...document.querySelectorAll('.node.on')].filter(each => {
        const box = each.getBoundingClientRect();
        return box.left < frame.left || box.right > frame.right
            || box.top < frame.top || box.bottom > frame.bottom;
    }).length)(document.querySelector('#graph').getBoundingClientRect())"""
    assert len(keys_of(tab, ".node.on")) == 16
    assert tab.run(outside) == 0
    assert overlaps(tab.run(BOXES)) == 0
    size = tab.run("document.querySelector('.node.on .label').getBoundingClientRect().height")
    assert size > 8


@needs_chromium
def test_text_stays_in_its_box(tab: Browser, tmp_path: Path) -> None:
    """No name runs out of its function's box, however long it is."""
    long = f"{'deep.' * 20}{'very_' * 20}long"
    data = data_of(
        [call("m.f", long, 1, ["m.Error"]), call("m.f", f"m.é{'漢字' * 14}", 2, [])],
        {(long, "m.Error"): 2},
        {"m.Error": True},
        [way("m.Error", ("m.f", 1), (long, 2))],
    )
    show(tab, tmp_path, data)
    outside = """[...document.querySelectorAll('.node')].filter(each => {
        const box = each.querySelector('.box').getBoundingClientRect();
        return [...each.querySelectorAll('text')].some(text => {
            const its = text.getBoundingClientRect();
            return its.right > box.right || its.left < box.left;
        });
    }).length"""
    assert tab.run(outside) == 0


@needs_chromium
def test_packages_fold_into_one_node(tab: Browser, tmp_path: Path) -> None:
    """A package folds into one node, without the entry point, and unfolds for what is searched."""
    show(tab, tmp_path, SHOP)
    tab.click(".packages summary")
    tab.click('.packages input[data-name="shop"]')
    assert keys_of(tab, ".node") == [
        "builtins.open",
        "json.loads",
        "package shop",
        "shop.jobs.run",
        "sqlalchemy.orm.commit",
    ]
    assert text_of(tab, ".packages summary") == "Packages: 1 folded"
    assert "5 functions" in tab.run(
        "document.querySelector('[data-key=\"package shop\"]').textContent"
    )
    tab.click(row(LOST))
    assert keys_of(tab, ".node.on") == ["package shop", "shop.jobs.run", "sqlalchemy.orm.commit"]
    tab.press("/")
    tab.type("heartbeat")
    tab.press("Enter")
    assert "shop.jobs.heartbeat" in keys_of(tab, ".node")
    tab.click(".packages summary")
    tab.click(".packages .both button")
    assert "package sqlalchemy" in keys_of(tab, ".node")
    tab.press("Escape")
    assert not tab.run("document.querySelector('.packages').open")


@needs_chromium
def test_graph_is_dragged_and_zoomed(tab: Browser, tmp_path: Path) -> None:
    """The mouse drags the graph, the wheel and the keys zoom it, and f fits it in."""
    show(tab, tmp_path, SHOP)

    def place() -> list[float]:
        box: list[float] = tab.run(
            "(box => [box.x, box.y, box.width])"
            "(document.querySelector('.node.entry').getBoundingClientRect())"
        )
        return box

    tab.press("f")
    start = place()
    tab.mouse("mousePressed", 600, 300)
    tab.mouse("mouseMoved", 640, 360)
    tab.mouse("mouseReleased", 640, 360)
    assert place()[:2] == pytest.approx([start[0] + 40, start[1] + 60], abs=1)
    tab.mouse("mouseMoved", 700, 300, buttons=0, button="none")
    assert place()[:2] == pytest.approx([start[0] + 40, start[1] + 60], abs=1)
    tab.mouse("mouseWheel", 600, 300, deltaX=0, deltaY=-200)
    assert place()[2] > start[2] * 1.2
    tab.press("f")
    assert place() == pytest.approx(start, abs=1)
    tab.press("+")
    assert place()[2] > start[2]
    tab.press("-")
    assert place()[2] == pytest.approx(start[2], abs=1)


@needs_chromium
def test_no_name_is_run(tab: Browser, tmp_path: Path) -> None:
    """What a name says is shown, and done in no case."""
    name = "</script><img src=x onerror='window.boom=1'><script>window.boom=1</script>"
    data = data_of(
        [call(f"m.{name}", f"n.{name}", 1, [f"m.{name}E"])],
        {(f"n.{name}", f"m.{name}E"): 2},
        {f"m.{name}E": True},
        [way(f"m.{name}E", (f"m.{name}", 1), (f"n.{name}", 2))],
        notes=[name],
        unknown=[f"n.{name}"],
    )
    show(tab, tmp_path, data)
    tab.click(".row")
    tab.press("/")
    tab.type("onerror")
    tab.press("ArrowDown", "Enter")
    assert tab.run("window.boom") is None
    assert name in text_of(tab, "#card")
    assert tab.run("document.images.length") == 0


@needs_chromium
def test_page_asks_for_nothing(tab: Browser, tmp_path: Path) -> None:
    """From opening to following, no address but the file's own is asked for."""
    show(tab, tmp_path, SHOP)
    tab.click(row(LOST))
    assert tab.run("performance.getEntriesByType('resource').length") == 0


@needs_chromium
@pytest.mark.parametrize(("width", "height"), [(390, 844), (900, 700), (1280, 800)])
def test_page_fits_the_window(tab: Browser, tmp_path: Path, width: int, height: int) -> None:
    """On a phone and on a desk, nothing is cut off at the side, and all parts have their place."""
    show(tab, tmp_path, SHOP, width=width, height=height)
    tab.click(row(LOST))
    assert tab.run("document.scrollingElement.scrollWidth") <= width
    parts = ("nav", ".drawing", "aside")
    boxes: list[list[float]] = [
        tab.run(f"(box => [box.x, box.y, box.right, box.bottom])(document.querySelector('{part}')"
                ".getBoundingClientRect())")
        for part in parts
    ]  # fmt: skip
    assert overlaps(boxes) == 0
    assert all(right - left > 200 and bottom - top > 150 for left, top, right, bottom in boxes)


@needs_chromium
def test_paper_has_all_ways(tab: Browser, tmp_path: Path) -> None:
    """Printed, the page shows the graph whole and each way, with no controls."""
    show(tab, tmp_path, SHOP)
    tab.run("window.dispatchEvent(new Event('beforeprint'))")
    tab.ask("Emulation.setEmulatedMedia", media="print")
    seen = "each => each.getBoundingClientRect().height > 0"
    assert tab.run(f"[...document.querySelectorAll('.way')].filter({seen}).length") == 4
    assert tab.run(f"[...document.querySelectorAll('.row')].filter({seen}).length") == 4
    assert tab.run(f"[...document.querySelectorAll('.tools, .search')].filter({seen}).length") == 0
    cut = """(frame => [...document.querySelectorAll('.node')].filter(each => {
        const box = each.getBoundingClientRect();
        return box.left < frame.left || box.right > frame.right + 1;
    }).length)(document.querySelector('#graph').getBoundingClientRect())"""
    assert tab.run(cut) == 0
    tab.ask("Emulation.setEmulatedMedia", media="")
    tab.run("window.dispatchEvent(new Event('afterprint'))")
    assert tab.run("document.querySelector('#graph').getAttribute('viewBox')") is None


@needs_chromium
def test_page_can_be_read_with_no_script(tab: Browser, tmp_path: Path) -> None:
    """Without its script the page is a list of all ways, with links to them."""
    tab.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        show(tab, tmp_path, SHOP)
        assert tab.run("document.querySelectorAll('.way').length") == 4
        texts = text_of(tab, "main")
        assert "shop/jobs.py:121" in texts
        assert tab.run("document.querySelector('.drawing').hidden")
    finally:
        tab.ask("Emulation.setScriptExecutionDisabled", value=False)


@needs_chromium
def test_entry_with_nothing_to_tell(tab: Browser, tmp_path: Path) -> None:
    """An entry point that nothing can leave is one node, and says so."""
    data = data_of([call("m.f", "m.f", 1, [])], {}, {}, [], functions=[])
    show(tab, tmp_path, data)
    assert keys_of(tab, ".node") == ["m.f"]
    assert "Nothing that is modelled can leave m.f." in text_of(tab, "header")
    tab.press("f", "+", "Tab", "Tab", "Tab")
    for left, right in pairwise(tab.run(BOXES)):
        assert left != right
