"""The analyser behind the mypy plugin and `resultflow check`.

`codes`, `settings`, `yields` and `findings` need nothing but the standard library;
`typed`, `liveness`, `patterns` and `tree` read mypy's trees and types, and are imported by the
plugin alone.
"""
