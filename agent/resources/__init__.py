"""What a resource type is: how to list, identify, read and compare it, and which CloudTrail events change it.

One file per type, named as Terraform names it, holding one `SPEC`. A new file *is* the registration: `load()` finds
it. A spec is data; the reader (`agent/live/aws.py`), the comparer and the trail interpret it. Where a value must be
reshaped, a small pure function stands in the spec's own file.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import jmespath

from agent.model import Act

Item = Mapping[str, Any]
"""One entry of a list call's answer, with each detail call's answer under its `into` name."""
Attributes = Mapping[str, Any]
"""Terraform attribute name → value."""
Path = str | Callable[[Mapping[str, Any]], Any]
"""A JMESPath expression, or a pure function for what JMESPath cannot say."""

Kind = Literal["text", "number", "bool", "set", "list", "map", "policy", "json", "tags"]
"""How two values are compared: `set` ignores order; `policy` is an IAM policy document; `json` is free-form JSON as a
string or a value; `tags` ignores `aws:` keys. null, "", [] and {} are equal to each other in all of them."""
Topic = Literal["exposure", "identity", "encryption", "logging", "network", "data", "compute", "metadata"]
"""What a difference is about; rules ask for it."""

_GLOBAL = {
    "account": "alternate_contact",
    "budgets": "budget",
    "cloudfront": (
        "cache_policy distribution function key_group monitoring_subscription origin_access_control "
        "origin_access_identity origin_request_policy public_key response_headers_policy"
    ),
    "globalaccelerator": "accelerator endpoint_group listener",
    "iam": (
        "access_key account_alias account_password_policy group group_policy group_policy_attachment "
        "instance_profile openid_connect_provider policy role role_policy role_policy_attachment "
        "saml_provider server_certificate service_specific_credential signing_certificate user "
        "user_group_membership user_login_profile user_policy user_policy_attachment user_ssh_key "
        "virtual_mfa_device"
    ),
    "organizations": (
        "account delegated_administrator organization organizational_unit policy policy_attachment resource_policy"
    ),
    "route53": (
        "health_check hosted_zone_dnssec key_signing_key query_log record vpc_association_authorization zone "
        "zone_association"
    ),
    "s3": (
        "account_public_access_block bucket bucket_accelerate_configuration bucket_acl "
        "bucket_analytics_configuration bucket_cors_configuration bucket_intelligent_tiering_configuration "
        "bucket_inventory bucket_lifecycle_configuration bucket_logging bucket_metric bucket_notification "
        "bucket_object_lock_configuration bucket_ownership_controls bucket_policy bucket_public_access_block "
        "bucket_replication_configuration bucket_request_payment_configuration "
        "bucket_server_side_encryption_configuration bucket_versioning bucket_website_configuration object"
    ),
    "shield": "protection",
}
GLOBAL_TYPES = frozenset(f"aws_{service}_{name}" for service, names in _GLOBAL.items() for name in names.split())
"""Types without a region, with a spec and without one (`agent/named`): their keys have the region `GLOBAL`."""

WEIRD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError)
"""What a spec's function raises on a state it was not made for; a generator turns StopIteration into RuntimeError."""


@dataclass(frozen=True, slots=True)
class Call:
    """One boto3 operation.

    Pagination is the reader's business. Two specs of one service that name the same call share its answer.
    """

    operation: str
    """boto3's snake_case name."""
    items: str = "@"
    """JMESPath into the answer: the entries (listing) or the part to keep (detail)."""
    args: Mapping[str, Any] = field(default_factory=dict)
    """Constant arguments."""
    bind: Mapping[str, str] = field(default_factory=dict)
    """Argument → JMESPath on the listed item; detail calls only. One that finds null: the call does not apply, `into`
    becomes None. A detail call that binds nothing is made once for all items."""
    batch: int = 0
    """Items that share one detail call: its only bound argument is then a list of at most so many. 0: a call each."""
    match: str = ""
    """JMESPath on an entry of a batch's answer: what was bound for its item. An item without an entry is gone."""
    into: str = ""
    """Field of the item that receives the answer; detail calls only."""
    gone: tuple[str, ...] = ()
    """Error codes that say the resource has vanished since it was listed: the item is dropped."""
    absent: tuple[str, ...] = ()
    """Error codes that say the aspect is not configured: `into` becomes None."""
    service: str = ""
    """boto3 service name where it differs from the spec's."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute we compare: Terraform's name, where it stands in the item, how it compares."""

    name: str
    path: Path
    kind: Kind = "text"
    topic: Topic = "metadata"
    default: Any = None
    """The value that means the same as not set (Terraform's and AWS's default)."""
    secret: bool = False
    """Hashed by both readers; maps are hashed value by value."""


@dataclass(frozen=True, slots=True)
class Parent:
    """A type that is a part of another: a rule of a group, an attachment of a role, a setting of a bucket."""

    type: str
    attribute: str | Callable[[Attributes], str]
    """The parent's attribute (or block) the part shows up in; a function of the part's where that differs by part."""
    identity: tuple[str, ...]
    """This type's Terraform attributes whose values, joined with `|`, are the parent's identity."""

    def place(self, part: Attributes) -> str:
        """The parent's attribute that a part with these attributes shows up in."""
        return self.attribute if isinstance(self.attribute, str) else self.attribute(part)


