"""The nerve to stop: too much changed at once is not believed, and what is critical is never silenced.

Hides that a flood may trickle in: scans of a few resources each see little of it, and have to count together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from agent.model import Case, Finding, FindingId, Held, Key
from agent.plan.sight import Sight

FLOOD_SHARE = 0.3
FLOOD_COUNT = 50
"""More than 30 % **and** at least 50 resources of one account newly in violation is not believed at once.
octoDNS stops at the same share: https://github.com/octodns/octodns, `Plan.MAX_SAFE_UPDATE_PCENT`."""

TRICKLE = timedelta(hours=1)
"""How far back scans of a part of the estate count what others have found."""
AFTERMATH = timedelta(hours=24)
"""How long after cases were held what was left out meanwhile is held as well: a whole scan comes at least once a day.
"""
_AHEAD = timedelta(minutes=5)
"""How far clocks of machines may differ. What was opened later than that a wrong clock dated, and how old it is nobody
knows: else nothing would be believed until the time that it showed has come."""
CRITICAL_TYPES = ("aws_iam_", "aws_cloudtrail", "aws_kms_")


def flood(
    cases: Sequence[Case], fresh: Sequence[Finding], sight: Sight, resources: Mapping[str, int]
) -> tuple[list[Case], list[Held]]:
    """The new cases that are believed, and those that are held. An emergency is believed.

    A scan that is not about everything counts what was found within `TRICKLE` with its own. Where cases of the account
    are held already it leaves out what it does not believe: one alarm is enough, and the next scan of everything holds
    what was left out.
    """
    held_since = dict(_held_since(sight))
    lately = () if sight.everything else _lately(fresh, sight)
    new = Counter([*(finding.key.account for finding in fresh), *lately])
    flooded = {
        account: count
        for account, count in new.items()
        if count >= FLOOD_COUNT and count > FLOOD_SHARE * resources.get(account, 0)
    }
    left = {finding.id for finding in fresh if _left_out(finding, sight, held_since)} if sight.everything else set()
    if not flooded and not left:
        return list(cases), []
    by_id = {finding.id: finding for finding in fresh}
    believed: list[Case] = []
    doubted: list[Case] = []
    for case in cases:
        # A case that is opened again has older findings too: they were believed before.
        members = [by_id[finding] for finding in case.findings if finding in by_id]
        part = all(finding.key.account in flooded or finding.id in left for finding in members)
        sure = case.grant or any(critical(finding, sight) for finding in members)
        if not part or sure:
            believed.append(case)
        elif sight.everything or any(finding.key.account not in held_since for finding in members):
            doubted.append(case)
    said = [
        f"{count} of {resources.get(account, 0)} resources of account {account} newly in violation"
        for account, count in sorted(flooded.items())
    ]
    late = Counter(by_id[one].key.account for one in left if by_id[one].key.account not in flooded)
    said += [f"{count} more of account {account}, of which cases are held" for account, count in sorted(late.items())]
    return believed, [Held(tuple(replace(case, state="held") for case in doubted), "; ".join(said))] if doubted else []


def _lately(fresh: Sequence[Finding], sight: Sight) -> Iterator[str]:
    """The account of each finding that cases were opened or held for lately; of those two people let go none."""
    counted: set[FindingId] = {finding.id for finding in fresh}
    for case in sight.known.cases:
        begun = case.opened_at
        if begun is None or not _within(begun, sight.at, TRICKLE) or case.grant or case.key in sight.accepted_holds:
            continue
        for finding in case.findings:
            key = sight.known.keys.get(finding)
            if key is not None and finding not in counted:
                counted.add(finding)
                yield key.account


def _held_since(sight: Sight) -> Iterator[tuple[str, datetime]]:
    """Each account of which cases are held, and since when; of several times the earliest comes last."""
    found: list[tuple[datetime, Key]] = [
        (case.opened_at, sight.known.keys[finding])
        for case in sight.known.cases
        if case.state == "held" and case.opened_at is not None and _within(case.opened_at, sight.at, AFTERMATH)
        for finding in case.findings
        if finding in sight.known.keys
    ]
    for since, key in sorted(found, reverse=True):
        yield key.account, since


def _within(moment: datetime, now: datetime, length: timedelta) -> bool:
    return -_AHEAD <= now - moment <= length


def _left_out(finding: Finding, sight: Sight, held_since: Mapping[str, datetime]) -> bool:
    """Whether it was seen first when cases of its account were being held, and was left out then."""
    first, since = sight.known.first_seen.get(finding.id), held_since.get(finding.key.account)
    return first is not None and since is not None and first >= since


def critical(finding: Finding, sight: Sight) -> bool:
    """What a flood must never silence: identity, exposure, the trail, encryption keys."""
    violations = sight.broken_by([finding])
    return finding.key.type.startswith(CRITICAL_TYPES) or any(v.severity == "critical" for v in violations)
