"""Data sources that can be read without asking AWS: one module per type, named as the type; a new file is the
registration.

Hides which types those are. A module has `read(arguments, here)`, which gives what Terraform would have in state after
the data source was read, for all attributes that follow from the arguments and from where the provider stands; an
attribute nobody can tell from these is `Unknown`.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agent.declared.language.types import STRING, MapOf
from agent.declared.language.values import Object, Unknown, Value

_UNTOLD = Unknown("the provider's default tags", MapOf(STRING))


@dataclass(frozen=True, slots=True)
class Here:
    """Where a provider configuration stands; an empty string is what is not known."""

    account: str = ""
    """Twelve digits."""
    region: str = ""
    partition: str = ""
    """As in ARNs; where empty, that of the region."""
    default_tags: Value = _UNTOLD
    """Of the provider's `default_tags` block, as `map(string)`."""


Reader = Callable[[Object, Here], Mapping[str, Value]]
"""From the evaluated data block: an argument that was not set is missing or null, nested blocks are a list or tuple of
objects. Raises `EvaluationError` for arguments the provider refuses."""


def read(type_: str, arguments: Object, here: Here) -> Mapping[str, Value] | None:
    """Attributes of a data source, arguments aside; None for a type that only AWS can answer."""
    return _reader(type_)(arguments, here) if type_ in types() else None


def known(text: str, what: str) -> Value:
    """A string, or `Unknown` where it is empty; `what` says which one cannot be told."""
    return text or Unknown(what, STRING)


@functools.cache
def types() -> frozenset[str]:
    """The types that have a module here."""
    return frozenset(module.name for module in pkgutil.iter_modules(__path__))


@functools.cache
def _reader(type_: str) -> Reader:
    reader: Reader = importlib.import_module(f"{__name__}.{type_}").read
    return reader
