"""The raises engine: what leaves a function, by its source."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

import pytest

from resultflow.check import raises_files
from resultflow.check.raises import Program, Step
from resultflow.check.settings import Settings

HEAD = """
import contextlib, functools, sqlite3
from contextlib import suppress

class Lost(Exception): ...
class Gone(Lost): ...

def lose(): raise Lost("x")
def go(): raise Gone
"""


def left(tmp_path: Path, source: str, name: str = "f") -> set[str]:
    """Give the last names of what leaves a function of a module."""
    (tmp_path / "m.py").write_text(HEAD + source)
    return {
        escape.exception.rpartition(".")[2]
        for escape in Program([tmp_path], Settings()).escapes(f"m.{name}")
    }


UNREAD = f"is no Python {sys.version_info[0]}.{sys.version_info[1]} that can be read"

STATEMENTS: list[tuple[str, set[str]]] = [
    ("def f():\n x: int\n with 3: pass", set()),
    ("def f(): raise lose", set()),
    ("def g():\n yield\n return lose\ndef f():\n x = yield from g()\n x()", {"Lost"}),
    ("def g() -> int:\n yield\n return lose\ndef f():\n x = yield from g()\n x()", {"Lost"}),
    ("def g(a, b): return b\ndef f(): g(1, lose)()", {"Lost"}),
    ("def g(e): raise e\ndef f(): g(lose)", set()),
    ("def g(n): n.q()\ndef f(): g(lose)", set()),
    ("def f():\n for x in y:\n  try: lose()\n  finally: break\n go()", {"Gone"}),
    ("def f(n): n()\ndef other():\n for x in y: pass\n f(lose)", {"Lost"}),
    ("def f(): raise ExceptionGroup('x', [Lost(), Gone()])", {"ExceptionGroup"}),
    ("def f():\n return\n lambda: (yield)\n raise", set()),
    ("def f():\n return {**x, 'a': 1}, x[1:2, ...], b'' % x", set()),
    ("from xml import nothing\ndef f(): nothing()", set()),
    ("def f(x: 'int | str | list[int]', *, y: 'str' = 1): y.q(x)", set()),
    ("from typing import List\ndef f(x: List): x.q()", set()),
    ("def g(n, o): n(); o.q()\ndef f(): g(n=lose, o=Lost)", {"Lost"}),
    ("def g(x) -> int:\n yield lose\ndef f():\n for y in g(1): y()", {"Lost"}),
    ("def f():\n for y in (lose for _ in z): y()", {"Lost"}),
    (
        f"h = [{', '.join(f'lambda: int({n})' for n in range(24))}]\ng = h + [lose, go]\ndef f():\n for x in g: x()",
        {"ValueError"},
    ),
    ("def f():\n try: return lose()\n except Lost:\n  def g(): raise\n  return g()", set()),
    (
        "def f():\n def g(): int('1')\n try: lose()\n except Lost as e: g()\n return g",
        {"ValueError"},
    ),
    ("from resultflow import safe\n@safe\ndef g(): lose()\ndef f(): return safe(g)().x()", set()),
    ("from resultflow import safe\ndef f(): return safe(lose)()", set()),
    ("from resultflow import safe\ndef f(): return safe(Lost)(lose)().unwrap()", set()),
    ("def g():\n return 1\n yield\ndef f(x):\n for y in x: y()\n return tuple(g())", set()),
    ("def f(): return list(x)[0]()", set()),
    ("def f(): return frozenset([lose]).pop()", {"IndexError"}),
    ("from typing import Any, List\ndef f(x: List[Any]): x[0].q()", set()),
    (
        "from typing import Awaitable, Iterator\nasync def f(x: Awaitable[Lost], y: Iterator): raise await x",
        {"Lost"},
    ),
    ("def f(x: lose): x()", set()),
    ("def f(x: list): x.pop()", {"IndexError"}),
    ("def f(x: object): x()", set()),
    ("def g(n, *m): return m[0]()\ndef f(): g(1, lose)", set()),
    ("def g(**m): return m\ndef f(): g(a=lose)", set()),
    ("def g(n): n()\ndef f(*a): g(*a)", set()),
    ("def g(n): n.q()\ndef f(): g(1)", set()),
    ("def g(e): raise e\ndef f(): g(1)\ndef h(): g(lose)", {"int"}),
    (
        "def a(n): n()\ndef b(n): a(n)\ndef c(n): b(n)\ndef d(n): c(n)\ndef e(n): d(n)\ndef g(n): e(n)\ndef f(): g(lose)",
        {"Lost"},
    ),
    ("import os\ndef f(): os.environ.get('x').strip()", set()),
    ("from xml import dom\ndef f(): dom.minidom.parseString('x')", set()),
    (
        "import http\ndef f(): http.client.HTTPConnection('x').connect()",
        {"HTTPException", "OSError"},
    ),
    ("def f(): known_by_table()", set()),
    (
        "h = [x for x in y]\nh = 1 if h else [2]\ndef f():\n for a, in h: pass\n for a.b in h: pass\n for a[0] in h: pass",
        set(),
    ),
    ("import socket\ndef f():\n try: raise OSError\n except socket.error: pass", set()),
    ("def f(x, y=None):\n x = x or lose\n x()", {"Lost"}),
    ("def f(x):\n x = lose\n x()", {"Lost"}),
    ("def f():\n for a, b in [(lose, go)]: a()", {"Lost", "Gone"}),
    ("def f():\n a, b = g()\n a()\ndef g(): return [lose, lose]", {"Lost"}),
    ("def f(): assert x, lose()", {"AssertionError", "Lost"}),
    ("@lose()\nclass C(metaclass=go()): pass", set()),
    ("from typing import overload\n@overload\ndef f(): lose()\ndef f(): go()", {"Gone"}),
    ("def f(x: 'no type'): x()", set()),
    ("def f(x: {}): x()", set()),
    ("def f(x: None = None): x()", set()),
    ("def f(x: 3): x()", set()),
    ("def f(): return 'a' + lose()", {"Lost"}),
    ("import os\ndef f():\n if os.name == x: lose()\n if os.name < 3: go()", {"Lost", "Gone"}),
    ("def f():\n try: lose()\n except KINDS: pass\nKINDS = (OSError, Lost)", set()),
    ("def f():\n try: lose()\n except (): pass", {"Lost"}),
    ("def f():\n try: lose()\n except nobody_knows: pass", {"Lost"}),
    ("def f(x):\n try: x()\n except BaseException: pass", set()),
    ("def f(x):\n try: lose()\n except Gone: raise", {"Lost"}),
    (
        "def f():\n try: lose()\n except Lost:\n  try: int('1')\n  except ValueError: raise",
        {"ValueError"},
    ),
    (
        "def f():\n try: go()\n except Lost as e:\n  try: int('1')\n  except ValueError: raise e",
        {"Gone"},
    ),
    ("def g(n):\n def h(): return n()\n return h\ndef f(): g(lose)()", {"Lost"}),
    ("def g(n):\n def h(): return n()\n return h()\ndef f(): g(lose)", {"Lost"}),
    ("def g(n): return n\ndef f(): g(lose)()", {"Lost"}),
    ("def f(n): return n()\ndef other(): f(lose)", {"Lost"}),
    ("def f(n): raise n\ndef other(): f(Lost)\ndef more(): f(Gone)", {"Lost", "Gone"}),
    (
        "def f(n): n.m()\nclass C:\n def m(self): lose()\nclass D:\n def m(self): go()\ndef other(): f(D())",
        {"Lost", "Gone"},
    ),
    ("class f:\n def __init__(self, n): n()\ndef other(): f(lose)", {"Lost"}),
    ("def f(n):\n for x in n: pass\ndef other(): f(g())\ndef g():\n yield\n lose()", {"Lost"}),
    (
        "def a(n): n()\ndef b(n): a(n)\ndef c(n): b(n)\ndef d(n): c(n)\ndef e(n): d(n)\ndef f(): e(lose)",
        {"Lost"},
    ),
    ("def f(x): nobody.knows(x).this()", set()),
    ("from m2 import *\ndef f(): undefined()", set()),
    ("from sqlite3 import *\ndef f(): connect('x')", {"OperationalError"}),
    ("import os.path\ndef f(): os.path.getsize('x')", {"OSError"}),
    ("from os import path\ndef f(): path.getsize('x')", {"OSError"}),
    (
        "import concurrent.futures\ndef f(x: concurrent.futures.Future): x.result()",
        {"CancelledError", "TimeoutError"},
    ),
    ("def g():\n yield 1\ndef f(): g().send(1)", set()),
    ("def f(): return lose.__wrapped__()", {"Lost"}),
    ("def f(): return lose.__name__()", set()),
    ("def f(): return Lost.__name__.lower()", set()),
    ("def f(): return list([lose])[0]()", {"Lost"}),
    ("h = {'a': [lose]}\ndef f(): h.copy()['a'].x()", set()),
    ("h = {'a': lose}\ndef f():\n for x in h.values(): x()", {"Lost"}),
    (
        "from typing import Type, Any, Callable, Iterator, Mapping, List\ndef f(a: Type[Lost], b: Any, c: Callable[[], int], d: List): raise a",
        {"Lost"},
    ),
    ("from typing import Mapping\ndef f(a: Mapping[str, Lost]): raise a['x']", {"Lost"}),
    ("from typing import List\ndef f(a: List[Lost]): raise a[0]", {"Lost"}),
    (
        "from typing import Union, Annotated\ndef f(a: Annotated[Union[Lost, OSError], 1]): raise make(a)\ndef make(a) -> Gone: return a",
        {"Gone"},
    ),
    ("from typing import cast\ndef f(): cast(int, lose)()", {"Lost"}),
    ("def f(*a: Lost): raise a[0]", {"Lost"}),
    ("def f(): sqlite3.Connection.commit()", {"OperationalError", "ProgrammingError"}),
    ("class f(sqlite3.Connection): pass", set()),
    (
        "class C(sqlite3.Connection): pass\ndef f(): C().commit()",
        {"OperationalError", "ProgrammingError"},
    ),
    ("import struct\ndef f(): struct.Struct('x').pack(1)", {"error"}),
    ("import struct\nclass C(struct.Struct): pass\ndef f(): C()", {"error"}),
    ("import subprocess\ndef f(x: subprocess.Popen): x.wait()", {"TimeoutExpired"}),
    ("def f(): super().x()", set()),
    ("x = 1\nx = 2\ndef f(): x()", set()),
    ("def f(e): raise e.x", set()),
    ("def f(): raise Lost", {"Lost"}),
    ("def f(): raise Lost('x') from None", {"Lost"}),
    ("def f(): lose()", {"Lost"}),
    ("def f():\n try: lose()\n except Lost: pass", set()),
    ("def f():\n try: lose()\n except (OSError, Lost): pass", set()),
    ("def f():\n try: go()\n except Lost: pass", set()),
    ("def f():\n try: lose()\n except Gone: pass", {"Lost"}),
    ("def f():\n try: lose()\n except: pass", set()),
    ("def f():\n try: lose()\n except Lost as e: raise OSError from e", {"OSError"}),
    ("def f():\n try: lose()\n except Lost: raise", {"Lost"}),
    ("def f():\n try: go()\n except Lost as e: raise e", {"Gone"}),
    ("def f():\n try: go()\n except Lost as e: raise e.with_traceback(None)", {"Gone"}),
    ("def f():\n try: pass\n except Lost: lose()", {"Lost"}),
    ("def f():\n try: pass\n except Lost: pass\n else: lose()", {"Lost"}),
    ("def f():\n try: pass\n finally: lose()", {"Lost"}),
    ("def f():\n try: lose()\n finally: return 1", set()),
    ("def f():\n with suppress(Lost): go()", set()),
    ("def f():\n with contextlib.suppress(OSError, Gone): lose()", {"Lost"}),
    ("def f(x): return int(x)", {"ValueError"}),
    ("def f(): return b''.decode('ascii')", {"UnicodeDecodeError"}),
    ("def f(): return b''.decode('ascii', 'replace')", set()),
    ("def f(): return b''.decode(errors='replace')", set()),
    ("def f(x): return next(x)", {"StopIteration"}),
    ("def f(x): return next(x, None)", set()),
    ("def f(): sqlite3.connect('x').commit()", {"OperationalError", "ProgrammingError"}),
    ("def f(): assert lose", {"AssertionError"}),
    ("async def g(): lose()\ndef f(): g()", set()),
    ("async def g(): lose()\nasync def f(): await g()", {"Lost"}),
    ("def g():\n yield 1\n lose()\ndef f(): g()", set()),
    ("def g():\n yield 1\n lose()\ndef f():\n for _ in g(): pass", {"Lost"}),
    ("def g():\n yield 1\n lose()\ndef f(): return list(g())", {"Lost"}),
    ("def g():\n yield 1\n lose()\ndef f(): yield from g()", {"Lost"}),
    ("def f(): raise ExceptionGroup('x', [Lost()])", {"ExceptionGroup"}),
    (
        "def g(): raise ExceptionGroup('x', [Lost()])\ndef f():\n try: g()\n except* Lost: pass",
        set(),
    ),
    ("def f():\n try: raise Gone\n except* Lost: pass", set()),
    ("def f(x):\n raise x.y", set()),
    ("def f():\n if True: lose()\n else: raise OSError", {"Lost"}),
    (
        "import sys\ndef f():\n if sys.version_info >= (3,): lose()\n else: raise OSError",
        {"Lost"},
    ),
    ("import sys\ndef f():\n if sys.version_info < 3: lose()", {"Lost"}),
    ("import sys\ndef f():\n if not sys.platform == x: lose()", {"Lost"}),
    ("from typing import TYPE_CHECKING\ndef f():\n if TYPE_CHECKING: lose()", set()),
    ("from typing import TYPE_CHECKING\ndef f():\n if not TYPE_CHECKING: lose()", {"Lost"}),
    ("def f():\n while lose(): pass\n else: raise OSError", {"Lost", "OSError"}),
    ("def f():\n for _ in [lose()]: pass\n else: raise OSError", {"Lost", "OSError"}),
    ("def f():\n x = [lose() for y in z if go()]", {"Lost", "Gone"}),
    ("def f():\n return {lose(): go() for y in z}", {"Lost", "Gone"}),
    ("def f():\n return {lose(): go(), **x}", {"Lost", "Gone"}),
    ("def f():\n return (lose() if go() else 1)", {"Lost", "Gone"}),
    ("def f():\n return lose() and go()", {"Lost", "Gone"}),
    ("def f():\n return not lose() + -go()", {"Lost", "Gone"}),
    ("def f():\n return 1 < lose() in go()", {"Lost", "Gone"}),
    ("def f():\n return f'{lose()}' 'x'", {"Lost"}),
    ("def f():\n return x[lose():go()]", {"Lost", "Gone"}),
    ("def f():\n (y := lose())", {"Lost"}),
    ("def f():\n del x[lose()], y", {"Lost"}),
    ("def f():\n x[lose()] = y", {"Lost"}),
    ("def f():\n x: int = lose()", {"Lost"}),
    ("def f():\n x = 1\n x += lose()", {"Lost"}),
    ("def f():\n x.y += lose()", {"Lost"}),
    ("def f():\n a, *b = [lose(), 1]\n a, b = lose, 2\n a()", {"Lost"}),
    (
        "def f():\n match lose():\n  case [1, {'a': b, **c}, *d] if go(): raise OSError",
        {"Lost", "Gone", "OSError"},
    ),
    (
        "def f(x):\n match x:\n  case Lost() as e: raise e\n  case (1 | 2) as y: pass\n  case _: pass",
        {"Lost"},
    ),
    ("def f():\n g = lose\n g()", {"Lost"}),
    ("def f():\n def g(): lose()\n g()", {"Lost"}),
    ("def f():\n def g(): lose()", set()),
    ("def f():\n return (lambda: lose())()", {"Lost"}),
    ("def f():\n return (lambda: lose())", set()),
    ("def f():\n global h\n h = lose\ndef g(): h()", set()),
    ("def g():\n global h\n h = lose\ndef f(): h()", {"Lost"}),
    ("h = {'a': lose, 'b': go}\ndef f(x): h[x]()", {"Lost", "Gone"}),
    ("h = [lose]\ndef f():\n for g in h: g()", {"Lost"}),
    ("h = [lose]\ndef f():\n for g in h + [go]: g()", {"Lost", "Gone"}),
    ("h = [lose]\ndef f(): h.copy()", set()),
    ("def g(e): raise e\ndef f(): g(Lost())", {"Lost"}),
    ("def g(e=Lost): raise e\ndef f(): g()", {"Lost"}),
    ("def g(*, e): raise e\ndef f(): g(e=Gone)", {"Gone"}),
    ("def g(*e): e[0]()\ndef f(): g(lose)", set()),
    ("def make(): return Lost('x')\ndef f(): raise make()", {"Lost"}),
    ("def f(kind: type[Lost]): raise kind()", {"Lost"}),
    ("def f(e: 'Lost | None'): raise e", set()),
    ("def f():\n raise", set()),
    ("def f(x): x.fails()", set()),
    ("class C:\n def only_here(self): lose()\ndef f(x): x.only_here()", {"Lost"}),
    (
        "class C:\n def m(self): lose()\nclass D:\n def m(self): go()\nclass E2:\n def m(self): pass\nclass F2:\n def m(self): pass\ndef g(x): x.m()\ndef f(): g(C())",
        {"Lost"},
    ),
    ("def g(h): return h()\ndef f(): g(lose)", {"Lost"}),
    (
        "def g(h):\n try: return h()\n except Lost: pass\ndef f(): g(lose); g(lambda: int(1))",
        {"ValueError"},
    ),
    ("def i(h): return h()\ndef g(h): return i(h)\ndef f(): g(lose)", {"Lost"}),
    ("def f(): functools.partial(lose)()", {"Lost"}),
    ("def f(): list(map(lambda x: lose(), [1]))", {"Lost"}),
    ("def f(): sorted([1], key=lambda x: lose())", {"Lost"}),
    ("from resultflow import safe\n@safe(Lost)\ndef f(): go(); raise OSError", {"OSError"}),
    ("from resultflow import safe\n@safe\ndef f(): go(); raise OSError", set()),
    ("from resultflow import safe\ndef f(): return safe(Lost)(lose)()", set()),
    ("from resultflow import safe\ndef f(): return safe(Gone)(lose)()", {"Lost"}),
    ("from resultflow import do\n@do\ndef f(bind): lose()", {"Lost"}),
    ("@functools.lru_cache\ndef f(): lose()", {"Lost"}),
    ("@functools.lru_cache(maxsize=1)\ndef f(): lose()", {"Lost"}),
    ("@nobody_knows\ndef f(): lose()", {"Lost"}),
    (
        "def d(h):\n @functools.wraps(h)\n def w(*a):\n  try: return h(*a)\n  except Lost: raise OSError\n return w\n@d\ndef f(): lose()",
        {"OSError"},
    ),
    (
        "def d(n):\n def e(h):\n  def w(): return h()\n  return w\n return e\n@d(1)\ndef f(): lose()",
        {"Lost"},
    ),
    (
        (
            "import asyncio\nasync def g(): lose()\nasync def f():\n async with asyncio.TaskGroup() as t:"
            "\n  t.create_task(g())"
        ),
        {"Lost"},
    ),
    (
        (
            "import asyncio\nasync def g(): lose()\nasync def f(t: asyncio.TaskGroup):\n try:"
            "\n  async with t: t.create_task(g())\n except* Lost: go()"
        ),
        {"Gone"},
    ),
    (
        "def f():\n with contextlib.ExitStack() as stack: stack.callback(lose)",
        {"Lost"},
    ),
    (
        "import asyncio\nasync def g(): lose()\ndef f(): asyncio.run(g())",
        {"Lost", "RuntimeError"},
    ),
    (
        "import asyncio\nasync def g(): lose()\nasync def f():\n t = asyncio.create_task(g())\n await t",
        {"Lost"},
    ),
    ("async def g():\n yield 1\n lose()\nasync def f():\n async for x in g(): pass", {"Lost"}),
]


@pytest.mark.parametrize(("source", "expected"), STATEMENTS)
def test_statements(tmp_path: Path, source: str, expected: set[str]) -> None:
    """Each statement lets out, or keeps, what it does when it runs."""
    assert left(tmp_path, source) - {"DatabaseError"} == expected


MANAGERS = """
@contextlib.contextmanager
def bare():
    yield lose

