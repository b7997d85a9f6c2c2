"""The DAG by which `trial.py` sees whether a scheduler works: one task, due every ten seconds."""

# pyright: reportMissingModuleSource=false
# Airflow lives in an environment of its own; typings/ has stubs of what is called here.

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow import DAG
from airflow.operators.python import PythonOperator


def beat() -> None:
    """Do the work."""
    print("beat")


with DAG(
    "beat",
    schedule=timedelta(seconds=10),
    start_date=datetime(2023, 7, 19, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
):
    PythonOperator(task_id="beat", python_callable=beat)
