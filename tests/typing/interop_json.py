"""What is read through cattrs and pydantic is a Result of the type that was asked for."""

from typing import TypeAlias, assert_type

from attrs import frozen
from cattrs import Converter
from cattrs.preconf.json import make_converter
from pydantic import BaseModel, TypeAdapter

from resultflow import Err, Ok, Result
from resultflow.interop.cattrs import register


@frozen
class A:
    x: int


class Model(BaseModel):
    outcome: Result[int, A]


@frozen
class Attrs:
    outcome: Result[int, A]


Outcome: TypeAlias = Result[int, A]


def through_pydantic() -> None:
    assert_type(Model(outcome=Ok(1)).outcome, Ok[int] | Err[A])
    assert_type(Model.model_validate({}).outcome, Ok[int] | Err[A])
    adapter: TypeAdapter[Outcome] = TypeAdapter(Outcome)
    assert_type(adapter.validate_json(""), Ok[int] | Err[A])
    assert_type(TypeAdapter(Result[int, A]).validate_json(""), Ok[int] | Err[A])


def through_cattrs() -> None:
    converter = make_converter()
    register(converter)
    assert_type(converter.loads("", Attrs).outcome, Ok[int] | Err[A])
    register(Converter)  # error
