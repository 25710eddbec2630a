"""What may stand in a label: few different values, whatever the trail or a state says.

Hides nothing but the limits; each label that comes from outside goes through here.
"""

from __future__ import annotations

import re

_ACCOUNT = re.compile(r"[0-9]{12}")
OTHER = "other"


def account_label(account: str) -> str:
    """An account's id; `other` for what is none: a log file may name anything."""
    return account if _ACCOUNT.fullmatch(account) else OTHER
