"""What is released: the same bytes for everybody, complete, and at home in an empty environment.

The artifacts are those in the folder that RESULTFLOW_DIST names, as `make release-check` sets it,
or are built here, without a network.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename
from release.build import FLAGS, ROOT, UV, build, copy, digests, export, unpack

import resultflow

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a release is built on Linux")

EPOCH = 1_700_000_000
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# A compiler is no use without Python's headers: whether `make env` compiled says both.
CAN_COMPILE = bool(shutil.which(FLAGS["CC"]) and find_spec("resultflow._native"))
TAG = f"cp{sys.version_info.major}{sys.version_info.minor}"
ABI = f"{TAG}{sys.abiflags}"
# Whatever the caller's own shell says, the compiler is one on PATH, and the fast paths are wanted.
USUAL = {"CC": FLAGS["CC"], "RESULTFLOW_PURE": "0"}
COMPILED = pytest.param(
    "compiled", marks=pytest.mark.skipif(not CAN_COMPILE, reason="make env could not compile")
)
WHEELS = ["pure", COMPILED]
# What setuptools adds to an sdist.
GENERATED = re.compile(r"PKG-INFO|setup\.cfg|src/resultflow\.egg-info/[\w.-]+")
# The packages of this environment, without the resultflow that it has as an editable one.
OURS = str(metadata.distribution("attrs").locate_file(""))

WHICH = """
import json, resultflow
from importlib import metadata
from resultflow import Err, Ok, collect, safe
from resultflow._build import native
assert collect([Ok(1), Err("no port")]) == Err("no port")
assert isinstance(safe(ValueError)(int)("x"), Err)
print(json.dumps([resultflow.__file__, metadata.version("resultflow"), native is not None]))
"""


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give the sdist, the pure wheel and the compiled one for this interpreter, by these names."""
    if given := os.environ.get("RESULTFLOW_DIST"):
        files = list(Path(given).resolve().glob("resultflow-*"))
    else:
        pythons = [sys.executable] if CAN_COMPILE else []
        out = tmp_path_factory.mktemp("dist")
        files = build(ROOT, out, epoch=EPOCH, pythons=pythons, offline=True)
    suffixes = {"sdist": ".tar.gz", "pure": "-py3-none-any.whl"}
    if CAN_COMPILE:
        suffixes["compiled"] = f"-{TAG}-{ABI}-*.whl"
    found: dict[str, Path] = {}
    for kind, suffix in suffixes.items():
        (found[kind],) = (file for file in files if file.match(f"*{suffix}"))
    return found


def uv(*arguments: str, **changed: str) -> None:
    """Run uv without a network."""
    command = [UV, *arguments, "--quiet", "--no-config", "--offline"]
    subprocess.run(command, env={**os.environ, **USUAL, **changed}, check=True)


def environment(folder: Path, artifact: Path) -> Path:
    """Make an environment with an artifact in it, on a machine without compiler and network."""
    uv("venv", "--python", sys.executable, str(folder))
    python = folder / "bin" / "python"
    show = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([python, "-c", show], stdout=subprocess.PIPE, text=True, check=True)
    Path(site.stdout.strip(), "others.pth").write_text(f"{OURS}\n", encoding="utf-8")
    uv(
        *("pip", "install", "--no-deps", "--no-build-isolation"),
        *("--python", str(python), str(artifact)),
        PATH=str(folder / "bin"),
    )
    return python


def names(artifact: Path) -> set[str]:
    """List the files in an archive; those of an sdist without its folder."""
    if artifact.suffix == ".whl":
        with ZipFile(artifact) as files:
            return set(files.namelist())
    with tarfile.open(artifact) as files:
        return {member.name.partition("/")[2] for member in files.getmembers() if member.isfile()}


def epoch_of(sdist: Path) -> int:
    """Give the time that everything in an sdist has."""
    with tarfile.open(sdist) as files:
        (epoch,) = {int(member.mtime) for member in files.getmembers()}
    return epoch


def in_package(tree: Path) -> set[str]:
    """List what of a tree is installed."""
    package = (path for path in (tree / "src").rglob("*") if path.is_file())
    return {path.relative_to(tree / "src").as_posix() for path in package if path.suffix != ".c"}


