"""Data sources whose answer follows from their arguments and from where the provider works: one file each, named as
Terraform names it; a new file is the registration.

Hides which data sources those are.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from agent.declared.language.values import Object, Value


@dataclass(frozen=True, slots=True)
class Here:
    """Where the provider configuration works; empty where unknown."""

    account: str = ""
    region: str = ""


_Read = Callable[[Object, Here], Mapping[str, Value]]


def read(type_: str, arguments: Object, here: Here) -> Mapping[str, Value] | None:
    """Every attribute of a data source; None where only Terraform can read it.

    `arguments` is its evaluated body: nested blocks are tuples of objects. What cannot be told is `Unknown`. Raises
    `EvaluationError` for arguments the provider would refuse.
    """
    reader = _reader(type_)
    return reader(arguments, here) if reader else None


@functools.cache
def _reader(type_: str) -> _Read | None:
    if type_ not in {module.name for module in pkgutil.iter_modules(__path__)}:
        return None
    return cast(_Read, importlib.import_module(f"{__name__}.{type_}").read)