@contextlib.contextmanager
def swallows():
    try: yield
    except Exception: pass

@contextlib.contextmanager
def turns():
    try: yield
    except Lost as exc: raise OSError from exc

@contextlib.contextmanager
def again():
    try: yield
    except Lost: raise

class Plain:
    def __enter__(self): return self
    def __exit__(self, *exc): return None
    def lose(self): lose()

class Keeps:
    def __enter__(self): go()
    def __exit__(self, *exc): return True

class Async:
    async def __aenter__(self): go()
    async def __aexit__(self, *exc): pass
"""


BLOCKS: list[tuple[str, set[str]]] = [
    ("def f():\n with lose as x: x()", {"Lost"}),
    ("def f():\n with lose: go()", {"Gone"}),
    (
        "class Own(Plain):\n def __exit__(self, *exc): return not exc\ndef f():\n with Own(): lose()",
        {"Lost"},
    ),
    ("def f():\n with contextlib.closing(Plain()) as x: x.lose()", {"Lost"}),
    ("def f():\n with contextlib.nullcontext(): lose()", {"Lost"}),
    ("def f():\n s = contextlib.ExitStack()\n s.enter_context(Plain()).lose()", {"Lost"}),
    (
        "from typing import Iterator\n@contextlib.contextmanager\ndef g() -> Iterator[Plain]: yield 1\ndef f():\n with g() as x: x.lose()",
        {"Lost"},
    ),
    ("def f():\n bare()", set()),
    ("def f():\n with bare(): lose()", {"Lost"}),
    ("def f():\n with bare() as x: x()", {"Lost"}),
    ("def f():\n with swallows(): lose()", set()),
    ("def f():\n with turns(): lose()", {"OSError"}),
    ("def f():\n with turns(): raise ValueError", {"OSError", "ValueError"}),
    ("def f():\n with again(): go()", {"Gone"}),
    ("def f():\n with bare(), swallows(): lose()", set()),
    ("def f():\n with Plain() as x: x.lose()", {"Lost"}),
    ("def f():\n with Keeps(): lose()", {"Gone"}),
    ("async def f():\n async with Async(): lose()", {"Lost", "Gone"}),
    ("def f(x):\n with x: lose()", {"Lost"}),
    ("def f(x):\n with open(x) as y: lose()", {"Lost", "OSError", "ValueError"}),
    ("def g(c):\n with c: pass\ndef f(): g(Keeps())", {"Gone"}),
    ("def f():\n s = contextlib.ExitStack()\n s.enter_context(Keeps())", {"Gone"}),
]


@pytest.mark.parametrize(("source", "expected"), BLOCKS)
def test_context_managers(tmp_path: Path, source: str, expected: set[str]) -> None:
    """An exception of a block goes through the manager: generator, class, or the library's."""
    assert left(tmp_path, MANAGERS + source) - {"UnicodeDecodeError"} == expected


