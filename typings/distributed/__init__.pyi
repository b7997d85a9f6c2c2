# What of it is used here: its own annotations leave out most parameters.
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from types import TracebackType
from typing import Generic, ParamSpec, Self, TypeVar

from distributed.diagnostics.plugin import WorkerPlugin

_P = ParamSpec("_P")
_T = TypeVar("_T")

class Worker:
    id: str
    plugins: Mapping[str, object]

class WorkerState:
    processing: Mapping[object, float]

class Scheduler:
    allowed_failures: int
    workers: Mapping[str, WorkerState]

class Future(Generic[_T]):
    def result(self, timeout: float | None = None) -> _T: ...

class LocalCluster:
    scheduler: Scheduler
    scheduler_address: str
    workers: Mapping[object, Worker]
    def __init__(
        self,
        *,
        n_workers: int | None = None,
        threads_per_worker: int | None = None,
        processes: bool = True,
        memory_limit: str | float | None = "auto",
        dashboard_address: str | None = ":8787",
        silence_logs: int | bool = ...,
    ) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def close(self) -> None: ...

class Client:
    def __init__(
        self, address: str | LocalCluster | None = None, *, timeout: float | str = ...
    ) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def close(self) -> None: ...
    def get_executor(self, *, pure: bool = True) -> Executor: ...
    def nthreads(self) -> Mapping[str, int]: ...
    def register_plugin(self, plugin: WorkerPlugin, name: str | None = None) -> object: ...
    def retire_workers(self, workers: list[str]) -> object: ...
    def run(
        self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> dict[str, _T]: ...
    def submit(
        self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> Future[_T]: ...
    def unregister_worker_plugin(self, name: str) -> object: ...
    def wait_for_workers(self, n_workers: int, timeout: float | None = None) -> None: ...

def get_worker() -> Worker: ...
