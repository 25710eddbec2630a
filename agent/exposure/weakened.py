"""Whether a protection (encryption, logging, retention) was turned off or reduced.

Hides which attribute of which type is a protection, and in which direction it weakens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.exposure.turns import Signal, Turn, leaves, word
from agent.model import Unknown


@dataclass(frozen=True, slots=True)
class _Protection:
    """What an attribute protects, and how strongly at a given value (0: not at all)."""

    of: str
    strength: Callable[[str], float]
    most: float


def _on(of: str) -> _Protection:
    return _Protection(of, lambda value: float(value == "true"), 1)


def _set(of: str) -> _Protection:
    return _Protection(of, lambda value: float(value != ""), 1)


def _scale(of: str, *weakest_first: str) -> _Protection:
    order = ("", *weakest_first)
    return _Protection(of, lambda value: order.index(value) if value in order else 0, len(order) - 1)


def _amount(of: str, *, zero: float = 0) -> _Protection:
    return _Protection(of, lambda value: _number(value) or zero, math.inf)


def _number(value: str) -> float:
    try:
        return float(value or 0)
    except ValueError:
        return 0


_PROTECTIONS: Mapping[str, _Protection] = {
    "storage_encrypted": _on("encryption"),
    "encrypted": _on("encryption"),
    "enable_key_rotation": _on("encryption"),
    "is_enabled": _on("encryption"),
    "sqs_managed_sse_enabled": _on("encryption"),
    "server_side_encryption.enabled": _on("encryption"),
    "*.sse_algorithm": _scale("encryption", "aes256", "aws:kms", "aws:kms:dsse"),
    "*.kms_master_key_id": _set("encryption"),
    "*.kms_key_id": _set("encryption"),
    "*.kms_key_arn": _set("encryption"),
    "enable_logging": _on("logging"),
    "enable_log_file_validation": _on("logging"),
    "is_multi_region_trail": _on("logging"),
    "include_global_service_events": _on("logging"),
    "cloud_watch_logs_group_arn": _set("logging"),
    "enabled_cloudwatch_logs_exports": _set("logging"),
    # A log group's 0 keeps events for ever.
    "retention_in_days": _amount("logging", zero=math.inf),
    "backup_retention_period": _amount("retention"),
    "message_retention_seconds": _amount("retention"),
    "deletion_window_in_days": _amount("retention"),
    "point_in_time_recovery.enabled": _on("retention"),
    "deletion_protection": _on("retention"),
    "deletion_protection_enabled": _on("retention"),
    "versioning_configuration.status": _scale("retention", "enabled"),
}
"""Attribute path without list positions, or `*.` and its last part."""

_TYPES: Mapping[str, str] = {
    "aws_s3_bucket_server_side_encryption_configuration": "encryption",
    "aws_kms_key": "encryption",
    "aws_cloudtrail": "logging",
    "aws_cloudwatch_log_group": "logging",
    "aws_flow_log": "logging",
    "aws_s3_bucket_logging": "logging",
    "aws_s3_bucket_versioning": "retention",
}
"""Types whose loss is a loss of protection."""

_CALLS: Mapping[str, str] = {
    "cloudtrail:StopLogging": "logging",
    "cloudtrail:DeleteTrail": "logging",
    "ec2:DeleteFlowLogs": "logging",
    "kms:DisableKey": "encryption",
    "kms:DisableKeyRotation": "encryption",
    "kms:ScheduleKeyDeletion": "encryption",
    "s3:DeleteBucketEncryption": "encryption",
}
"""Calls that turn protection off, whatever attribute shows it."""


def may_weaken(attribute: str) -> bool:
    """Whether the plain value of this attribute is a protection. One inside a value may be, whatever holds it."""
    return _protection(attribute) is not None


def stopped(action: str) -> Signal | None:
    """What the call by this name turned off, if anything."""
    return Signal((_CALLS[action],), action) if action in _CALLS else None


def weakened(turn: Turn) -> tuple[Signal, ...]:
    """What the turn turned off or reduced, `Unknown` where it may have; nothing where it did not."""
    if turn.attribute == "":
        lost = turn.act == "delete" and turn.type in _TYPES
        return (Signal((_TYPES[turn.type],), f"{turn.type} is gone"),) if lost else ()
    if turn.act == "create":
        return ()  # what is new has not become weaker
    before, after = leaves(turn.before), leaves(turn.after)
    if isinstance(turn.before, Unknown):
        before = dict.fromkeys(after, turn.before)
    if isinstance(turn.after, Unknown):
        after = dict.fromkeys(before, turn.after)
    reduced = (_reduced(turn.attribute, p, before.get(p), after.get(p)) for p in dict.fromkeys((*before, *after)))
    return tuple(signal for signal in reduced if signal is not None)


def _protection(path: str) -> _Protection | None:
    return _PROTECTIONS.get(path) or _PROTECTIONS.get("*." + path.rsplit(".", 1)[-1])


def _reduced(attribute: str, inner: str, was: Any, now: Any) -> Signal | None:
    path = f"{attribute}.{inner}" if inner else attribute
    protection = _protection(path)
    if protection is None:
        return None
    if isinstance(now, Unknown):
        return Signal(Unknown(f"{path} as the call set it is not on record"))
    strength = protection.strength(word(now))
    if isinstance(was, Unknown) and 0 < strength < protection.most:
        return Signal(was)
    before = protection.most if isinstance(was, Unknown) else protection.strength(word(was))
    if strength >= before:
        return None
    said = [word(value) or "not set" for value in ("an earlier value" if isinstance(was, Unknown) else was, now)]
    return Signal((protection.of,), f"{path} went from {said[0]} to {said[1]}")
