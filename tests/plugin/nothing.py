"""A module with no Result in it, and no contextmanager."""


def nothing(number: int) -> list[int]:
    number + 1
    return [number]
