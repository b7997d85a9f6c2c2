"""How a release is made, and what it must pass."""
