"""One identifier's spellings: as a call gives it, decoded, stripped of what a service adds, and the names in an ARN."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

_MASKS = ("HIDDEN_DUE_TO_SECURITY", "<sensitiveDataRemoved>", "Value hidden due to security", "***")


def usable(name: str | int) -> bool:
    """Whether it can name anything."""
    if isinstance(name, str):
        return name != "" and not is_masked(name)
    return not isinstance(name, bool)


def is_masked(found: Any) -> bool:
    """CloudTrail's own masks: a phrase, or three stars and more; one star is a policy's "everybody"."""
    return isinstance(found, str) and found.startswith(_MASKS) and (found[0] != "*" or not found.strip("*"))


def forms(name: str, account: str) -> tuple[str, ...]:
    """The identifier as the call gives it, then the other spellings a resource of `account` may be known by."""
    if ":" not in name and "%" not in name and not name.startswith("/"):
        return (name,)
    return tuple(dict.fromkeys(_forms(name, account)))


def _forms(name: str, account: str) -> Iterator[str]:
    yield name
    plain = unquote(name) if "%" in name else name
    plain = plain.removeprefix("/hostedzone/").removesuffix(":*")
    if plain:
        yield plain
    if plain.startswith("arn:"):
        yield from _names_in(plain, account)


def _names_in(arn: str, account: str) -> Iterator[str]:
    """The names an ARN of our own account holds: another account's resource may bear the same name as ours."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[4] not in ("", account):
        return
    kind, colon, rest = parts[5].partition(":")
    if colon and "/" not in kind:
        # `function:name:alias`, `log-group:/a/b`, `secret:name-AbCdEf`, `db:name`
        yield rest.partition(":")[0]
        return
    _, slash, path = parts[5].partition("/")
    if slash:
        # `role/path/name`, `table/name`, `parameter/a/b`, whose name begins with the slash
        yield from (path, path.rsplit("/", 1)[-1], f"/{path}")
    else:
        yield parts[5]
