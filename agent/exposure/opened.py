"""Whether something is newly open to everybody.

Hides the ways AWS says "everybody": address blocks, principals in policies, canned ACLs, switches.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from agent.exposure import grants
from agent.exposure.turns import Signal, Turn, texts, word
from agent.model import Unknown

_SWITCHES: Mapping[tuple[str, str], str] = {
    ("aws_db_instance", "publicly_accessible"): "true",
    ("aws_rds_cluster_instance", "publicly_accessible"): "true",
    ("aws_redshift_cluster", "publicly_accessible"): "true",
    ("aws_mq_broker", "publicly_accessible"): "true",
    ("aws_lb", "internal"): "false",
    ("aws_lambda_function_url", "authorization_type"): "none",
    ("aws_s3_bucket_public_access_block", "block_public_acls"): "false",
    ("aws_s3_bucket_public_access_block", "block_public_policy"): "false",
    ("aws_s3_bucket_public_access_block", "ignore_public_acls"): "false",
    ("aws_s3_bucket_public_access_block", "restrict_public_buckets"): "false",
}
"""Type, attribute → the value, in lower case, that opens the resource to everybody."""
_LISTS = ("acl", "access_control_policy", "grant", "public_access_cidrs")
"""Attributes that list who is admitted."""
_PUBLIC_ACLS = ("public-read", "public-read-write", "authenticated-read")
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl"""
_PUBLIC_GROUPS = ("/groups/global/AllUsers", "/groups/global/AuthenticatedUsers")


def may_open(type_: str, attribute: str) -> bool:
    """Whether the value of this attribute, if it is no policy, may open something."""
    return type_ == "aws_security_group_rule" or (type_, attribute) in _SWITCHES or attribute in _LISTS


def opened(turn: Turn) -> Signal | None:
    """`yes` where the turn opens something, `Unknown` where it may; None where it does not."""
    if turn.type == "aws_security_group_rule":
        return _rule(turn)
    if turn.attribute == "":
        gone = turn.type == "aws_s3_bucket_public_access_block" and turn.act == "delete"
        return Signal(("yes",), "the public access block is gone") if gone else None
    if turn.kind == "policy":
        return _policy(turn)
    if (turn.type, turn.attribute) in _SWITCHES:
        return _switch(turn, _SWITCHES[(turn.type, turn.attribute)])
    if turn.attribute in _LISTS:
        return _admitted(turn)
    return None


def _rule(turn: Turn) -> Signal | None:
    """A security group rule that came: open if it admits the world inward. Its content is its identity."""
    if turn.attribute != "" or turn.act != "create" or word(turn.after.get("type")) == "egress":
        return None
    rule = turn.after
    source, low, high = rule.get("source"), word(rule.get("from_port")), word(rule.get("to_port"))
    if isinstance(source, Unknown):
        return Signal(Unknown("which addresses the call admits is not on record"))
    if not _worldwide(source):
        return None
    ports = low if low == high else f"{low}-{high}"
    return Signal(("yes",), f"admits {source} to {word(rule.get('protocol'))} {ports}")


def _admitted(turn: Turn) -> Signal | None:
    if isinstance(turn.after, Unknown):
        return Signal(Unknown(f"{turn.attribute} as the call set it is not on record"))
    new = sorted(_everybody(turn.after) - _everybody(turn.before))
    return Signal(("yes",), f"{turn.attribute} admits {', '.join(new)}") if new else None


def _policy(turn: Turn) -> Signal | None:
    """Against an earlier document that is not on record, everything the later one allows is new."""
    new = grants.added(None if isinstance(turn.before, Unknown) else turn.before, turn.after)
    if isinstance(new, Unknown):
        return Signal(new)
    return Signal(("yes",), f"{turn.attribute} allows everybody") if any(map(grants.is_public, new)) else None


def _switch(turn: Turn, opening: str) -> Signal | None:
    if isinstance(turn.after, Unknown):
        return Signal(Unknown(f"{turn.attribute} as the call set it is not on record"))
    if word(turn.after) != opening or word(turn.before) == opening:
        return None
    return Signal(("yes",), f"{turn.attribute} is {opening}")


def _everybody(value: Any) -> set[str]:
    named = {text for text in texts(value) if text in _PUBLIC_ACLS or text.endswith(_PUBLIC_GROUPS)}
    return named | _worldwide(value)


def _worldwide(value: Any) -> set[str]:
    return {text for text in texts(value) if _is_world(text)}


def _is_world(text: str) -> bool:
    """An address block wider than IPv4 /8 or IPv6 /16: no one organisation holds more, and halves of all count too."""
    try:
        block = ip_network(text.strip(), strict=False)
    except ValueError:
        return False
    return block.prefixlen < (8 if block.version == 4 else 16)
