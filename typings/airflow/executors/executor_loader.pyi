from enum import Enum

from airflow.executors.base_executor import BaseExecutor

class ConnectorSource(Enum):
    CORE = "core"
    PLUGIN = "plugin"
    CUSTOM_PATH = "custom path"

class ExecutorLoader:
    @classmethod
    def import_default_executor_cls(cls) -> tuple[type[BaseExecutor], ConnectorSource]: ...
    # Says `type[BaseExecutor]`, but is called with an instance by Airflow's own command.
    @classmethod
    def validate_database_executor_compatibility(
        cls, executor: BaseExecutor | type[BaseExecutor]
    ) -> None: ...
