"""The trail blinded: which calls begin it, which end it, and the interval as a gap beside the change."""

import pytest
from trail_records import ACCOUNT, record, trail_of

from agent.model import Scope

NAME = {"name": "org-trail"}
ARN = {"name": f"arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:trail/org-trail"}
SCOPE = Scope(account=ACCOUNT, type="cloudtrail", id="org-trail")


def control(name: str, at: str, request: dict, **fields: object) -> dict:
    return record(name, "cloudtrail", at=at, requestParameters=request, **fields)


def whys(*records: dict) -> list[str]:
    trail = trail_of(*records)
    assert {gap.scope for gap in trail.gaps} <= {SCOPE}
    return [gap.why for gap in trail.gaps]


STOPPED = "trail org-trail: logging stopped by dana at 2026-03-02T10:00:00Z"


@pytest.mark.parametrize("order", [1, -1])
def test_stopped_and_started_again(order: int) -> None:
    records = [control("StopLogging", "10:00:00", ARN), control("StartLogging", "11:00:00", NAME)]
    assert whys(*records[::order]) == [f"{STOPPED} until 2026-03-02T11:00:00Z"]
    actions = [change.action for change in trail_of(*records).changes]
    assert actions == ["cloudtrail:StopLogging", "cloudtrail:StartLogging"]


def test_stopped_for_good() -> None:
    again = control("StopLogging", "12:00:00", NAME)
    assert whys(control("StopLogging", "10:00:00", NAME), again) == [f"{STOPPED}, and not brought back since"]


def test_deleted() -> None:
    expected = "trail org-trail: deleted by dana at 2026-03-02T10:00:00Z, and not brought back since"
    assert whys(control("DeleteTrail", "10:00:00", NAME)) == [expected]


def test_another_trails_start_brings_nothing_back() -> None:
    other = control("StartLogging", "11:00:00", {"name": "other"})
    assert whys(control("StopLogging", "10:00:00", NAME), other) == [f"{STOPPED}, and not brought back since"]


def test_a_denied_stop_blinds_nothing() -> None:
    assert whys(control("StopLogging", "10:00:00", NAME, errorCode="AccessDenied"), record()) == []


def test_stopped_before_the_interval_counts_if_it_reaches_into_it() -> None:
    early = control("StopLogging", "06:00:00", NAME)
    why = "trail org-trail: logging stopped by dana at 2026-03-02T06:00:00Z until"
    assert whys(early, control("StartLogging", "09:00:00", NAME)) == [f"{why} 2026-03-02T09:00:00Z"]
    assert whys(early, control("StartLogging", "07:00:00", NAME), record()) == []


MANAGEMENT = {"field": "eventCategory", "equals": ["Management"]}


@pytest.mark.parametrize(
    ("selectors", "blind"),
    [
        ({"eventSelectors": [{"readWriteType": "All", "includeManagementEvents": True}]}, False),
        ({"eventSelectors": [{"readWriteType": "WriteOnly", "includeManagementEvents": True}]}, False),
        ({"eventSelectors": [{"readWriteType": "ReadOnly", "includeManagementEvents": True}]}, True),
        ({"eventSelectors": [{"readWriteType": "All", "includeManagementEvents": False}]}, True),
        ({"eventSelectors": [{"excludeManagementEventSources": ["kms.amazonaws.com"]}]}, True),
        ({"advancedEventSelectors": [{"fieldSelectors": [MANAGEMENT]}]}, False),
        (
            {"advancedEventSelectors": [{"fieldSelectors": [MANAGEMENT, {"field": "readOnly", "equals": ["false"]}]}]},
            False,
        ),
        (
            {"advancedEventSelectors": [{"fieldSelectors": [MANAGEMENT, {"field": "readOnly", "equals": ["true"]}]}]},
            True,
        ),
        ({"advancedEventSelectors": [{"fieldSelectors": [{"field": "eventCategory", "equals": ["Data"]}]}]}, True),
        (
            {
                "advancedEventSelectors": [
                    {"fieldSelectors": [MANAGEMENT, {"field": "eventSource", "notEquals": ["kms"]}]}
                ]
            },
            True,
        ),
        ({}, False),
    ],
)
def test_selectors_that_leave_out_writes(selectors: dict, blind: bool) -> None:
    narrowed = control("PutEventSelectors", "10:00:00", {"trailName": "org-trail"} | selectors)
    why = "trail org-trail: event selectors leave out management writes by dana at 2026-03-02T10:00:00Z, and not"
    assert [text.startswith(why) for text in whys(narrowed)] == ([True] if blind else [])


def test_selectors_put_back_end_it() -> None:
    narrow = {"trailName": "org-trail", "eventSelectors": [{"includeManagementEvents": False}]}
    whole = {"trailName": "org-trail", "eventSelectors": [{"includeManagementEvents": True}]}
    found = whys(control("PutEventSelectors", "10:00:00", narrow), control("PutEventSelectors", "10:05:00", whole))
    assert [text.endswith("until 2026-03-02T10:05:00Z") for text in found] == [True]


def test_narrowed_to_one_region_and_widened() -> None:
    one = control("UpdateTrail", "10:00:00", NAME | {"isMultiRegionTrail": False})
    all_ = control("UpdateTrail", "10:30:00", NAME | {"isMultiRegionTrail": True})
    other = control("UpdateTrail", "10:10:00", NAME | {"s3BucketName": "b"})
    assert [text.partition(" by ")[0] for text in whys(one, other)] == ["trail org-trail: narrowed to one region"]
    assert whys(one, other, all_)[0].endswith("until 2026-03-02T10:30:00Z")
