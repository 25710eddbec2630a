"""Where our answer is another than the recorded one, and why that is left so."""

KNOWN: dict[tuple[str, str], str] = {}
"""(group, expression) → the reason."""
