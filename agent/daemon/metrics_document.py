"""What only the document of the last scan of the whole estate says: coverage, gaps, stacks, exceptions.

Hides the document's shape, of which a tenth is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from agent.daemon.metrics_catalogue import Samples

EXPIRING = timedelta(days=14)
GAP_KINDS = ("trail", "declared", "live", "tickets", "identities", "calendars", "replies", "unproven")
"""The trail; Terraform's side; the cloud's; what verdicts rest on, as the scope of the gap names it; and places of the
trail of which nothing ever came, which is no gap of the audit log by itself."""
_RESTS_ON = GAP_KINDS[3:-1]


class _Gap(msgspec.Struct):
    scope: str
    why: str
    cause: str = ""


class _Place(msgspec.Struct):
    account: str
    region: str


class _Trail(msgspec.Struct):
    gaps: list[_Gap] = []
    places: list[_Place] = []


class _Coverage(msgspec.Struct):
    declared: int = 0
    compared: int = 0
    live: int = 0
    limits: list[msgspec.Raw] = []
    gaps: list[_Gap] = []
    trail: _Trail = msgspec.field(default_factory=_Trail)


class _Finding(msgspec.Struct):
    stack: str = ""
    severity: str | None = None


class _Emergency(msgspec.Struct):
    case: str
    state: str
    deadline: datetime


class _Entry(msgspec.Struct):
    kind: str
    until: datetime


class _Tolerated(msgspec.Struct):
    entries: list[_Entry] = []


class _Policy(msgspec.Struct):
    waiting: list[str] = []


class _Document(msgspec.Struct):
    coverage: _Coverage = msgspec.field(default_factory=_Coverage)
    findings: list[_Finding] = []
    emergencies: list[_Emergency] = []
    tolerated: _Tolerated = msgspec.field(default_factory=_Tolerated)
    policy: _Policy = msgspec.field(default_factory=_Policy)


_DECODER = msgspec.json.Decoder(_Document)


@dataclass(frozen=True, slots=True)
class Read:
    """What a document said."""

    samples: Samples
    emergencies: Mapping[str, tuple[str, datetime]]
    """Key of its case → state and deadline, of those that are not over."""
    places: frozenset[tuple[str, str]]
    """Account and region of each place that the trail was read of."""
    until: tuple[tuple[str, datetime], ...]
    """Kind and end of everything that may differ for now."""


def of_document(text: bytes) -> Read:
    """Reads a document. Raises msgspec.ValidationError for one of another shape."""
    document = _DECODER.decode(text)
    coverage = document.coverage
    kinds = _gap_kinds(coverage)
    stacks = Counter((one.stack, one.severity) for one in document.findings if one.severity)
    samples: dict[str, dict[tuple[str, ...], float]] = {
        "driftwarden_resources": {(kind,): float(getattr(coverage, kind)) for kind in ("declared", "compared", "live")},
        "driftwarden_gaps": {(kind,): float(kinds[kind]) for kind in GAP_KINDS},
        "driftwarden_limits": {(): float(len(coverage.limits))},
        "driftwarden_stack_findings": {(stack, severity or ""): float(n) for (stack, severity), n in stacks.items()},
        "driftwarden_policy_waiting": {(): float(len(document.policy.waiting))},
    }
    if coverage.declared:
        samples["driftwarden_coverage_ratio"] = {(): coverage.compared / coverage.declared}
    return Read(
        samples,
        {one.case: (one.state, one.deadline) for one in document.emergencies if one.state != "accepted"},
        frozenset((one.account, one.region) for one in coverage.trail.places),
        tuple((one.kind, one.until) for one in document.tolerated.entries),
    )


def exceptions(until: Iterable[tuple[str, datetime]], now: datetime) -> Samples:
    """How many of what may differ are in force, end soon, or have ended since."""
    counts = Counter((kind, _state(end, now)) for kind, end in until)
    pairs = [(kind, state) for kind in ("exception", "baseline") for state in ("in-force", "expiring", "expired")]
    return {"driftwarden_exceptions": {pair: float(counts[pair]) for pair in pairs}}


def _gap_kinds(coverage: _Coverage) -> Counter[str]:
    """Where something was missing. Gaps of the trail stand among all gaps too."""
    trail = {(gap.scope, gap.why): gap.cause for gap in coverage.trail.gaps}
    found: Counter[str] = Counter()
    for gap in coverage.gaps:
        parts = gap.scope.split("/")
        type_ = parts[2] if len(parts) > 2 else "*"
        if (gap.scope, gap.why) in trail:
            found["unproven" if trail[gap.scope, gap.why] == "unproven" else "trail"] += 1
        elif type_ in _RESTS_ON:
            found[type_] += 1
        else:
            found["declared" if gap.why.startswith("stack ") else "live"] += 1
    return found


def _state(until: datetime, at: datetime) -> str:
    if until <= at:
        return "expired"
    return "expiring" if until - at <= EXPIRING else "in-force"