CLASSES = """
class Base:
    def __init__(self, x=None): self.helper = Helper()
    def m(self): raise NotImplementedError
    def n(self): self.m()
    def s(self): lose()
    @property
    def p(self): lose()
    @p.setter
    def p(self, x): go()
    @staticmethod
    def st(): lose()
    @classmethod
    def cl(cls): return cls().s()
    @functools.cached_property
    def cp(self): lose()
    def itself(self) -> "Base": return self

class Sub(Base):
    def m(self): go()
    def s(self): super().s()

class Helper:
    def help(self): lose()
    def __getitem__(self, x): lose()
    def __add__(self, x): lose()
    def __len__(self): lose()
    def __str__(self): lose()
    def __contains__(self, x): lose()
    def __iter__(self): return self
    def __next__(self): lose()
    def __call__(self): lose()
    def __lt__(self, x): lose()

class Made:
    def __new__(cls): lose()

class Post:
    def __post_init__(self): lose()

class Loops(Loops): pass
"""


METHODS: list[tuple[str, set[str]]] = [
    ("class A:\n __add__ = 1\ndef f(): return Helper() @ A()", set()),
    (
        "class K:\n def __exit__(self, *exc):\n  return True\n def __enter__(self): return self\ndef f(x: K):\n with x: lose()",
        set(),
    ),
    (
        "class A(sqlite3.Connection): pass\ndef f(x: A):\n with x: pass",
        {"OperationalError", "ProgrammingError"},
    ),
    (
        "class A:\n def __iter__(self): return x\n def __next__(self): lose()\ndef f():\n for x in A(): pass",
        {"Lost"},
    ),
    ("class A(Base, Base): pass\ndef f(): A().m()", {"NotImplementedError"}),
    ("class A(Sub, Base): pass\ndef f(x: Base): x.m()", {"NotImplementedError", "Gone"}),
    ("class A(Sub): pass\nclass B2(A, Sub): pass\ndef f(x: Sub): x.m()", {"Gone"}),
    ("class A(object):\n def m(self): lose()\ndef f(): A().q()", set()),
    ("def f(): return Base.p.x", set()),
    ("def f(): Base().p; x = Base(); x.p", {"Lost"}),
    ("def f():\n for x in Sub(): x.q()", set()),
    ("class A:\n @staticmethod\n def s(x): x()\ndef f(): A.s(lose)", {"Lost"}),
    (
        "class A:\n def __getitem__(self, n): return Sub()\ndef f():\n for x in A(): x.m()",
        {"Gone"},
    ),
    (
        "class A:\n def __iter__(self): return 1\n def __getitem__(self, n): return Sub()\ndef f():\n for x in A(): x.m()",
        {"Gone"},
    ),
    ("async def f(): await Sub()", set()),
    ("def f(): (1 + x).bit_length()", set()),
    ("def f(x: int): return (x + 1).bit_length()", set()),
    ("class A:\n __add__ = 3\ndef f(): return A() + 1", set()),
    ("from m2 import Deco\n@Deco\ndef f(): lose()", {"Lost"}),
    ("from collections import OrderedDict\n@OrderedDict\ndef f(): lose()", {"Lost"}),
    ("def d(): return 1\n@d\ndef f(): lose()", {"Lost"}),
    ("def d(h): return 1\n@d\ndef f(): lose()", set()),
    (
        "class C:\n def w(self, x) -> 'C': return x\n def m(self): lose()\ndef f(): C().w(1).m()",
        {"Lost"},
    ),
    ("class C:\n def w(self, x, *y): return y\ndef f(): C().w(1, lose)", set()),
    ("class C:\n h = lose\n g = h\n g()\ndef f(): C.g()", {"Lost"}),
    (
        "class C:\n K = (Lost, OSError)\n def m(self):\n  try: lose()\n  except self.K: pass\ndef f(): C().m()",
        set(),
    ),
    (
        "class D:\n def __init__(self, h): pass\n def __get__(self, o, t): pass\nclass C:\n @D\n def m(self): lose()\ndef f(): return C().m",
        {"Lost"},
    ),
    ("class D:\n def __init__(self, h): pass\n@D\ndef f(): lose()", {"Lost"}),
    ("class C:\n @property\n def p(self) -> Sub: return x\ndef f(): C().p.m()", {"Gone"}),
    ("class C:\n @property\n def p(self): lose()\ndef f(): C.p", set()),
    (
        "class C(Base):\n @property\n def p(self): return super().p\ndef f(): return C().p",
        {"Lost"},
    ),
    ("class A:\n def __add__(self, x): return Sub()\ndef f(): (A() + 1).m()", {"Gone"}),
    (
        "class A:\n def __iter__(self): return self\n def __next__(self): return Sub()\ndef f():\n for x in A(): x.m()",
        {"Gone"},
    ),
    (
        "class A:\n def __iter__(self): return B()\nclass B:\n def __next__(self): lose()\ndef f():\n for x in A(): pass",
        {"Lost"},
    ),
    (
        "class A:\n async def __aiter__(self): lose()\nasync def f():\n async for x in A(): pass",
        {"Lost"},
    ),
    (
        "from typing import Generic, TypeVar\nT = TypeVar('T')\nclass A(Generic[T]):\n def m(self): lose()\nclass B(A[int]): pass\ndef f(): B().m()",
        {"Lost"},
    ),
    ("def f(x: type[Base]): x.st()", {"Lost"}),
    ("def f(x: Base): return x + 1", set()),
    ("class C:\n def m(self, g):\n  self.g = g\n def n(self): self.g()\ndef f(): C().n()", set()),
    (
        "class C:\n def m(self):\n  def inner(): self.x = lose\n  inner()\n def n(self): self.x()\ndef f(): C().n()",
        {"Lost"},
    ),
    ("def f():\n class C:\n  def m(self):\n   x = super()\n   x.q()\n C().m()", set()),
    (
        "class C(Base):\n def m(self): super(C, self).m()\ndef f(): C().m()",
        {"NotImplementedError"},
    ),
    ("class C:\n def __call__(self): return Sub()\ndef f(): C()().m()", {"Gone"}),
    ("def f(): Helper().missing()", set()),
    (
        "class C:\n @contextlib.contextmanager\n def w(self):\n  yield\n  lose()\ndef f():\n with C().w(): pass",
        {"Lost"},
    ),
    (
        "class C:\n @staticmethod\n @contextlib.contextmanager\n def w():\n  yield\n  lose()\ndef f():\n with C.w(): pass",
        {"Lost"},
    ),
    ("def f(): Base().n()", {"NotImplementedError", "Gone"}),
    ("def f(): Sub().m()", {"Gone"}),
    ("def f(): Sub().s()", {"Lost"}),
    ("def f(x: Base): x.m()", {"NotImplementedError", "Gone"}),
    ("def f(x: 'Base | None'): x.m()", {"NotImplementedError", "Gone"}),
    ("from typing import Optional\ndef f(x: Optional[Sub]): x.m()", {"Gone"}),
    ("def f(x: list[Sub]):\n for y in x: y.m()", {"Gone"}),
    ("def f(x: dict[str, Sub]): x['a'].m()", {"Gone"}),
    ("def f(x: dict[str, Sub]): x.get('a').m()", {"Gone"}),
    ("def f(): Base().helper.help()", {"Lost"}),
    ("def f(): return Base().p", {"Lost"}),
    ("def f(): Base().p = 1", {"Gone"}),
    ("def f(): return Base().cp", {"Lost"}),
    ("def f(): Base.st()", {"Lost"}),
    ("def f(): Base.cl()", {"Lost"}),
    ("def f(): Base().itself().s()", {"Lost"}),
    ("def f(): Base.s(Base())", {"Lost"}),
    ("def f(): return Helper()[1]", {"Lost"}),
    ("def f(): return Helper() + 1", {"Lost"}),
    ("def f(): return len(Helper())", {"Lost"}),
    ("def f(): return str(Helper())", {"Lost"}),
    ("def f(): return f'{Helper()}'", {"Lost"}),
    ("def f(): return 1 in Helper()", {"Lost"}),
    ("def f(): return Helper() < 1", {"Lost"}),
    ("def f():\n for x in Helper(): pass", {"Lost"}),
    ("def f(): Helper()()", {"Lost"}),
    ("def f(): Made()", {"Lost"}),
    ("def f(): Post()", {"Lost"}),
    ("def f(): Loops()", set()),
    ("def f():\n class C:\n  def m(self): lose()\n C().m()", {"Lost"}),
    ("class C(Base):\n k = Lost\n def m(self): raise self.k\ndef f(): C().m()", {"Lost"}),
    (
        "class C(sqlite3.Error): pass\ndef f():\n try: raise C\n except sqlite3.Error: pass",
        set(),
    ),
    ("class It:\n def __iter__(self): yield Sub()\ndef f():\n for x in It(): x.m()", {"Gone"}),
    (
        "class It:\n def __iter__(self):\n  yield 1\n  lose()\ndef f():\n for x in It(): pass",
        {"Lost"},
    ),
    ("def g():\n yield Sub()\ndef f():\n for x in g(): x.m()", {"Gone"}),
    ("async def g(): return Sub()\nasync def f(): (await g()).m()", {"Gone"}),
    ("def f(x): type(Base())().s()", {"Lost"}),
]


