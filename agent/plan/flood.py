"""The nerve to stop: too much changed at once is not believed, and what is critical is never silenced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent.model import Case, Finding, Held
from agent.plan.sight import Sight

FLOOD_SHARE = 0.3
FLOOD_COUNT = 50
"""More than 30 % **and** at least 50 resources of one account newly in violation is not believed at once.
octoDNS stops at the same share: https://github.com/octodns/octodns, `Plan.MAX_SAFE_UPDATE_PCENT`."""

CRITICAL_TYPES = ("aws_iam_", "aws_cloudtrail", "aws_kms_")


def flood(
    cases: Sequence[Case], fresh: Sequence[Finding], sight: Sight, resources: Mapping[str, int]
) -> tuple[list[Case], list[Held]]:
    """The new cases that are believed, and those that are held. An emergency is believed."""
    new = Counter(finding.key.account for finding in fresh)
    flooded = {
        account: count
        for account, count in new.items()
        if count >= FLOOD_COUNT and count > FLOOD_SHARE * resources.get(account, 0)
    }
    if not flooded:
        return list(cases), []
    by_id = {finding.id: finding for finding in fresh}
    believed: list[Case] = []
    doubted: list[Case] = []
    for case in cases:
        # A case that is opened again has older findings too: they were believed before.
        members = [by_id[finding] for finding in case.findings if finding in by_id]
        part = all(finding.key.account in flooded for finding in members)
        sure = case.grant or any(critical(finding, sight) for finding in members)
        (doubted if part and not sure else believed).append(case)
    why = "; ".join(
        f"{count} of {resources.get(account, 0)} resources of account {account} newly in violation"
        for account, count in sorted(flooded.items())
    )
    return believed, [Held(tuple(replace(case, state="held") for case in doubted), why)] if doubted else []


def critical(finding: Finding, sight: Sight) -> bool:
    """What a flood must never silence: identity, exposure, the trail, encryption keys."""
    violations = sight.broken_by([finding])
    return finding.key.type.startswith(CRITICAL_TYPES) or any(v.severity == "critical" for v in violations)
