"""Doors to other libraries, one module each, imported on demand."""
