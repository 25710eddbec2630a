"""JSON that is none, strictly: read as its writer will have meant it.

Hides what is put in the place of what JSON has no word for.
"""

from __future__ import annotations

import json
import math
from typing import Any


def leniently(text: bytes) -> Any:
    """What msgspec refuses: bad UTF-8, NaN, giant numbers (as text), half surrogates. None where it is no JSON."""
    try:
        found = json.loads(
            text.decode("utf-8", "replace"), parse_constant=lambda _: None, parse_int=_number, parse_float=_number
        )
        return json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _number(digits: str) -> int | float | str:
    if len(digits) > 18:  # nineteen digits may not fit 64 bits, and any more stalls int()
        return digits
    return int(digits) if digits.lstrip("-").isdigit() else _finite(float(digits), digits)


def _finite(number: float, digits: str) -> float | str:
    return number if math.isfinite(number) else digits


def scalar(found: Any) -> str | bool | None:
    """Text or a flag, whatever stands in the place of one; None for what is neither."""
    if isinstance(found, bool):
        return found
    if isinstance(found, int | float):
        return str(found)
    return found.encode("utf-8", "replace").decode() if isinstance(found, str) else None