@pytest.mark.parametrize(("source", "expected"), METHODS)
def test_classes(tmp_path: Path, source: str, expected: set[str]) -> None:
    """Methods are found by the class of their receiver, with those that override them."""
    assert left(tmp_path, CLASSES + source) == expected


def test_modules(tmp_path: Path) -> None:
    """Names are followed through relative and star imports, re-exports, and cycles."""
    files = {
        "pkg/__init__.py": "from .low import *\nfrom .high import top\n",
        "pkg/low.py": "from . import high\nclass Lost(Exception): ...\ndef lose(): raise Lost\n",
        "pkg/high.py": "import pkg.low as l\nfrom pkg import lose\nimport pkg.low\n"
        "def top(): lose()\ndef other(): l.lose()\ndef third(): pkg.low.lose()\n",
        "ns/inner.py": "import pkg\ndef f(): pkg.lose()\n",
        "other.py": "import ns.inner\nfrom ns import inner\ndef f(): ns.inner.f()\ndef g(): inner.f()\n",
        "second/use.py": "",
        "use.py": "import pkg\ndef f(): pkg.top()\ndef g(): pkg.lose()\n",
    }
    for name, source in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
    program = Program([tmp_path], Settings())
    names = (
        "use.f",
        "use.g",
        "other.f",
        "other.g",
        "pkg.high.other",
        "pkg.high.third",
        "pkg.lose",
    )
    for function in names:
        assert [one.exception for one in program.escapes(function)] == ["pkg.low.Lost"], function
    assert program.depends_on("use.f") >= {tmp_path / "pkg" / "low.py", tmp_path / "use.py"}
    assert program.module_at(tmp_path / "pkg" / "low.py") == "pkg.low"
    assert program.module_at(tmp_path / "pkg" / "__init__.py") == "pkg"
    assert program.module_at(tmp_path / "none.txt") is None
    both = Program([tmp_path, tmp_path / "second"], Settings())
    assert both.module_at(tmp_path / "second" / "use.py") == "second.use"
    both = Program([tmp_path / "ns", tmp_path / "second"], Settings())
    assert both.module_at(tmp_path / "second" / "inner.py") is None
    assert program.module_at(Path("/nowhere.py")) is None