def tracked(there: set[str]) -> set[str]:
    """Keep what git tracks, where there is git: notes and caches lie about in a checkout, too."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        return there
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    listed = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    # git refuses a checkout of another user's.
    return there & set(os.fsdecode(listed.stdout).split("\0")) if not listed.returncode else there


def test_what_was_made_in_a_checkout_is_left_out(tmp_path: Path) -> None:
    """Neither what git ignores nor the link to nowhere that an editor leaves is built from."""
    tree = tmp_path / "tree"
    (tree / "docs" / "build").mkdir(parents=True)
    (tree / "docs" / "build" / "page.md").touch()
    (tree / "docs" / "page.md").touch()
    (tree / "docs" / ".#page.md").symlink_to("user@host.1234")
    (tree / ".gitignore").write_text("build/\n*.so\n", encoding="utf-8")
    (tree / "fast.so").touch()
    copy(tree, tmp_path / "into")
    copied = {path.relative_to(tmp_path / "into") for path in (tmp_path / "into").rglob("*")}
    assert copied == {Path("docs"), Path("docs/page.md"), Path(".gitignore")}


def test_files_without_a_commit_are_refused(tmp_path: Path) -> None:
    """The sdist is no checkout, even unpacked in one: its time must be given."""
    with pytest.raises(FileNotFoundError, match="takes --tree and --epoch"):
        export(tmp_path, tmp_path / "into")


def test_others_get_the_same_bytes(artifacts: dict[str, Path], tmp_path: Path) -> None:
    """Folder, umask, time zone, locale, the files' own times and modes: nothing shows."""
    tree = tmp_path / "a longer pätḧ"
    copy(ROOT, tree)
    for path in tree.rglob("*"):
        path.chmod(0o700 if path.is_dir() or os.access(path, os.X_OK) else 0o600)
        os.utime(path, (2_000_000_000, 2_000_000_000))
    python = ["--python", sys.executable] if CAN_COMPILE else []
    again = subprocess.run(
        [
            *(sys.executable, "-m", "release.build", "--tree", str(tree), "--offline", *python),
            *("--epoch", str(epoch_of(artifacts["sdist"])), str(tmp_path / "out")),
        ],
        cwd=ROOT,
        env={**os.environ, "TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "7"},
        umask=0o077,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert again.stdout.splitlines() == [
        f"{digest}  {name}" for name, digest in digests(artifacts.values()).items()
    ]


def test_the_sdist_is_its_own_source(artifacts: dict[str, Path], tmp_path: Path) -> None:
    """Who has the sdist alone builds the very same sdist and wheel from it."""
    unpack(artifacts["sdist"], tmp_path)
    (tree,) = tmp_path.iterdir()
    epoch = epoch_of(artifacts["sdist"])
    again = digests(build(tree, tmp_path / "out", epoch=epoch, pythons=[], offline=True))
    assert again == digests([artifacts["sdist"], artifacts["pure"]])


def test_the_sdist_holds_what_the_repository_holds(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    """Nothing is forgotten, and nothing is taken along that was made: MANIFEST.in names it all."""
    copy(ROOT, tmp_path / "tree")
    there = {
        path.relative_to(tmp_path / "tree").as_posix()
        for path in (tmp_path / "tree").rglob("*")
        if path.is_file()
    }
    held = {name for name in names(artifacts["sdist"]) if not GENERATED.fullmatch(name)}
    assert held <= there
    assert tracked(there) <= held


@pytest.mark.parametrize("kind", WHEELS)
def test_a_wheel_holds_the_package(kind: str, artifacts: dict[str, Path], tmp_path: Path) -> None:
    """It has the modules, `py.typed`, the page, licence and metadata, and no more."""
    name, version, _, tags = parse_wheel_filename(artifacts[kind].name)
    about = f"{name}-{version}.dist-info"
    described = {
        f"{about}/{file}"
        for file in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt")
    } | {f"{about}/licenses/LICENSE"}
    copy(ROOT, tmp_path / "tree")
    expected = in_package(tmp_path / "tree") | described
    assert "resultflow/py.typed" in expected
    found = names(artifacts[kind])
    (tag,) = tags
    if kind == "pure":
        assert str(tag) == "py3-none-any"
        assert found == expected
    else:
        assert (tag.interpreter, tag.abi) == (TAG, ABI)
        (library,) = found - expected
        assert library.startswith("resultflow/_native.")
        assert expected <= found
        with ZipFile(artifacts[kind]) as files:
            code = files.read(library)
        for folder in (ROOT, sys.base_prefix):
            assert os.fsencode(folder) not in code


@pytest.mark.parametrize("kind", ["sdist", *WHEELS])
def test_metadata_are_complete(kind: str, artifacts: dict[str, Path]) -> None:
    """They are valid, and say what pyproject.toml says: licence, Pythons, extras, description."""
    if kind == "sdist":
        with tarfile.open(artifacts[kind]) as files:
            folder = files.getnames()[0]
            file = files.extractfile(f"{folder}/PKG-INFO")
            assert file is not None
            text = file.read()
    else:
        with ZipFile(artifacts[kind]) as wheel:
            (path,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
            text = wheel.read(path)
    told = Metadata.from_email(text, validate=True)
    assert (told.name, str(told.version)) == ("resultflow", resultflow.__version__)
    assert (told.license_expression, told.license_files) == ("MIT", ["LICENSE"])
    assert told.requires_python == PROJECT["requires-python"]
    assert told.classifiers == PROJECT["classifiers"]
    assert told.description_content_type == "text/markdown"
    assert told.description is not None
    assert told.description.rstrip() == (ROOT / "README.md").read_text(encoding="utf-8").rstrip()
    extras = PROJECT["optional-dependencies"]
    assert set(told.provides_extra or ()) == set(extras)
    wanted = [str(Requirement(line)) for line in PROJECT["dependencies"]]
    for extra, lines in extras.items():
        for line in lines:
            requirement = Requirement(f'{line} ; extra == "{extra}"')
            wanted.append(str(requirement))
    assert sorted(str(one) for one in told.requires_dist or ()) == sorted(wanted)


@pytest.mark.parametrize("kind", ["sdist", *WHEELS])
def test_it_installs_where_there_is_no_compiler(
    kind: str, artifacts: dict[str, Path], tmp_path: Path
) -> None:
    """Each artifact installs, and is what is imported; the fast paths come with their wheel."""
    python = environment(tmp_path / "env", artifacts[kind])
    told = subprocess.run(
        [python, "-c", WHICH],
        cwd=tmp_path,
        env={**os.environ, **USUAL},
        stdout=subprocess.PIPE,
        check=True,
    )
    file, version, has_fast_paths = json.loads(told.stdout)
    assert Path(file).is_relative_to(tmp_path / "env")
    assert version == resultflow.__version__
    assert has_fast_paths == (kind == "compiled")
    command = [str(python.with_name("resultflow")), "check", "--explain", "unused-result"]
    assert subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0


@pytest.mark.parametrize("kind", WHEELS)
def test_installers_choose_the_compiled_wheel_where_it_runs(
    kind: str, artifacts: dict[str, Path], tmp_path: Path
) -> None:
    """Where both wheels are offered the compiled one is taken, and elsewhere the pure one."""
    elsewhere = ["--python-platform", "aarch64-apple-darwin"] if kind == "pure" else []
    target = tmp_path / "target"
    uv(
        *("pip", "install", "--no-deps", "--no-index", "--python", sys.executable, *elsewhere),
        *("--target", str(target), "resultflow"),
        UV_FIND_LINKS=str(artifacts["pure"].parent),
    )
    assert bool(list(target.glob("resultflow/_native.*"))) == (kind == "compiled")


def test_every_public_type_is_known(artifacts: dict[str, Path], tmp_path: Path) -> None:
    """A checker that reads the installed package has no type to guess, and none is missing."""
    python = environment(tmp_path / "env", artifacts["pure"])
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pyright", "--pythonpath", str(python)),
            *("--verifytypes", "resultflow", "--ignoreexternal", "--outputjson"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        check=False,
    )
    told = json.loads(ran.stdout)["typeCompleteness"]
    assert Path(told["packageRootDirectory"]).is_relative_to(tmp_path)
    unclear = {
        symbol["name"]: [one["message"] for one in symbol["diagnostics"]]
        for symbol in told["symbols"]
        if symbol["isTypeAmbiguous"] or not symbol["isTypeKnown"]
    }
    assert unclear == {}
    assert told["completenessScore"] == 1
    assert told["exportedSymbolCounts"]["withKnownType"] > len(resultflow.__all__)


@pytest.mark.parametrize("entry", metadata.distribution("resultflow").entry_points)
def test_entry_points_lead_somewhere(entry: metadata.EntryPoint) -> None:
    """Each entry point names an object that is there."""
    assert entry.load() is not None
