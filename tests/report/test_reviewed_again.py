"""An emergency whose review was set aside by calls that arrived after it, in the report of each week."""

from datetime import UTC, datetime, timedelta

import pytest

from agent.model import Arrival, Document, Emergency, Proof, Review
from agent.report.weekly.emergencies import review_at, state_at

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def proof(who: str, at: datetime) -> Proof:
    return Proof(who, "signature", at, at)


FIRST = Review("r1", "c", proof("marco", NOON + 2 * DAY), True, "fine")
SECOND = Review("r2", "c", proof("nils", NOON + 9 * DAY), True, "fine too")
TOLD = Document("d1", "c", proof("dana", NOON + DAY), "down", "INC-1", "raised it", "kim", "revert")
AGAIN = Emergency(
    "BG-1",
    "c",
    "dana",
    "a role",
    NOON,
    NOON,
    NOON + DAY,
    ("e1", "e2"),
    "accepted",
    document=TOLD,
    review=SECOND,
    arrivals=(Arrival(NOON + 5 * DAY, 1),),
    earlier=(FIRST,),
)


@pytest.mark.parametrize(
    ("days", "state", "by"),
    [
        (1.5, "awaiting-review", ""),
        (3, "accepted", "marco"),
        (6, "awaiting-review", ""),
        (10, "accepted", "nils"),
    ],
)
def test_a_past_week_tells_what_counted_then(days: float, state: str, by: str) -> None:
    until = NOON + days * DAY
    review = review_at(AGAIN, until)
    assert (state_at(AGAIN, until), review.by.person if review else "") == (state, by)