def test_a_function_s_own_body(tmp_path: Path) -> None:
    """`leaving` leaves decorators aside, and takes parameters and blocks from the same package."""
    (tmp_path / "m.py").write_text(
        HEAD + MANAGERS + "def d(h):\n def w():\n  try: h()\n  except Lost: pass\n  int('1')\n"
        " return w\n@d\ndef f(): lose()\ndef g():\n with turns(): go(); raise ValueError\n"
    )
    program = Program([tmp_path], Settings())
    assert Program([tmp_path], Settings()).leaving("m.d.w") == {"builtins.ValueError"}
    assert program.leaving("m.f") == {"m.Lost"}
    assert program.leaving("m.d.w") == {"builtins.ValueError"}
    assert program.leaving("m.turns") == {"builtins.OSError", "builtins.ValueError"}
    assert program.leaving("m.nobody") == frozenset()
    assert program.escapes("m.nobody") == program.escapes("nobody.knows") == ()
    assert "m.d.w" in program.functions_of("m")


def test_what_handlers_raise_again_by_a_helper(tmp_path: Path) -> None:
    """`safe_reraise` raises what the handler around it has caught."""
    helper = tmp_path / "sqlalchemy" / "util" / "langhelpers.py"
    helper.parent.mkdir(parents=True)
    for name in ("sqlalchemy/__init__.py", "sqlalchemy/util/__init__.py"):
        (tmp_path / name).touch()
    helper.write_text("class safe_reraise:\n def __enter__(self): pass\n def __exit__(*x): pass")
    source = (
        "from sqlalchemy.util.langhelpers import safe_reraise\n"
        "def f():\n try: go()\n except:\n  with safe_reraise(): int('1')"
    )
    assert left(tmp_path, source) == {"Gone", "ValueError"}


