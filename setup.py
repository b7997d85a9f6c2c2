"""What pyproject.toml cannot say yet: the fast paths in C, which are built where they can be.

With `RESULTFLOW_PURE=1` they are not built, and the wheel is for every platform.
"""

import os

from setuptools import Extension, setup

fast = Extension("resultflow._native", ["src/resultflow/_native.c"], optional=True)

setup(ext_modules=[] if os.environ.get("RESULTFLOW_PURE", "0") not in {"", "0"} else [fast])