@dataclass(frozen=True, slots=True)
class Inline:
    """Parts that the parent's own attribute may declare: `ingress` blocks, `inline_policy`, `managed_policy_arns`."""

    attribute: str
    type: str
    """Type of the parts."""
    parts: Callable[[Attributes], Iterable[Attributes]]
    """The parent's recorded attributes → each part's Terraform attributes (in the part type's names)."""


@dataclass(frozen=True, slots=True)
class Event:
    """A CloudTrail event that changes this type."""

    name: str
    """eventName as the record has it, version suffix (`20150331v2`, `2020_05_31`) stripped."""
    ids: Path
    """Over the whole record → the identifier, or a list of them (several resources)."""
    act: Act = "update"
    sets: Mapping[str, Path] = field(default_factory=dict)
    """Attribute → where in the record the value asked for stands (`""`: the call may set it, the record does not show
    the value). An expression that gives null means this call did not set the attribute."""
    source: str = ""
    """eventSource where it differs from the spec's."""
    when: str = ""
    """JMESPath over the record that must be true for the event to count; empty: always."""


Ask = Callable[..., Any]
"""`ask(call, **arguments)` → the call's answer; None where it says that there is no such thing."""


@dataclass(frozen=True, slots=True)
class One:
    """How to read a few resources of a type by their names, at a cost that does not grow with the account.

    Only where it is exact: what is not found is gone. Types that share one share its answer.
    """

    calls: tuple[Call, ...]
    """Every call that `read` asks."""
    named: Callable[[str], str | None]
    """Any name that a call may use → what to ask by. Empty: another spelling stands beside it. None: all of the type
    must be listed, to find what is meant."""
    read: Callable[[Ask, Sequence[str]], Iterable[Item]]
    """The entries of the listing that these are, as the listing would show them."""
    details: tuple[Call, ...] | None = None
    """In place of the spec's, which may ask for the whole account; None: the spec's."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One resource type, as data."""

    service: str
    """boto3 service name."""
    listing: Call
    identity: tuple[str, ...]
    """Terraform attributes whose values, joined with `|`, are the natural identity on either side."""
    attributes: tuple[Attribute, ...]
    details: tuple[Call, ...] = ()
    one: One | None = None
    identifiers: tuple[str, ...] = ("id", "arn", "name")
    """Terraform attributes whose values an API call may name the resource by."""
    names: Mapping[str, Path] = field(default_factory=dict)
    """Identity and identifier attributes that are not compared: Terraform name → path in the item. An identity that
    comes out as "" says that the item is no resource (a key that only waits for its deletion)."""
    is_global: bool = False
    event_source: str = ""
    """`sqs.amazonaws.com`; empty: `<service>.amazonaws.com`."""
    events: tuple[Event, ...] = ()
    parent: Parent | None = None
    inline: tuple[Inline, ...] = ()
    expand: Callable[[Item], Iterable[Item]] | None = None
    """Live: one listed item → several (a group → its rules). Applied before details."""
    split: Callable[[Attributes], Iterable[Attributes]] | None = None
    """Declared: one recorded instance → several facts (a rule resource with three CIDR blocks → three rules)."""
    same_as: str = ""
    """Another type that is the same cloud fact: keys carry that type, and only that type is listed and compared."""
    provided: Callable[[Item], str] | None = None
    """Reason why AWS or another service owns this item (default VPC, service-linked role), else "": never unmanaged."""
    default: Callable[[Attributes], bool] | None = None
    """Whether a part equals what AWS sets by itself: then it is not unmanaged."""


OWN_TAGS = "OwnTags"
"""Field of an item that was asked for its own tags, as `One.details` do: they are as they are now."""


def tags_of_all(service: str) -> Call:
    """One paged call for the tags of every resource of a service in the region, in place of a call for each.

    The index behind it lags behind the service by seconds to minutes: what it then tells wrongly is drift that no call
    explains, which is pending before it is anything else.
    https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
    """
    return Call(
        "get_resources",
        items="ResourceTagMappingList",
        args={"ResourceTypeFilters": [service], "ResourcesPerPage": 100},
        into="Tagged",
        service="resourcegroupstaggingapi",
    )


def tags_at(arn: Path) -> Path:
    """The item's tags in the answer of `tags_of_all`, by its ARN or the end of it; never tagged: not in it."""
    find = arn if callable(arn) else jmespath.compile(arn).search

    def tags(item: Item) -> Any:
        if OWN_TAGS in item:
            return item[OWN_TAGS]
        name = find(item)
        return next((entry["Tags"] for entry in item["Tagged"] or () if entry["ResourceARN"].endswith(name)), [])

    return tags


@functools.cache
def load() -> Mapping[str, Spec]:
    """All specs by Terraform type name, found by folder."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        found[module.name] = importlib.import_module(f"{__name__}.{module.name}").SPEC
    return found


def identity(names: tuple[str, ...], attributes: Attributes) -> str:
    """The natural identity of one resource, from Terraform-named attributes of either side."""
    return "|".join(_text(attributes.get(name)) for name in names)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