def test_a_large_package_is_read_by_processes(tmp_path: Path) -> None:
    """Several workers read what one would: a package with folders, and files that are none."""
    project, cache = tmp_path / "project", tmp_path / "cache"
    for folder in ("pkg", "pkg/sub", "pkg/tests", "pkg/not-a-name"):
        (project / folder).mkdir(parents=True)
        (project / folder / "__init__.py").touch()
    (project / "pkg" / "notes.txt").touch()
    for number in range(70):
        (project / "pkg" / f"m{number}.py").write_text(
            f"class C{number}:\n def m{number}(self): raise OSError"
        )
    (project / "pkg" / "sub" / "use.py").write_text("def f(x): x.m69()")
    program = Program([project], Settings(), cache, workers=2)
    assert [one.exception for one in program.escapes("pkg.sub.use.f")] == ["builtins.OSError"]
    program.save()
    again = Program([project], Settings(), cache)
    assert again.escapes("pkg.sub.use.f") == program.escapes("pkg.sub.use.f")
    assert len(again.functions_of("pkg")) == 71
    assert again.functions_of("none") == []


def test_a_distribution_is_read_once_for_each_version(tmp_path: Path) -> None:
    """A file of an installed package is not looked at again until its version changes."""
    site, cache = tmp_path / "site-packages", tmp_path / "cache"
    site.mkdir()
    (site / "dist.py").write_text("def f(): raise OSError")
    (site / "torn-1.dist-info").mkdir()
    info = site / "dist-1.dist-info"
    info.mkdir()
    (info / "RECORD").write_text("dist.py,,\n")
    for expected in ("OSError", "OSError", "ValueError"):
        if expected == "ValueError":
            info.rename(site / "dist-2.dist-info")
        program = Program([site], Settings(), cache)
        assert [one.exception for one in program.escapes("dist.f")] == [f"builtins.{expected}"]
        assert program.depends_on("dist.f") == frozenset()
        program.save()
        (site / "dist.py").write_text("def f(): raise ValueError")


