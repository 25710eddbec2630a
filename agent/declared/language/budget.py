"""Bounds on the work one evaluation may cause; hides how work is counted."""

from __future__ import annotations

from typing import ClassVar

from agent.declared.language.error import TooMuch

MAX_TEXT = 8_000_000
"""Characters of the longest string an expression may give."""


class Budget:
    """Steps that are left: an expression form evaluated, an element visited. Shared by all scopes of one evaluation."""

    STEPS: ClassVar[int] = 20_000_000
    """Enough for some 200,000 resource instances; two minutes of work at most."""

    __slots__ = ("steps",)

    def __init__(self, steps: int = STEPS) -> None:
        self.steps = steps

    def spend(self, steps: int) -> None:
        """Takes so many steps. Raises `TooMuch` where they are not left."""
        self.steps -= steps
        if self.steps < 0:
            raise TooMuch(
                "the configuration takes too many steps to evaluate: something in it multiplies beyond reason"
            )
