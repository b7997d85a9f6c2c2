"""The analyser behind the mypy plugin, `resultflow check` and `resultflow escapes`.

`typed`, `liveness`, `patterns`, `exact`, `silent`, `may_raise` and `tree` read mypy's trees and
types, and are imported by the plugin alone. All others need nothing but the standard library:
`raises` and what is called `raises_...` compute what can leave a function, `escapes` and `page`
tell it, and `answers` keeps it for the plugin.
"""