def test_what_is_nested_can_be_asked_for(tmp_path: Path) -> None:
    """A function in another one has a name, too; so has what a parameter raises, with no path."""
    (tmp_path / "m.py").write_text(
        HEAD + "def f():\n def g(): lose()\ndef h(e): raise e\ndef other(): h(Lost)"
    )
    program = Program([tmp_path], Settings())
    assert [one.exception for one in program.escapes("m.f.g")] == ["m.Lost"]
    (escape,) = program.escapes("m.h")
    assert [step.function for step in escape.steps] == ["m.h"]


def test_a_path_is_a_shortest_one(tmp_path: Path) -> None:
    """Each step is a call, with its place; the last one is the `raise`."""
    (tmp_path / "m.py").write_text("def a(): raise OSError\ndef b(): a()\ndef c():\n b()\n a()\n")
    (escape,) = Program([tmp_path], Settings()).escapes("m.c")
    path = str(tmp_path / "m.py")
    assert escape.steps == (Step("m.c", path, 5, 1), Step("m.a", path, 1, 9))


def test_what_was_caught_and_raised_again_comes_from_where_it_was_raised(tmp_path: Path) -> None:
    """A bare `raise` is no origin."""
    (tmp_path / "m.py").write_text(
        "def a(): raise OSError\ndef b():\n try: a()\n except OSError:\n  raise\n"
    )
    (escape,) = Program([tmp_path], Settings()).escapes("m.b")
    assert [(step.function, step.line) for step in escape.steps] == [("m.b", 3), ("m.a", 1)]


@pytest.mark.parametrize(
    ("source", "is_known"),
    [
        ("def f(): int('1')", True),
        ("def f(x): x.y()", False),
        ("def f(x): x()", False),
        ("def f(x):\n try: x()\n except Exception: pass", True),
        ("def f(x):\n try: x()\n except OSError: pass", False),
        ("def f(x: str): x.lower().strip()", True),
        ("import no_such_module\ndef f(): no_such_module.g()", False),
    ],
)
def test_what_cannot_be_resolved_is_said(tmp_path: Path, source: str, is_known: bool) -> None:  # noqa: FBT001 - a case
    """A call of something unknown makes its caller unknown, unless all is caught around it."""
    (tmp_path / "m.py").write_text(source)
    program = Program([tmp_path], Settings())
    assert program.is_known("m.f") is is_known
    assert "?" not in {one.exception for one in program.escapes("m.f")}


def test_a_handler_that_raises_again_is_evidence(tmp_path: Path) -> None:
    """Where something unknown is called, a handler tells what its writer expects of it."""
    assert left(tmp_path, "def f(x):\n try: x()\n except Lost: raise") == {"Lost"}


@pytest.mark.parametrize(
    ("exception", "is_failure"),
    [
        ("builtins.OSError", True),
        ("builtins.FileNotFoundError", True),
        ("builtins.ValueError", True),
        ("builtins.KeyError", False),
        ("builtins.RecursionError", False),
        ("builtins.DeprecationWarning", False),
        ("trio.TrioInternalError", False),
        ("m.Lost", True),
        ("m.Mine", False),
        ("m.Wanted", True),
    ],
)
def test_failures_and_bugs(tmp_path: Path, exception: str, is_failure: bool) -> None:  # noqa: FBT001 - a case
    """Bugs are what the language raises for wrong code; the settings add to both sides."""
    (tmp_path / "m.py").write_text(HEAD + "class Mine(OSError): ...\nclass Wanted(KeyError): ...")
    settings = Settings(bugs=("m.Mine",), failures=("m.Wanted",))
    assert Program([tmp_path], settings).is_failure(exception) is is_failure


