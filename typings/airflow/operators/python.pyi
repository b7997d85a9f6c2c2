from collections.abc import Callable

class PythonOperator:
    def __init__(self, *, task_id: str, python_callable: Callable[[], object]) -> None: ...
