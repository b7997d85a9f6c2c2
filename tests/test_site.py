"""The documentation site: built with the network cut, read from a disk, nothing in it dead."""

from __future__ import annotations

import html
import importlib
import inspect
import pkgutil
import posixpath
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag

import pytest
from tests.children import until
from tests.chromium import CHROMIUM, Browser, browser

import resultflow
import resultflow.interop
from resultflow._result import ResultBase

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "docs" / "site" / "build.py"
DOORS = [
    "resultflow",
    *("resultflow.aio", "resultflow.errors", "resultflow.exits", "resultflow.testing"),
    *(
        f"resultflow.interop.{one.name}"
        for one in pkgutil.iter_modules(resultflow.interop.__path__)
        if not one.name.startswith("_")
    ),
]
# Markup that should have become something else.
LEFT_OVER = re.compile(r"```|\]\(|\]\[|:::|^\.\. |^\|.*\|$|={4,}|\*\*|^- ", re.MULTILINE)
PHONE, DESKTOP = (390, 844), (1280, 900)


class Page(HTMLParser):
    """What a page of the site has in it."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []  # where a reader can go
        self.loads: list[str] = []  # what the page needs
        self.images: list[dict[str, str | None]] = []
        self.headings = 0
        self.has_table = False
        self.prose = self.code = ""
        self._code = 0
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take down what an element has."""
        has = dict(attrs)
        self.ids += filter(None, [has.get("id")])
        self.headings += tag == "h1"
        self.has_table |= tag == "table"
        if tag in {"td", "th"}:
            self.prose += " "  # a dash alone is no list there
        self._code += tag in {"pre", "code", "script", "style"}
        if tag == "img":
            self.images.append(has)
        if tag == "a":
            self.links += filter(None, [has.get("href")])
        elif has.get("rel") not in {"prev", "next", "canonical"}:
            self.loads += filter(None, [has.get("src"), has.get("href")])

    def handle_endtag(self, tag: str) -> None:
        """Note where code ends."""
        self._code -= tag in {"pre", "code", "script", "style"}

    def handle_data(self, data: str) -> None:
        """Take down the text."""
        if self._code:
            self.code += data
        else:
            self.prose += data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, unmeasured: dict[str, str]) -> Path:
    """Build the site, in a network namespace with nothing in it where there can be one."""
    alone = ["unshare", "--net", "--map-root-user"]
    if not shutil.which("unshare") or subprocess.run([*alone, "true"], check=False).returncode:
        alone = []  # not there, or not allowed in this container
    into = tmp_path_factory.mktemp("site") / "site"
    built = subprocess.run(
        [*alone, sys.executable, BUILD, into],
        env=unmeasured,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout
    return into


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    """Give every page by its path."""
    files = site.rglob("*.html")
    return {file.relative_to(site).as_posix(): Page(file) for file in files}


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    """Give one browser to all tests that look."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    with browser() as tab:
        yield tab


def in_navigation() -> list[str]:
    """List the Markdown files that the navigation names."""
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = settings.partition("\nnav:")[2].partition("\n\n")[0]
    return re.findall(r"[\w./-]+\.md", nav)


def nav_pages() -> list[str]:
    """List the pages that the navigation leads to."""
    return [name.removesuffix(".md") + ".html" for name in in_navigation()]


def test_each_page_in_docs_is_in_the_navigation_once() -> None:
    """No page is an orphan, and none is there twice."""
    named = in_navigation()
    docs = {path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")}
    assert sorted(named) == sorted({*docs, "CHANGELOG.md", "CONTRIBUTING.md"})


def test_each_link_leads_somewhere(site: Path, pages: dict[str, Page]) -> None:
    """Every link of every page leads to a file that is there, and to an anchor in it."""
    dead: list[str] = []
    for name, page in pages.items():
        folder = posixpath.dirname(name)
        for link in page.links + page.loads:
            to, anchor = urldefrag(link)
            if re.match(r"https?:|data:|mailto:|javascript:", link):
                continue
            target = posixpath.normpath(posixpath.join(folder, unquote(to))) if to else name
            if name == "404.html":  # is served at any address
                target = target.removeprefix("/")
            if not (site / target).is_file() or (
                anchor and unquote(anchor) not in pages[target].ids
            ):
                dead.append(f"{name}: {link}")
    assert not dead
    assert sum(len(page.links) for page in pages.values()) > 1000


def test_no_page_needs_another_host(site: Path, pages: dict[str, Page]) -> None:
    """No page loads a script, a style, a font or a picture from elsewhere."""
    assert [
        (name, what)
        for name, page in pages.items()
        for what in page.loads
        if re.match(r"[a-z]+:|//", what) and not what.startswith("data:")
    ] == []
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:|//)|@import", style.read_text("utf-8"))


def test_pages_are_whole(pages: dict[str, Page]) -> None:
    """A page has one title, unique anchors, described pictures, and no markup left in its text."""
    for name, page in pages.items():
        if name != "404.html":
            assert page.headings == 1, name
        assert len(page.ids) == len(set(page.ids)), name
        assert all(image.get("alt") for image in page.images), name
        left = LEFT_OVER.findall(page.prose)
        assert not left, (name, left)
        assert name not in nav_pages() or "\\|" not in page.code, name


def test_a_link_out_of_docs_leads_to_a_page(pages: dict[str, Page], site: Path) -> None:
    """What a page links to in the rest of the repository is on the site: text and programs."""
    how_to = pages["how-to/rewrite-an-entry-point.html"]
    assert "../examples/airflow/index.html" in how_to.links
    assert "../examples/airflow/scheduler.py.html" in how_to.links
    shown = (site / "examples/airflow/scheduler.py.html").read_text(encoding="utf-8")
    assert "the same loop, the same flags" in shown
    assert "../../how-to/rewrite-an-entry-point.html" in pages["examples/airflow/index.html"].links


def test_the_reference_has_every_public_name_once(pages: dict[str, Page]) -> None:
    """Each name of each public module's `__all__` has one place in the reference."""
    ids = [
        anchor
        for name, page in pages.items()
        if name.startswith("reference/")
        for anchor in page.ids
    ]
    places: dict[int, set[str]] = {}
    for door in DOORS:
        module = importlib.import_module(door)
        for name in module.__all__:
            places.setdefault(id(getattr(module, name)), set()).add(f"{door}.{name}")
    for names in places.values():
        assert len([one for one in ids if one in names]) == 1, names
    for name, method in vars(ResultBase).items():
        if inspect.isfunction(method) and not name.startswith("_"):
            assert ids.count(f"resultflow.Result.{name}") == 1
    assert not [one for one in ids if one.startswith("resultflow.Ok.")]


def test_the_reference_tells_of_whole_docstrings(site: Path) -> None:
    """Signatures name what users name, examples have colours, versions and raises are shown."""
    shown = (site / "reference" / "result.html").read_text(encoding="utf-8")
    start = shown.index('id="resultflow.Result.and_then"')
    method = shown[start : shown.index('id="resultflow.Result.or_"')]
    text = html.unescape(re.sub(r"<[^>]+>|\s+", "", method))
    assert "and_then(f:Callable[[T],R])->R|Result[Never,E]" in text
    assert "Addedin0.1.0." in text
    assert "Raises:TypeError" in text
    assert '<span class="gp">&gt;&gt;&gt; </span>' in method
    assert "versionadded" not in shown
    assert "ResultBase" not in shown
    assert 'href="#resultflow.Result.map"' in method


def test_the_command_line_is_told_as_it_is(unmeasured: dict[str, str]) -> None:
    """The page on the command line has the help of every command, word for word."""
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"```console\n\$ resultflow(.*?) --help\n(.*?)```", page, re.DOTALL))
    commands = re.findall(r"^    (\w+)  ", told[""], re.MULTILINE)
    assert list(told) == ["", *(f" {name}" for name in commands)]
    for command, text in told.items():
        said = subprocess.run(
            [sys.executable, "-m", "resultflow.cli", *command.split(), "--help"],
            env=unmeasured | {"COLUMNS": "80"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        # Python 3.13 breaks lines at other places.
        assert said.stdout.split() == text.split()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Lay out a repository with two pages."""
    root = tmp_path / "small"
    (root / "docs" / "site").mkdir(parents=True)
    shutil.copy(BUILD, root / "docs" / "site")
    (root / "mkdocs.yml").write_text("site_name: x\nuse_directory_urls: false\n")
    (root / "README.md").write_text("# Read me\n")
    (root / "docs" / "other.md").write_text("# Other\n")
    return root


def built_small(
    root: Path, environment: dict[str, str], *words: str
) -> subprocess.CompletedProcess[str]:
    """Build that one."""
    return subprocess.run(
        [sys.executable, root / "docs" / "site" / "build.py", *words],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("link", ["gone.md", "other.md#gone", "../gone.py", "../../gone.md"])
def test_a_dead_link_fails_the_build(small: Path, unmeasured: dict[str, str], link: str) -> None:
    """The build ends with exit status 1 on a link to what is not there, and says where it is."""
    (small / "docs" / "index.md").write_text(f"# One\n\n[there]({link})\n")
    (small.parent / "gone.md").touch()  # outside of the repository
    built = built_small(small, unmeasured)
    assert built.returncode == 1
    assert "gone" in built.stdout
    assert "index.md" in built.stdout
    assert "Traceback" not in built.stdout
    assert not (small / "out").exists()


def test_a_link_to_the_readme_leads_to_the_front(small: Path, unmeasured: dict[str, str]) -> None:
    """The front page of the site stands for the README, and so for the whole repository."""
    (small / "docs" / "index.md").write_text("# One\n\n[two](other.md)\n")
    (small / "docs" / "other.md").write_text("# Other\n\n[one](../README.md), [all](..)\n")
    built = built_small(small, unmeasured)
    assert built.returncode == 0, built.stdout
    assert Page(small / "out" / "site" / "other.html").links.count("index.html") >= 2
    assert "One" in Page(small / "out" / "site" / "index.html").prose


def test_no_other_folder_is_replaced(small: Path, unmeasured: dict[str, str]) -> None:
    """A folder that is there is replaced when it is a site, and otherwise is left alone."""
    (small / "docs" / "index.md").write_text("# One\n")
    for _ in range(2):
        assert built_small(small, unmeasured, "made").returncode == 0
    refused = built_small(small, unmeasured, "docs")
    assert refused.returncode == 2
    assert "'docs' is there, and is no site: name another folder" in refused.stdout
    assert (small / "docs" / "index.md").is_file()


def test_no_page_is_wider_than_a_phone(site: Path, pages: dict[str, Page], tab: Browser) -> None:
    """Wide tables and code scroll by themselves; no page makes the whole of it scroll sideways."""
    wide = [name for name in nav_pages() if pages[name].has_table or pages[name].images]
    for name in [*wide, "how-to/ci.html", "reference/aio.html"]:
        tab.open(site / name, width=PHONE[0], height=PHONE[1])
        assert tab.run("document.documentElement.scrollWidth <= innerWidth"), name
    assert tab.errors == []
    assert [one for one in tab.requests if not one.startswith(("file:", "data:"))] == []


def test_search_works_from_a_disk(site: Path, tab: Browser) -> None:
    """Who opens the site from a folder finds what they type, with the network cut."""
    tab.open(site / "how-to" / "ci.html", width=DESKTOP[0], height=DESKTOP[1])
    tab.click(".md-search__button")
    field = "document.activeElement.shadowRoot?.activeElement"
    until(lambda: tab.run(f"{field}?.value") == "", "the field to type in")
    tab.type("release_within")

    def found() -> bool:
        links: str = tab.run(f"{field}.getRootNode().querySelector('ol')?.innerHTML ?? ''")
        return "reference/resources.html" in links and "release_within" in links

    until(found, "a name that was searched for")
    assert tab.run(f"{field}.value") == "release_within"
    assert tab.errors == []


def test_light_or_dark_follows_the_system_until_somebody_chooses(site: Path, tab: Browser) -> None:
    """A page has the system's colours, and the toggle changes them."""
    scheme = "document.body.dataset.mdColorScheme"
    for dark, expected in ((False, "default"), (True, "slate")):
        tab.open(site / "index.html", width=DESKTOP[0], height=DESKTOP[1], dark=dark)
        assert tab.run(scheme) == expected
    tab.prefer("light")
    tab.settle()
    assert tab.run(scheme) == "default"
    tab.click("[data-md-component=palette] label:not([hidden])")  # light, whatever the system says
    tab.prefer("dark")
    tab.settle()
    assert tab.run(scheme) == "default"
    tab.run("localStorage.clear()")


def test_code_can_be_copied(site: Path, tab: Browser) -> None:
    """Every example has a button that copies it."""
    tab.open(site / "how-to" / "ci.html", width=DESKTOP[0], height=DESKTOP[1])
    blocks, buttons = (
        tab.run(f"document.querySelectorAll({selector!r}).length")
        for selector in (".highlight > pre", ".highlight button")
    )
    assert blocks == buttons > 0
