import pickle
from collections.abc import Callable, Mapping
from typing import Any

class Pickler(pickle.Pickler):
    dispatch_table: Mapping[type, Callable[[Any], Any]]
    def reducer_override(self, obj: object, /) -> Any: ...  # noqa: ANN401 - pickle's protocol

def dumps(obj: object) -> bytes: ...
