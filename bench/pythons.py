"""Run the tests of the runtime, and interrupt it at every place, on each Python that is here.

Each gets an environment of its own, `.pythons/3.x`, from the same pinned requirements.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

MINORS = range(11, 20)
TESTS = (
    "tests/test_native.py",
    "tests/test_result.py",
    "tests/test_safe.py",
    "tests/test_do.py",
    "tests/test_collect.py",
    "tests/test_resource.py",
    "tests/test_signals.py",
    "tests/test_aio_resource.py",
    "tests/test_child.py",
    "tests/test_testing.py",
    "tests/process/test_run.py",
    "tests/process/test_run_signals.py",
    "tests/process/test_run_hangs.py",
    "tests/process/test_notify.py",
    "tests/process/test_entrypoint.py",
)
FOLDER = Path(".pythons")
UV = Path(sys.executable).with_name("uv")


def version_of(interpreter: str) -> str | None:
    """Ask an interpreter for its version, as in `3.12.1`; None when it does not answer."""
    code = "import platform, sys; print(platform.python_version() + sys.abiflags)"
    try:
        asked = subprocess.run(
            [interpreter, "-c", code], capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip()


def found() -> list[str]:
    """Find the interpreters on PATH, and those that pyenv keeps."""
    names = [f"python3.{minor}" for minor in MINORS]
    on_path = [path for name in names if (path := shutil.which(name))]
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    kept = [str(path) for name in names for path in sorted(versions.glob(f"*/bin/{name}"))]
    return on_path + kept


def environment(interpreter: str, version: str) -> str:
    """Make the environment, and give its interpreter."""
    folder = FOLDER / version
    python = folder / "bin" / "python"
    for arguments in (
        ["venv", "--quiet", "--allow-existing", "--python", interpreter, str(folder)],
        ["pip", "sync", "--quiet", "--python", str(python), "requirements/dev.txt"],
        [
            *("pip", "install", "--quiet", "--offline", "--no-build-isolation", "--no-deps"),
            *("--python", str(python), "--editable", "."),
        ],
    ):
        subprocess.run([UV, *arguments], check=True)
    return str(python)


def main() -> int:
    """Run all on each; 1 when something failed, 2 when there is nothing to run on."""
    parser = argparse.ArgumentParser(prog="make pythons PYTHONS=...", description=__doc__)
    parser.add_argument(
        "interpreters", nargs="*", help="names or paths (default: all that are found)"
    )
    parser.add_argument("--skip-tests", action="store_true", help="only interrupt")
    options = parser.parse_args()
    chosen: dict[str, str] = {}
    for interpreter in options.interpreters or found():
        version = version_of(interpreter)
        if version is not None:
            chosen.setdefault(version, interpreter)
        elif options.interpreters:
            parser.error(f"{interpreter!r} is no interpreter that runs: give a name or a path")
    if not chosen:
        parser.error("no Python 3.11 or newer was found: name one")
    failed: list[str] = []
    for version, interpreter in chosen.items():
        print(f"== Python {version}", flush=True)
        python = environment(interpreter, version)
        commands = [["bench.injection", "--only", "Resource", "--quick", "--summary"]]
        if not options.skip_tests:
            commands.insert(0, ["pytest", "-q", "--no-header", *TESTS])
        failed += [
            f"{version}: {command[0]}"
            for command in commands
            if subprocess.run([python, "-m", *command], check=False).returncode
        ]
    print(f"failed: {', '.join(failed)}" if failed else f"all passed on {', '.join(chosen)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
