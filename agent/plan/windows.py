"""Windows declared ahead: a case for each at once, so that every approver is told, closed where nothing was called.

Hides how long late events are waited for, and which windows are news no more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from agent.clean import clean
from agent.emergency import case_key, grant_of
from agent.model import Case, Close, Opening
from agent.plan import wording
from agent.plan.breakglass import OPEN
from agent.plan.sight import Sight

LATE = timedelta(hours=2)
"""How long after the end of a window its calls are waited for. CloudTrail delivers within about five minutes on
average and promises nothing; LookupEvents takes fifteen.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html"""
UNREAD = timedelta(hours=24)
"""As above, while part of the trail cannot be read."""
NEWS = timedelta(days=7)
"""A window that ended, and was heard of, longer ago than this is nobody's news: the estate did not file cases then."""


def window_case(opening: Opening, at: datetime, approvers: Sequence[str]) -> Case:
    """The case of a window in which nothing was called yet, opened `at`, addressed to the approvers."""
    grant = grant_of(opening.id)
    key = case_key(grant)
    until = wording.time(opening.until)
    return Case(
        key,
        f"break-glass window declared by {clean(opening.by.person)} for {clean(opening.incident)}, until {until}",
        (),
        "medium",
        opened_at=at,
        body=wording.window(opening, key, approvers),
        grant=grant,
        stage=OPEN,
    )


def declared(sight: Sight, grants: Collection[str]) -> Iterator[Case]:
    """A case for each window that has none; `grants` are the emergencies that calls were made in."""
    known = {grant for case in sight.known.cases for grant in (case.grant, *(one.id for one in case.emergencies))}
    for opening in {one.id: one for one in sight.emergency.openings}.values():
        news = max(opening.until, opening.by.received_at) + NEWS >= sight.at
        if news and grant_of(opening.id) not in known and grant_of(opening.id) not in grants:
            yield window_case(opening, sight.at, sight.emergency.escalate)


def over(case: Case, sight: Sight) -> Close | None:
    """The end of a window's case in which nothing was called: calls that come to light later open it again."""
    opening = next((one for one in sight.emergency.openings if grant_of(one.id) == case.grant), None)
    wait = LATE if sight.emergency.whole else UNREAD
    if opening is None or sight.at <= opening.until + wait:
        return None
    unread = "" if sight.emergency.whole else "; part of the trail was not read"
    ended = f"the window ended {wording.time(opening.until)}"
    return Close(case, f"{ended}, and no call that it covers was seen by {wording.time(sight.at)}{unread}")
