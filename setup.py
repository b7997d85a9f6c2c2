"""What pyproject.toml cannot say yet: the fast paths in C, which are built where they can be."""

from setuptools import Extension, setup

setup(ext_modules=[Extension("resultflow._native", ["src/resultflow/_native.c"], optional=True)])
