"""A scheduler that must survive its database, written twice.

`legacy` has the shape that caused the outage; `pipeline` is the same job as chained Results.
Both call the same plain code: `store` (SQLAlchemy), `servers` (HTTP on loopback) and `work`
(the body of a task), and both are configured by `settings`.
"""

import sys

# Here, in words that an old Python can parse, so that it says this and not a syntax error.
if sys.version_info < (3, 11):  # noqa: UP036 (an old interpreter is what it looks for)
    sys.stderr.write(
        "python %d.%d is too old for scheduler_job; use 3.11 or newer\n" % sys.version_info[:2]  # noqa: UP031 (as above)
    )
    sys.exit(2)
