from collections.abc import Callable

from airflow.executors.base_executor import BaseExecutor

class Job:
    def __init__(self) -> None: ...
    @property
    def executor(self) -> BaseExecutor: ...

def run_job(job: Job, execute_callable: Callable[[], int | None]) -> int | None: ...
