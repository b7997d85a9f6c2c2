from datetime import datetime, timedelta
from typing import Self

class DAG:
    def __init__(
        self,
        dag_id: str,
        *,
        schedule: timedelta,
        start_date: datetime,
        catchup: bool,
        max_active_runs: int,
    ) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exc_info: object) -> None: ...
