from collections.abc import Awaitable

from distributed import Worker

class WorkerPlugin:
    name: str
    def setup(self, worker: Worker) -> Awaitable[None] | None: ...
    def teardown(self, worker: Worker) -> Awaitable[None] | None: ...
