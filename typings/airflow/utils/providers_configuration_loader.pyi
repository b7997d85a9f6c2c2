# Of Airflow 3.3.
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")

def providers_configuration_loaded(func: Callable[_P, _R]) -> Callable[_P, _R]: ...
