"""Statements: what people sign, as one line of canonical JSON, and read back from whoever sends it.

Hides the spelling that a signature is over (keys sorted, ASCII, no spaces), and every bound on what strangers send.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from agent.clean import clean
from agent.declare.speakers import Refused
from agent.signing import LONGEST_STATEMENT
from agent.store.ledger import canonical

MOST_ACCEPTED = 5_000
"""Things one statement may accept: a flood holds thousands of cases."""

_Line = Annotated[str, Meta(max_length=500)]
_Text = Annotated[str, Meta(max_length=20_000)]
_Names = Annotated[tuple[Annotated[str, Meta(max_length=2048)], ...], Meta(max_length=100)]
_Moment = Annotated[datetime, Meta(tz=True)]


class _Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driftwarden"):
    """What every statement says besides its matter."""

    at: _Moment
    """When it was said, by the clock of whoever says it."""
    estate: _Line
    """The estate it is for: said of one, it is nothing to another."""
    nonce: Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
    """Makes two statements differ that are alike otherwise."""


class Opened(_Statement, frozen=True, tag="breakglass.open"):
    """A break-glass window is declared."""

    incident: _Line
    until: _Moment
    reason: _Text = ""
    actors: _Names = ()
    roles: _Names = ()
    accounts: _Names = ()
    environments: _Names = ()


class Documented(_Statement, frozen=True, tag="breakglass.document"):
    """An emergency is documented."""

    case: _Line
    """Key of its case, `BG-…`, or the reference of its ticket."""
    why: _Text
    incident: _Line
    done: _Text
    told: _Text
    way_back: Literal["revert", "codify"]
    outage: _Text = ""


class Reviewed(_Statement, frozen=True, tag="case.review"):
    """A case is reviewed."""

    case: _Line
    accepted: bool
    reason: _Text = ""
    post_implementation: bool = False


class Accepted(_Statement, frozen=True, tag="accept"):
    """One of two people accepts what must not be one person's."""

    what: Annotated[tuple[_Line, ...], Meta(max_length=MOST_ACCEPTED)]
    """`hold CASE`, `authority SHA256`, `restore SHA256`, `prune DATE`."""
    reason: _Text = ""


Statement = Opened | Documented | Reviewed | Accepted


def nonce() -> str:
    """A new one."""
    return secrets.token_hex(8)


def written(statement: Statement) -> bytes:
    """The bytes that are signed. Raises Refused for text that cannot be written down."""
    try:
        return canonical(json.loads(msgspec.json.encode(statement))).encode("ascii")
    except UnicodeEncodeError:
        raise Refused("a text holds bytes that are no characters") from None


def read(fields: Mapping[str, Any]) -> tuple[Statement, bytes]:
    """A statement out of its JSON object, and the bytes its signature must be over.

    Raises Refused for anything that is no statement of ours.
    """
    try:
        signed = canonical(dict(fields)).encode("ascii")
        statement = msgspec.convert(dict(fields), Statement)
    except (msgspec.ValidationError, TypeError, RecursionError, OverflowError) as error:
        raise Refused(f"no statement of driftwarden's: {clean(error, 300)}") from None
    if any(not 2000 <= moment.year < 3000 for moment in (statement.at, getattr(statement, "until", statement.at))):
        raise Refused("a statement is dated in another millennium")
    if len(signed) > LONGEST_STATEMENT:
        raise Refused(f"a statement has {len(signed):,} bytes, and {LONGEST_STATEMENT:,} is the most")
    return statement, signed


def id_of(statement: bytes, part: str = "") -> str:
    """Id of what a statement declares: the same wherever and however often it arrives. 32 hex digits."""
    return hashlib.blake2b(statement + b"\0" + part.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
