"""pytest's set-up: the documentation is executed with the tests, properties run in two lengths."""

import os
import signal
from doctest import ELLIPSIS

import pytest
from hypothesis import settings
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser

settings.register_profile(
    "default", max_examples=100, deadline=None, derandomize=True, database=None
)
settings.register_profile("long", max_examples=10_000, deadline=None)

pages = Sybil(
    [PythonCodeBlockParser(doctest_optionflags=ELLIPSIS), SkipParser()], patterns=["*.md"]
)
docstrings = Sybil([DocTestParser(optionflags=ELLIPSIS)], path="src", patterns=["*.py"])
pytest_collect_file = (pages + docstrings).pytest()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--long`."""
    parser.addoption(
        "--long",
        action="store_true",
        help="run every property on 10,000 fresh examples instead of the same 100",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples a property is tried on."""
    settings.load_profile("long" if config.getoption("--long") else "default")
    # A shell without job control starts background jobs with SIGINT and SIGQUIT ignored, nohup
    # with SIGHUP, and every process that the tests start would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGQUIT", "SIGHUP", "SIGTERM"):
        signum = getattr(signal, name, None)
        if signum is not None and signal.getsignal(signum) is signal.SIG_IGN:
            signal.signal(signum, signal.SIG_DFL)


@pytest.fixture(scope="session")
def unmeasured() -> dict[str, str]:
    """Give the environment for a child process that coverage leaves alone.

    It is for children whose imports or time are counted, and for those that signals rain on:
    coverage's tracer holds a lock of its own, which a handler that raises there leaves locked.
    """
    return {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
