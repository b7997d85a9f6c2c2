"""How often `unprotected-yield` is right on code that others wrote.

Reads the installed packages of this environment and twelve popular ones, and prints every finding
with a verdict that was given by reading the code: `real` (something that outlives the block is not
given back), `harmless` (the same, but nobody notices: the exception ends the program, or the
collector cleans up) or `wrong` (what is skipped belongs to success only).
"""

import argparse
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from pathlib import Path
from time import process_time

from resultflow.check.settings import Settings
from resultflow.check.yields import unprotected_yields

POPULAR = (
    "ansible-core==2.19.14",
    "apache-airflow==2.6.3",
    "celery==5.7.0",
    "dask==2026.8.0",
    "distributed==2026.8.0",
    "django==5.2.19",
    "ipython==9.18.1",
    "matplotlib==3.11.2",
    "pandas==3.1.1",
    "prefect==3.9.1",
    "scrapy==2.19.0",
    "sentry-sdk==2.75.0",
)
AT_LEAST = 0.9

# By file and function, so that they outlive a new release.
VERDICTS = {
    "click/testing.py: _pause_echo": "real",
    "mypy/binder.py: accumulate_type_assignments": "harmless",
    "mypy/binder.py: top_frame_context": "harmless",
    "mypy/checker.py: enter_attribute_inference_context": "harmless",
    "mypy/checker_shared.py: push_function": "harmless",
    "mypy/checker_shared.py: push_class": "harmless",
    "mypy/scope.py: module_scope": "harmless",
    "mypy/scope.py: function_scope": "harmless",
    "mypy/scope.py: class_scope": "harmless",
    "mypy/semanal.py: file_context": "harmless",
    "mypy/semanal.py: tvar_scope_frame": "harmless",
    "mypy/server/aststrip.py: enter_class": "harmless",
    "mypy/server/aststrip.py: enter_method": "harmless",
    "mypy/stats.py: enter_scope": "harmless",
    "mypy/subtypes.py: pop_on_exit": "real",
    "mypy/typeanal.py: tvar_scope_frame": "harmless",
    "mypyc/irbuild/match.py: enter_subpattern": "harmless",
    "sqlalchemy/testing/profiling.py: count_functions": "real",
    "sqlalchemy/testing/util.py: skip_if_timeout": "wrong",
    "sybil/python.py: import_cleanup": "real",
    "IPython/core/interactiveshell.py: _tee": "real",
    "airflow/cli/commands/celery_command.py: _serve_logs": "real",
    "airflow/cli/commands/scheduler_command.py: _serve_logs": "real",
    "airflow/cli/commands/scheduler_command.py: _serve_health_check": "real",
    "airflow/configuration.py: suppress_future_warnings": "real",
    "airflow/migrations/utils.py: disable_sqlite_fkeys": "real",
    "airflow/utils/dag_parsing_context.py: _airflow_parsing_context_manager": "real",
    "ansible/cli/scripts/ansible_connection_cli_stub.py: file_lock": "real",
    "ansible/module_utils/urls.py: unix_socket_patch_httpconnection_connect": "real",
    "ansible_test/_util/controller/sanity/validate-modules/validate_modules/main.py: _output_handle": "harmless",  # noqa: E501 - so long a path
    "dask/utils.py: filetexts": "real",
    "distributed/utils_test.py: cluster": "real",
    "distributed/utils_test.py: freeze_data_fetching": "real",
    "prefect/server/database/_migrations/env.py: disable_sqlite_foreign_keys": "real",
    "prefect/testing/utilities.py: prefect_test_harness": "real",
}


def read(root: Path) -> tuple[list[str], int]:
    """Give the findings in a folder, as the verdicts know them, and the number of lines."""
    found: list[str] = []
    lines = 0
    for path in sorted(root.rglob("*.py")):
        source = path.read_bytes()
        lines += source.count(b"\n")
        if b"contextmanager" not in source:
            continue
        try:
            several = [one.what for one in unprotected_yields(source, Settings())]
        except SyntaxError:  # a test's bad example, or Python 2
            continue
        found += (f"{path.relative_to(root).as_posix()}: {what}" for what in several)
    return found, lines


def main() -> int:
    """Print the findings and the precision; 1 when it is too low, or a finding is not judged."""
    parser = argparse.ArgumentParser(prog="python -m bench.unprotected_yield", description=__doc__)
    parser.add_argument("--folder", type=Path, help="where the popular packages are already")
    folder: Path | None = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as scratch:
        if folder is None:
            folder = Path(scratch)
            install = ("-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", scratch)
            subprocess.run([sys.executable, *install, *POPULAR], check=True)
        counts: Counter[str] = Counter()
        for title, root in (
            ("this environment", Path(sysconfig.get_path("purelib"))),
            ("popular packages", folder),
        ):
            started = process_time()
            found, lines = read(root)
            seconds = process_time() - started
            print(f"{title}: {len(found)} findings in {lines:,} lines, {seconds:.1f} s")
            for one in found:
                verdict = VERDICTS.get(": ".join(one.split(": ")[:2]), "not judged")
                counts[verdict] += 1
                print(f"  {verdict:<8}  {one}")
    right = counts["real"] + counts["harmless"]
    precision = right / max(1, counts.total())
    print(
        f"{counts['real']} real, {counts['harmless']} harmless, {counts['wrong']} wrong, "
        f"{counts['not judged']} not judged: precision {precision:.0%}, at least {AT_LEAST:.0%}"
    )
    return int(precision < AT_LEAST or counts["not judged"] > 0)


if __name__ == "__main__":
    sys.exit(main())
