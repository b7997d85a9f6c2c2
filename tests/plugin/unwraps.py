"""`unwrap` and its like are for tests; `strict = true` says so."""

from base import Lost, load
from resultflow import Result


def unwrap() -> int:
    return load().unwrap()  # E: unwrap


def expect() -> int:
    return load().expect("it was just filled")  # E: unwrap


def unwrap_err() -> Lost:
    return load().unwrap_err()  # E: unwrap


def expect_err() -> Lost:
    return load().expect_err("it was just emptied")  # E: unwrap


# Right


class Parcel:
    def unwrap(self) -> int:
        return 1


def of_another_class(parcel: Parcel) -> int:
    return parcel.unwrap()


def with_a_default(r: Result[int, Lost]) -> int:
    return r.unwrap_or(0) + r.unwrap_or_else(lambda _: 1) + r.unwrap_or_default(int)


def by_a_raise(r: Result[int, Lost]) -> int:
    return r.or_raise()
