"""Build the documentation site, with the network cut if need be: `make docs`.

The pages are written for whoever reads them in the repository, so their links go to files. The
site is made of the same files: what a link leads to outside of `docs/` becomes a page too, a
Markdown file as it is and a program as its source. So each link works at both places, and none is
written twice.
"""

from __future__ import annotations

import argparse
import os
import posixpath
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["Pages", "build"]

ROOT = Path(__file__).resolve().parents[2]

_FENCED = re.compile(r"^( *)(`{3,})([^`\n]*)\n(.*?)^\1\2`* *$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"^<!-.*?->\n+", re.MULTILINE | re.DOTALL)  # they speak to the tests
_LINK = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)|(?<=\]\()([^()\s]+)(?=\))", re.DOTALL)
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_ELSEWHERE = re.compile(r"[a-z][a-z+.-]*:|#|/")
_NAMED = re.compile(r"[\w./-]+\.md")
# A line of code is longer than one of prose.
_SOURCE = """---
hide: [navigation, toc]
---
# {}

`{}`

````{}
{}
````
"""
_LANGUAGES = {".cfg": "ini", ".conf": "ini", ".py": "python", ".pyi": "python", ".toml": "toml"}
_SHOWN = {".md", ".png", ".svg", ".txt", *_LANGUAGES}


class Pages:
    """What the site is made of, as it is laid out for zensical.

    Below the root of the site are the files of `docs/`, and beside them what they and the
    navigation lead to, at the places that it has in the repository.
    """

    def __init__(self, into: Path) -> None:
        self._into = into
        self._wanted: list[str] = []
        self._made: set[str] = set()

    def make(self) -> None:
        """Write the pages and the configuration."""
        shutil.copytree(ROOT / "docs" / "site", self._into / "docs" / "site")
        self._wanted += [path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md")]
        settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
        self._wanted += [name for name in _NAMED.findall(settings) if (ROOT / name).is_file()]
        (self._into / "mkdocs.yml").write_text(settings, encoding="utf-8")
        while self._wanted:
            name = self._wanted.pop()
            if name not in self._made:
                self._made.add(name)
                self._make_one(name)

    def _make_one(self, name: str) -> None:
        source = ROOT / name
        target = self._into / "docs" / self.place(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            target.write_text(self._listed(name), encoding="utf-8")
        elif source.suffix == ".md":
            target.write_text(self._led(name, source.read_text("utf-8")), encoding="utf-8")
        elif target.suffix == ".md":
            language = _LANGUAGES.get(source.suffix, "text")
            text = source.read_text("utf-8").rstrip("\n")
            target.write_text(_SOURCE.format(source.name, name, language, text), encoding="utf-8")
        else:
            shutil.copy(source, target)

    def place(self, name: str) -> str:
        """Tell where in the site's folder a file or folder of the repository is."""
        place = name.removeprefix("docs/")
        path = ROOT / name
        if path.is_dir():
            return f"{place}/index.md"
        if place != name or path.suffix in {".md", ".png", ".svg"}:
            return place
        return f"{place}.md"

    def _listed(self, name: str) -> str:
        files = sorted(path for path in (ROOT / name).rglob("*") if path.suffix in _SHOWN)
        here = [path.relative_to(ROOT / name).as_posix() for path in files]
        return self._led(
            f"{name}/", f"# {name}\n\n" + "".join(f"- [`{one}`]({one})\n" for one in here)
        )

    def _led(self, name: str, text: str) -> str:
        """Have the links of a page lead to the pages of the site."""
        folder = posixpath.dirname(name)
        here = posixpath.dirname(self.place(name.rstrip("/")))

        def link(found: re.Match[str]) -> str:
            to = found[2]
            if to is None:  # code; GitHub wants bars in tables escaped even there
                line = found.string.rfind("\n", 0, found.start()) + 1
                row = found.string.startswith("|", line)
                return found[0].replace(r"\|", "|") if row else found[0]
            if _ELSEWHERE.match(to):
                return found[0]
            to, hash_, anchor = to.partition("#")
            wanted = posixpath.normpath(posixpath.join(folder, to))
            if (ROOT / wanted / "README.md").is_file():
                wanted = posixpath.normpath(posixpath.join(wanted, "README.md"))
            if wanted.startswith("../") or not (ROOT / wanted).exists():
                raise SystemExit(f"{name}: the link to {found[2]!r} leads nowhere")
            if wanted == "README.md":
                wanted = "docs/index.md"  # the front of the one is the front of the other
            self._wanted.append(wanted)
            return posixpath.relpath(self.place(wanted), here or ".") + hash_ + anchor

        pieces: list[str] = []
        end = 0
        for fenced in _FENCED.finditer(text):
            prose = _COMMENT.sub("", text[end : fenced.start()])
            pieces += [_LINK.sub(link, prose), _fence(fenced)]
            end = fenced.end()
        return "".join([*pieces, _LINK.sub(link, text[end:])])


def _fence(found: re.Match[str]) -> str:
    """Name the language of a session, for the colours."""
    indent, fence, language, text = found.groups()
    if language.strip() == "python" and text.lstrip().startswith(">>>"):
        language = "pycon"
    return f"{indent}{fence}{language}\n{text}{indent}{fence}"


def build(into: Path) -> int:
    """Build the site; give the exit status of zensical, which a warning makes 1."""
    with tempfile.TemporaryDirectory() as folder:
        Pages(Path(folder)).make()
        built = subprocess.run(
            [sys.executable, "-m", "zensical", "build", "--strict"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        said = _COLOUR.sub("", built.stdout)
        if "--strict" in said:  # a warning, and below it a traceback of zensical's own
            said = said.partition("Traceback")[0]
        print(said, end="")
        if built.returncode == 0:
            shutil.rmtree(into, ignore_errors=True)
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(Path(folder, "site"), into)
    return built.returncode


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="build.py", description="Build the documentation site.")
    parser.add_argument(
        "into",
        nargs="?",
        type=Path,
        default=ROOT / "out" / "site",
        help="the folder to put it in, which is replaced (default: out/site)",
    )
    into: Path = parser.parse_args().into
    if into.exists() and not (into / "sitemap.xml").is_file():
        parser.error(f"{str(into)!r} is there, and is no site: name another folder, or remove it")
    status = build(into)
    if status == 0:
        print(f"open {os.path.relpath(into / 'index.html')}")
    return status


if __name__ == "__main__":
    sys.exit(main())
