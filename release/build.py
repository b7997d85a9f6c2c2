"""Build what is released: the sdist, and from it alone the wheels.

Whoever builds the same commit with the same tools gets the same bytes, wherever and whenever.
"""

import argparse
import gzip
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parent.parent
UV = str(Path(sys.executable).with_name("uv"))
# What the wheels claim; `auditwheel` holds it against the symbols that they need.
PLATFORM = f"manylinux_2_17_{platform.machine()}"
# These take the place of the interpreter's own, which differ from one build of it to another, and
# leave its folders (-rpath) and debug information in the library.
FLAGS = {
    "CC": "cc",
    "CPPFLAGS": "",
    "CFLAGS": "-O3 -DNDEBUG -fwrapv -g0",
    "LDFLAGS": "-Wl,--strip-all",
    "LDSHARED": "cc -shared",
}


def export(checkout: Path, into: Path) -> int:
    """Write the files of the last commit, and give the time at which it was made."""
    if not (checkout / ".git").exists():
        raise FileNotFoundError(
            f"a commit is built, but {str(checkout)!r} is no git checkout: for files without one, "
            "python -m release.build takes --tree and --epoch"
        )
    git = ["git", "-C", str(checkout)]
    with TemporaryDirectory() as scratch:
        archive = Path(scratch, "commit.tar")
        subprocess.run([*git, "archive", f"--output={archive}", "HEAD"], check=True)
        unpack(archive, into)
    shown = [*git, "show", "--no-patch", "--format=%ct", "HEAD"]
    return int(subprocess.run(shown, check=True, stdout=subprocess.PIPE).stdout)


def unpack(archive: Path, into: Path) -> None:
    """Write what is in an archive."""
    with tarfile.open(archive) as files:
        if hasattr(tarfile, "data_filter"):  # Python 3.11.4; without it, newer ones warn
            files.extractall(into, filter="data")
        else:
            files.extractall(into)  # noqa: S202 - this project's own archives


def copy(tree: Path, into: Path) -> None:
    """Copy a checkout or an sdist without what was made in it, which setuptools would keep."""
    ignored = (tree / ".gitignore").read_text(encoding="utf-8").replace("/\n", "\n").split()
    ignored += [".git", "PKG-INFO", "setup.cfg"]
    # An editor marks what it holds open with a link to nowhere.
    left_out = shutil.ignore_patterns(*ignored)
    shutil.copytree(tree, into, ignore=left_out, ignore_dangling_symlinks=True)


def build(
    tree: Path, out: Path, *, epoch: int, pythons: Iterable[str], offline: bool = False
) -> list[Path]:
    """Build the sdist, the pure wheel, and a compiled one for each interpreter.

    Args:
        tree: the sources.
        out: the folder for what is built; made when it is not there.
        epoch: the time that everything in it is given, in seconds since 1970.
        pythons: the interpreters, as names or paths.
        offline: build with the setuptools of the interpreters' own environments, instead of the
            one that requirements/dev.txt pins.
    """
    out.mkdir(parents=True, exist_ok=True)
    built: list[Path] = []
    with TemporaryDirectory() as scratch:
        source = Path(scratch, "source")
        copy(tree, source)

        def backend(kind: str, python: str, *options: str, pure: bool) -> Path:
            made = Path(scratch, f"made{len(built)}")
            how = ["--offline", "--no-build-isolation"]
            if not offline:
                pins = str(source / "requirements" / "dev.txt")
                how = ["--build-constraints", pins, "--require-hashes"]
            subprocess.run(
                [
                    *(UV, "build", f"--{kind}", "--quiet", "--no-config", "--python", python),
                    *(*how, *options, "--out-dir", str(made), str(source)),
                ],
                env={
                    **os.environ,
                    **FLAGS,
                    "RESULTFLOW_PURE": str(int(pure)),
                    "SOURCE_DATE_EPOCH": str(epoch),
                },
                umask=0o022,
                check=True,
            )
            (file,) = made.glob("resultflow-*")
            return file

        sdist = out / (given := backend("sdist", sys.executable, pure=True)).name
        canonical(given, sdist, epoch)
        built.append(sdist)
        unpack(sdist, Path(scratch))
        source = Path(scratch, sdist.name.removesuffix(".tar.gz"))
        built.append(Path(shutil.copy(backend("wheel", sys.executable, pure=True), out)))
        tag = f"--config-setting=--build-option=--plat-name={PLATFORM}"
        for python in pythons:
            wheel = backend("wheel", python, tag, pure=False)
            with ZipFile(wheel) as packed:
                if not any(name.endswith(".so") for name in packed.namelist()):
                    raise FileNotFoundError(
                        f"{wheel.name!r} has no fast paths: there must be a C compiler, as 'cc', "
                        f"and the headers of {python!r}"
                    )
            built.append(Path(shutil.copy(wheel, out)))
    return built


def canonical(source: Path, target: Path, epoch: int) -> None:
    """Write an archive again with one order, owner and time, and with no modes but two.

    setuptools takes them from the disk and the clock.
    """
    with (
        tarfile.open(source) as old,
        target.open("wb") as file,
        gzip.GzipFile("", "wb", 9, file, mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            plain = tarfile.TarInfo(member.name)
            plain.type, plain.size, plain.mtime = member.type, member.size, epoch
            plain.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            new.addfile(plain, old.extractfile(member))


def digests(files: Iterable[Path]) -> dict[str, str]:
    """Give the SHA-256 of each file, by its name."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def main() -> None:
    """Build as the command line says, and print the digests, as sha256sum does."""
    parser = argparse.ArgumentParser(prog="python -m release.build", description=__doc__)
    parser.add_argument("out", type=Path, help="the folder for what is built")
    parser.add_argument("--tree", type=Path, help="other sources than those of the last commit")
    parser.add_argument("--epoch", type=int, help="the time of other sources, since 1970")
    parser.add_argument("--python", action="append", default=[], help="for a compiled wheel")
    parser.add_argument("--offline", action="store_true", help="with the setuptools that is here")
    options = parser.parse_args()
    if sys.platform != "linux":
        parser.error(f"a release is built on Linux, but this is {sys.platform!r}")
    if (options.tree is None) != (options.epoch is None):
        parser.error("other sources need their time, and no others do: give both or neither")
    with TemporaryDirectory() as scratch:
        tree, epoch = options.tree, options.epoch
        if tree is None:
            tree, epoch = Path(scratch), export(ROOT, Path(scratch))
        built = build(
            tree, options.out, epoch=epoch, pythons=options.python, offline=options.offline
        )
    for name, digest in digests(built).items():
        print(f"{digest}  {name}")


if __name__ == "__main__":
    main()