def test_the_settings_speak_for_functions(tmp_path: Path) -> None:
    """`raises` says what a function that cannot be read raises."""
    (tmp_path / "m.py").write_text(
        HEAD + "import far\ndef f(): far.away()\ndef h(): pass\ndef g(): h()"
    )
    raises = {"far.away": ("m.Lost",), "m.h": ("nobody.Knows",)}
    program = Program([tmp_path], Settings(raises=raises))
    assert [one.exception for one in program.escapes("m.f")] == ["m.Lost"]
    assert [one.exception for one in program.escapes("m.g")] == ["nobody.Knows"]
    assert program.is_known("m.f")


def test_the_cache_is_believed_until_a_file_changes(tmp_path: Path) -> None:
    """What was read is kept on disk, and read again when time or size of a file differ."""
    project, cache = tmp_path / "project", tmp_path / "cache"
    project.mkdir()
    (project / "m.py").write_text("def f(): raise OSError")
    for text, expected in (
        (None, "builtins.OSError"),
        (None, "builtins.OSError"),
        ("def f(): raise ValueError", "builtins.ValueError"),
    ):
        if text:
            (project / "m.py").write_text(text)
        program = Program([project], Settings(), cache)
        assert [one.exception for one in program.escapes("m.f")] == [expected]
        program.save()


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Give the file of the cache in which what was read of a project's only module is."""
    (tmp_path / "m.py").write_text("def f(): raise OSError")
    program = Program([tmp_path], Settings(), tmp_path / "cache")
    assert program.escapes("m.f")
    program.save()
    (file,) = (tmp_path / "cache").glob("m-*")
    return file


def asked_again(tmp_path: Path) -> list[str]:
    """Give what leaves the function of that module, by the cache if that is believed."""
    program = Program([tmp_path], Settings(), tmp_path / "cache")
    return [one.exception for one in program.escapes("m.f")]


def test_a_cache_that_is_not_as_it_was_written_is_none(tmp_path: Path, kept: Path) -> None:
    """Any byte that is another, and any that is missing, makes that the module is read again."""
    whole = kept.read_bytes()
    for at in range(0, len(whole), 7):
        for torn in (whole[:at], whole[:at] + bytes([whole[at] ^ 64]) + whole[at + 1 :]):
            kept.write_bytes(torn)
            assert asked_again(tmp_path) == ["builtins.OSError"]


def test_a_cache_that_cannot_be_written_is_left_clean(tmp_path: Path) -> None:
    """Where a file cannot be put in its place, nothing half done stays beside it."""
    (tmp_path / "there" / "in_it").mkdir(parents=True)
    raises_files.keep(tmp_path / "there", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


class _Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.made),)


def test_a_cache_of_somebody_else_runs_nothing(tmp_path: Path, kept: Path) -> None:
    """What a cache names is not called, in itself or in a module that it holds."""
    made = tmp_path / "made"
    for hostile in (_Hostile(made), {"m": _Hostile(made)}, [1]):
        raises_files.keep(kept, pickle.dumps(hostile))
        assert asked_again(tmp_path) == ["builtins.OSError"]
    assert asked_again(tmp_path) == ["builtins.OSError"]
    program = Program([tmp_path], Settings(), tmp_path / "cache")
    assert program.escapes("m.f")
    program.save()
    entries = pickle.loads(raises_files.kept(kept))  # noqa: S301 - written by this test
    entries["m"] = entries["m"]._replace(module=pickle.dumps(_Hostile(made)))
    raises_files.keep(kept, pickle.dumps(entries))
    program = Program([tmp_path], Settings(), tmp_path / "cache")
    assert program.escapes("m.f") == ()
    assert program.files.notes == {"m": f"{tmp_path / 'm.py'}: cannot be read"}
    assert not made.exists()


def test_a_file_that_cannot_be_read_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file without permission is not one without functions."""
    (tmp_path / "m.py").write_text("def f(): raise OSError")

    def refuse(_: Path) -> bytes:
        raise PermissionError

    monkeypatch.setattr(Path, "read_bytes", refuse)  # root may read all
    program = Program([tmp_path], Settings())
    assert not program.is_there("m.f")
    assert program.files.notes == {"m": f"{tmp_path / 'm.py'}: cannot be read"}


def test_a_projects_own_module_hides_that_of_the_library(tmp_path: Path) -> None:
    """What the table says of `json.loads` is not said of another `json`; `time` stays itself."""
    (tmp_path / "json.py").write_text("class Mine(Exception): ...\ndef loads(x): raise Mine\n")
    (tmp_path / "sys.py").write_text("def exit(): ...\n")
    (tmp_path / "m.py").write_text(
        "import json, sys\ndef f():\n json.loads('')\ndef g(): sys.exit()\n"
    )
    program = Program([tmp_path], Settings())
    assert [one.exception for one in program.escapes("m.f")] == ["json.Mine"]
    assert [one.exception for one in program.escapes("m.g")] == ["builtins.SystemExit"]


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (b"def f(:", UNREAD),
        (b"x = '\\0", UNREAD),
        (b"x = " + b"-" * 100_000 + b"1", "nested too deeply"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, source: bytes, fault: str) -> None:
    """One clear line, and no crash; the rest of the program is looked at."""
    (tmp_path / "bad.py").write_bytes(source)
    (tmp_path / "m.py").write_text("import bad\ndef f():\n bad.g()\n raise OSError")
    program = Program([tmp_path], Settings())
    assert [one.exception for one in program.escapes("m.f")] == ["builtins.OSError"]
    assert not program.is_known("m.f")
    (note,) = program.files.notes.values()
    assert fault in note
    assert str(tmp_path / "bad.py") in note


def test_recursion_ends(tmp_path: Path) -> None:
    """Functions that call each other, and themselves, are looked at once for each new thing."""
    source = "def f(n):\n g(n)\ndef g(n):\n f(n); h()\ndef h():\n h()\n raise Lost"
    assert left(tmp_path, source) == {"Lost"}


def test_a_long_file_is_read(tmp_path: Path) -> None:
    """50,000 lines are no matter."""
    lines = ["def f0(): raise OSError"]
    lines += [f"def f{n}():\n    x = {n}\n    f{n - 1}()\n    return x" for n in range(1, 12_501)]
    (tmp_path / "m.py").write_text("\n".join(lines))
    (escape,) = Program([tmp_path], Settings()).escapes("m.f12500")
    assert len(escape.steps) == 12_501
