"""How CloudTrail writes parameters and answers, from botocore's member names; the differences by service are data.

A name starts with a small letter (`dBInstanceIdentifier`), an instant is printed as Java prints it, secrets are
hidden or left out. Where a service differs, the real records it was seen in are named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"


@dataclass(frozen=True, slots=True)
class Habits:
    """What one service's records do otherwise."""

    comma: bool = False
    """`Jul 10, 2023, 12:09:47 PM` instead of `Jul 10, 2023 12:09:47 PM`: an older or newer Java."""
    omit: frozenset[str] = frozenset()
    """Members never shown."""
    empty: frozenset[str] = frozenset()
    """Members shown as {} whatever they hold."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Member → key, where it is not the member with a small first letter."""
    only: Mapping[str, str] = field(default_factory=dict)
    """Operation → the one member its responseElements show, as `arn`."""
    unwrap: bool = False
    """An answer that is one structure is shown without its name."""
    api_version: str = ""
    """The record's `apiVersion`."""


_PLAIN = Habits()

HABITS: Mapping[str, Habits] = {
    "cloudfront": Habits(api_version="2020_05_31"),
    "dynamodb": Habits(api_version="2012-08-10"),
    "elasticache": Habits(unwrap=True),
    "elasticloadbalancing": Habits(api_version="2015-12-01"),
    "iam": Habits(
        omit=frozenset(
            (
                "Password",
                "OldPassword",
                "NewPassword",
                "SecretAccessKey",
                "ServicePassword",
                "ServiceCredentialSecret",
                "PrivateKey",
                "AuthenticationCode1",
                "AuthenticationCode2",
            )
        )
    ),
    "kms": Habits(comma=True, names={"AWSAccountId": "AWSAccountId"}, omit=frozenset(("Plaintext",))),
    "lambda": Habits(omit=frozenset(("ZipFile",)), empty=frozenset(("Environment",))),
    "logs": Habits(api_version="20140328"),
    "rds": Habits(unwrap=True),
    "redshift": Habits(unwrap=True),
    "route53": Habits(api_version="2013-04-01"),
    "secretsmanager": Habits(
        comma=True,
        omit=frozenset(("SecretString", "SecretBinary")),
        only=dict.fromkeys(("CreateSecret", "PutSecretValue", "UpdateSecret"), "ARN"),
    ),
    "sts": Habits(comma=True, omit=frozenset(("SecretAccessKey", "WebIdentityToken", "SAMLAssertion", "TokenCode"))),
}
"""By eventSource without `.amazonaws.com`. STS, KMS and Secrets Manager print a comma after the year, IAM, RDS and SSM
do not; CreateSecret answers `{"arn": …}` and nothing else: all seen in the datasets the tests compare with."""


def habits(source: str) -> Habits:
    """The habits of a service; `source`: eventSource without `.amazonaws.com`."""
    return HABITS.get(source, _PLAIN)


def request_parameters(values: Mapping[str, Any], shape: Shape | None, own: Habits) -> dict[str, Any] | None:
    """requestParameters; None where the call has none."""
    spelled = _structure(values, shape, own) if isinstance(shape, StructureShape) else {}
    return spelled or None


def response_elements(name: str, values: Mapping[str, Any], shape: Shape | None, own: Habits) -> dict[str, Any] | None:
    """responseElements of a successful write; None where the operation answers nothing."""
    if name in own.only:
        return {own.only[name].lower(): values.get(own.only[name])}
    if not isinstance(shape, StructureShape):
        return None
    spelled = _structure(values, shape, own)
    if own.unwrap and len(shape.members) == 1 and len(spelled) == 1:
        (inner,) = spelled.values()
        return inner if isinstance(inner, dict) else spelled
    return spelled or None


def key(member: str) -> str:
    """A member's key: `DBInstanceIdentifier` → `dBInstanceIdentifier`, `ARN` → `aRN`."""
    return member[:1].lower() + member[1:]


def instant(moment: datetime, *, comma: bool) -> str:
    """`Jul 10, 2023 12:09:47 PM`, in UTC, with a comma after the year where the service prints one."""
    hour = moment.hour % 12 or 12
    half = "AM" if moment.hour < 12 else "PM"
    day = f"{_MONTHS[moment.month - 1]} {moment.day}, {moment.year}{',' if comma else ''}"
    return f"{day} {hour}:{moment:%M:%S} {half}"


# strftime's %b follows the machine's locale; CloudTrail's months are English.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _structure(values: Mapping[str, Any], shape: StructureShape, own: Habits) -> dict[str, Any]:
    spelled: dict[str, Any] = {}
    for name, value in values.items():
        member = shape.members.get(name)
        if member is None or value is None or name in own.omit or _is_unseen(member):
            continue
        spelled[own.names.get(name, key(name))] = {} if name in own.empty else _value(value, member, own)
    return spelled


def _value(value: Any, shape: Shape, own: Habits) -> Any:
    if shape.metadata.get("sensitive"):
        return HIDDEN
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        return _structure(value, shape, own)
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_value(item, shape.member, own) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {name: _value(item, shape.value, own) for name, item in value.items()}
    if isinstance(value, datetime):
        return instant(value, comma=own.comma)
    return value


def _is_unseen(shape: Shape) -> bool:
    """Binary content and the HTTP status: CloudTrail leaves them out."""
    is_content = shape.type_name == "blob" and not shape.metadata.get("sensitive")
    return is_content or shape.serialization.get("location") == "statusCode"
