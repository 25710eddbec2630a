"""Names of things, one side's view of them, and the differences between the sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

GLOBAL = "global"
"""Region of what has none: IAM, Route 53, CloudFront, Organizations; S3 buckets and their sub-resources."""

DriftKind = Literal["changed", "missing", "unmanaged", "unapplied"]
Basis = Literal["configured", "unset"]
DriftNote = Literal["", "absorbed", "unlisted"]
"""`absorbed`: an apply for something else wrote a hand change into state. `unlisted`: in no configured stack, of an
estate whose stacks are not said to be all."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value we could not determine. Equal to nothing that is known, never drift, never a default."""

    why: str


@dataclass(frozen=True, slots=True)
class Secret:
    """A sensitive value, as the keyed hash its reader made of it: equal or not is visible, the value is not."""

    digest: str
    """HMAC-SHA-256 under the install key, hex."""
    older: tuple[str, ...] = field(default=(), compare=False)
    """The same under the install keys before it, newest first, where its reader has them. Not kept."""

    def __str__(self) -> str:
        return f"(sensitive, {self.digest[:8]})"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Names one resource on every side."""

    account: str
    region: str
    type: str
    """The Terraform resource type, for example `aws_sqs_queue`."""
    id: str
    """The natural identity its spec computes from either side, never a synthetic Terraform id."""

    def __str__(self) -> str:
        return f"{self.account}/{self.region}/{self.type}/{self.id}"


@dataclass(frozen=True, slots=True)
class Scope:
    """Account × region × type × id × attribute path; each a value or a shell-style wildcard."""

    account: str = "*"
    region: str = "*"
    type: str = "*"
    id: str = "*"
    path: str = "*"

    def covers(self, key: Key, path: str = "") -> bool:
        """Whether the scope includes this attribute of this resource (`path` empty: the resource as a whole)."""
        pairs = (
            (key.account, self.account),
            (key.region, self.region),
            (key.type, self.type),
            (key.id, self.id),
        )
        # "*" first: most scopes are mostly wildcards, and fnmatch costs a regular expression.
        return all(want in ("*", have) or fnmatchcase(have, want) for have, want in pairs) and (
            self.path == "*" or fnmatchcase(path, self.path)
        )

    def __str__(self) -> str:
        parts = (self.account, self.region, self.type, self.id)
        return "/".join(parts) + ("" if self.path == "*" else f"#{self.path}")


@dataclass(frozen=True, slots=True)
class Source:
    """Where in the code something stands: path as configured, line from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Resource:
    """One side's view of one resource, in Terraform's attribute names."""

    key: Key
    attributes: Mapping[str, Any]
    """Top-level attribute name → JSON-shaped value, which may hold `Unknown` and `Secret` anywhere."""
    identifiers: tuple[str, ...] = ()
    """Every name an API call may know it by: id, ARN, URL, name."""
    address: str = ""
    """Terraform address; declared side only. For a part written inline, the address of its parent."""
    stack: str = ""
    source: Source | None = None
    owner: str = ""
    configured: frozenset[str] | None = None
    """Attribute and block names the code sets; None where no code was found for the address."""
    ignore_changes: tuple[str, ...] = ()
    """Paths of `lifecycle.ignore_changes`; `("all",)` for all of them."""
    parent: Key | None = None
    """For a part (a security group rule, a policy attachment): the resource it belongs to."""
    attribute: str = ""
    """For a part: the attribute of the parent it shows up in, for example `ingress`."""
    note: str = ""
    """Why an undeclared live resource is no drift (AWS provides it, it equals the service default); else empty."""
    unapplied: Mapping[str, Any] = field(default_factory=dict)
    """Compared attribute → configured value, sealed as any other, where it differs from the recorded one in
    `attributes`: merged and not applied. What is not wholly known is left out."""
    recorded_parts: tuple[Key, ...] = ()
    """Parts that state records in an attribute the code leaves out: a refresh found them, nobody declares them."""


GapCause = Literal[
    "",
    "stopped",
    "narrowed",
    "tampered",
    "undelivered",
    "unproven",
    "skewed",
    "unreadable",
    "poison",
    "refused",
    "refused-widely",
]
"""`stopped`: logging was stopped or the trail deleted. `narrowed`: it leaves something out. `tampered`: a digest proves
that log files are missing or altered. `undelivered`: nothing came where something should have. `unproven`: whether
anything is missing is not known, and no finding by itself. `skewed`: times that cannot be. `unreadable`: came, and
could not be decoded. `poison`: messages of a queue hold no event. `refused`, `refused-widely`: no gap, a burst of
refused calls; widely: by root, of many services, or very many. Empty: not said."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Something this run should have read and could not. Nothing inside it is missing, fixed or unmanaged."""

    scope: Scope
    why: str
    resources: int = 0
    """How many known resources it hides, where that is known."""
    cause: GapCause = ""
    """Of a gap in the trail: what it tells of."""
    times: int = 1
    """How many of its kind it stands for."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Something we never read (no spec, attribute not covered, secret). Does not make a run incomplete."""

    scope: Scope
    why: str
    resources: int = 0
    uncompared: bool = False
    """Nothing of these resources is compared with what is there."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference between what is declared and what is."""

    key: Key
    """The resource it is reported on: for an added part of a declared parent, the parent."""
    kind: DriftKind
    attribute: str = ""
    """Attribute path; empty for a whole resource."""
    declared: Any = None
    """What it should be; of `unapplied`, the configured value."""
    live: Any = None
    """What it is; of `unapplied`, the recorded value."""
    basis: Basis = "configured"
    address: str = ""
    stack: str = ""
    source: Source | None = None
    owner: str = ""
    part: Key | None = None
    """The part of `key` that differs, where it has a key of its own."""
    detail: tuple[str, ...] = ()
    """Differences inside a free-form JSON value, one line each."""
    note: DriftNote = ""
