"""Ticket references: every place they stand in, in order of trust, and what only looks like one."""

import re

import pytest
from trail_records import BOTO, TERRAFORM, assume, change_of, in_role, record, user

from agent.model import Claim
from agent.trail.claims import PATTERNS


def test_every_place_the_most_trustworthy_first() -> None:
    first = assume(
        user(),
        "Hub",
        "OPS-3",
        "ASIAHUB",
        at="10:00:00",
        tags=[{"key": "change", "value": "CHG0000001"}],
        transitiveTagKeys=["change"],
        sourceIdentity="OPS-2",
    )
    second = assume(in_role("Hub", "OPS-3", "ASIAHUB"), "Deploy", "OPS-4", "ASIADEPLOY", at="11:00:00")
    change = change_of(
        record(
            userIdentity=in_role("Deploy", "OPS-4", "ASIADEPLOY", sourceIdentity="OPS-2"),
            requestParameters={"tags": {"ChangeTicket": "OPS-5"}},
            userAgent=f"{TERRAFORM} app/OPS-6",
        ),
        first,
        second,
    )
    assert change.claims == (
        Claim("CHG0000001", "session tag"),
        Claim("OPS-2", "sourceIdentity"),
        Claim("OPS-4", "session name"),
        Claim("OPS-3", "session name"),
        Claim("OPS-5", "resource tag"),
        Claim("OPS-6", "user agent"),
    )


def test_session_tags_from_all_places_sts_records_them_in() -> None:
    issued = assume(
        user(),
        "Deploy",
        "x",
        "ASIA1",
        tags=[{"key": "a", "value": "OPS-1"}],
        incomingTransitiveTags={"b": "OPS-2"},
        principalTags={"c": "OPS-3"},
    )
    change = change_of(record(userIdentity=in_role("Deploy", "x", "ASIA1")), issued)
    assert [claim.text for claim in change.claims] == ["OPS-1", "OPS-2", "OPS-3"]


def test_a_branch_in_the_oidc_subject() -> None:
    caller = {"type": "WebIdentityUser", "userName": "repo:acme/infra:ref:refs/heads/OPS-7-rotate"}
    issued = assume(caller, "Deploy", "ci", "ASIA1", call="AssumeRoleWithWebIdentity")
    change = change_of(record(userIdentity=in_role("Deploy", "ci", "ASIA1")), issued)
    assert change.claims == (Claim("OPS-7", "OIDC subject"),)


@pytest.mark.parametrize(
    "request_",
    [
        {"tags": {"ticket": "OPS-1"}},
        {"tags": [{"key": "Ticket", "value": "OPS-1"}]},
        {"tags": [{"Key": "change-id", "Value": "OPS-1"}]},
        {"tags": [{"tagKey": "jira", "tagValue": "OPS-1"}]},
        {"tagSet": {"items": [{"key": "CR", "value": "OPS-1"}]}},
        {"tagList": [{"key": "rfc", "value": "OPS-1"}]},
        {"tagSpecificationSet": {"items": [{"resourceType": "vpc", "tags": [{"key": "ticket", "value": "OPS-1"}]}]}},
        {"Tagging": {"TagSet": {"Tag": {"Key": "ServiceNow", "Value": "OPS-1"}}}},
        {"CreateFlowLogsRequest": {"TagSpecification": {"tag": 1, "Tag": [{"Key": "ticket", "Value": "OPS-1"}]}}},
    ],
)
def test_resource_tags_in_every_spelling(request_: dict) -> None:
    assert change_of(record(requestParameters=request_)).claims == (Claim("OPS-1", "resource tag"),)


@pytest.mark.parametrize(
    "request_",
    [
        {"tags": {"Name": "WEB-01"}},
        {"tags": {"ticket": "none"}},
        {"description": "OPS-1"},
        {"ticket": "OPS-1"},
        {"tags": "OPS-1"},
        {"tags": {"ticket": 7}},
        None,
    ],
)
def test_what_is_no_ticket_tag_claims_nothing(request_: object) -> None:
    assert change_of(record(requestParameters=request_)).claims == ()


@pytest.mark.parametrize(
    "text",
    [
        "UTF-8",
        "SHA-256",
        "ISO-8859",
        "CVE-2026-1234",
        "AES-256",
        "NOTE-1",
        "EU-WEST-1",
        "ops-1",
        "OPS-",
        "X-1",
        "OPS-1234567890",
    ],
)
def test_what_only_looks_like_a_reference(text: str) -> None:
    assert change_of(record(userAgent=f"{BOTO} app/{text}")).claims == ()


@pytest.mark.parametrize(
    "agent", [TERRAFORM, BOTO, "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36"]
)
def test_plain_user_agents_claim_nothing(agent: str) -> None:
    assert change_of(record(userAgent=agent)).claims == ()


def test_the_patterns_are_the_configurations_to_choose() -> None:
    made = record(userAgent="app/issue42 app/OPS-1")
    assert [claim.text for claim in change_of(made, patterns=(re.compile(r"\bissue\d+\b"),)).claims] == ["issue42"]
    assert [claim.text for claim in change_of(made, patterns=PATTERNS).claims] == ["OPS-1"]


def test_a_flood_of_references_is_bounded() -> None:
    tags = {f"ticket{number}": f"OPS-{number}" for number in range(1000)}
    assert len(change_of(record(requestParameters={"tags": tags})).claims) == 20
