"""Ticket references somebody left on a call: claims, until the ticket confirms them.

Hides the places to look in, in their order of trust, and what only looks like a reference.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent.model import Claim, Identity
from agent.trail.who import Who

PATTERNS: tuple[re.Pattern[str], ...] = (
    re.compile(r"\b[A-Z][A-Z0-9]{1,9}-\d{1,9}\b", re.ASCII),  # Jira and its likes
    re.compile(r"\bCHG\d{5,10}\b", re.ASCII),  # ServiceNow change requests
)
"""What a reference looks like, where the configuration does not say."""

_NO_TICKETS = re.compile(
    r"(?:UTF|SHA|MD|ISO|IEC|CVE|CWE|AES|RSA|DES|TLS|SSL|EAST|WEST|NORTH|SOUTH|CENTRAL|NORTHEAST|SOUTHEAST|NOTE|TODO|COVID"
    r"|GPT|HTTP|IPV|X86|ARM|SDK|CIS|PCI|NIST|SOC)-\d+"
)
"""Standards, algorithms, regions and the like that have the form of a reference."""

_TICKET_KEY = re.compile(
    r"ticket|change|jira|issue|incident|servicenow|workitem|^(?:cr|chg|rfc|cab|inc|pr)(?:id|no|nr|num|number|ref)?$"
)
_LONGEST = 1024  # characters looked at: CloudTrail cuts a user agent there, and a tag value ends at 256
_MOST = 20  # claims kept of one call
_INNER = (dict, list)
_DEEPEST = 6  # levels of a request looked into: EC2 nests its tags deepest, in 5


def claims(
    who: Who, caller: Identity, of_record: Sequence[Claim], patterns: Sequence[re.Pattern[str]] = PATTERNS
) -> tuple[Claim, ...]:
    """References of one call, the most trustworthy place first, each (reference, place) once.

    `of_record`: what `claims_of` found in the record itself.
    """
    found = {
        Claim(text, where): None
        for where, words in _places(who, caller)
        for text in _references(words[:_LONGEST], tuple(patterns))
    }
    return tuple({**found, **dict.fromkeys(of_record)})[:_MOST]


def claims_of(
    request: Mapping[str, Any], agent: str, patterns: Sequence[re.Pattern[str]] = PATTERNS
) -> tuple[Claim, ...]:
    """References in a record itself: in the tags of its request, and in its user agent."""
    found = {
        Claim(text, where): None
        for where, words in _own_places(request, agent)
        for text in _references(words[:_LONGEST], tuple(patterns))
    }
    return tuple(found)[:_MOST]


def _places(who: Who, caller: Identity) -> Iterator[tuple[str, str]]:
    for session in who.chain:
        for _, value in session.tags:
            yield "session tag", value
    yield "sourceIdentity", who.actor.source_identity
    yield "session name", caller.session
    for session in who.chain:
        yield "session name", session.name
    yield "OIDC subject", who.actor.subject


def _own_places(request: Mapping[str, Any], agent: str) -> Iterator[tuple[str, str]]:
    for name, value in _tags(request):
        if _names_a_ticket(name[:_LONGEST]):
            yield "resource tag", value
    yield "user agent", agent


@functools.lru_cache(maxsize=4096)  # the same user agents and session names come again and again
def _references(words: str, patterns: tuple[re.Pattern[str], ...]) -> tuple[str, ...]:
    found = (match[0] for pattern in patterns for match in pattern.finditer(words))
    return tuple(text for text in found if not _NO_TICKETS.fullmatch(text))


@functools.lru_cache(maxsize=4096)  # so do the names of tags
def _names_a_ticket(name: str) -> bool:
    return _TICKET_KEY.search(re.sub(r"[^a-z0-9]", "", name.lower())) is not None


def _tags(found: Any, inside: bool = False, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Tags anywhere below a name with `tag` in it: pairs of key and value in any spelling, or a mapping."""
    if depth > _DEEPEST:
        return
    if isinstance(found, list):
        for item in found:
            if isinstance(item, _INNER):
                yield from _tags(item, inside, depth + 1)
    if not isinstance(found, dict):
        return
    if inside:
        folded = {str(name).lower().removeprefix("tag"): value for name, value in found.items()}
        if isinstance(folded.get("key"), str) and isinstance(folded.get("value"), str):
            yield folded["key"], folded["value"]
            return
    for name, value in found.items():
        if isinstance(value, _INNER):
            yield from _tags(value, inside or "tag" in str(name).lower(), depth + 1)
        elif inside and isinstance(value, str):
            yield str(name), value
