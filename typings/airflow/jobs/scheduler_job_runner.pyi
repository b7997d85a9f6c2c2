from airflow.jobs.job import Job
from sqlalchemy.orm import Session

class SchedulerJobRunner:
    job: Job
    def __init__(
        self, job: Job, subdir: str | None = ..., num_runs: int = ..., *, do_pickle: bool = False
    ) -> None: ...
    def heartbeat_callback(self, session: Session) -> None: ...
    def _execute(self) -> int | None: ...
