"""What only the provider's version reads otherwise is no drift, and nothing else passes for it."""

from dataclasses import replace
from typing import Any

import pytest
from line import QUEUE_KEY, group, passes, queue, rule, state
from test_change_classes import LAST, deployed
from trail_records import record

from agent.model import Secret
from agent.rereading import rewritten_by
from agent.scan import Scan

UPGRADED = state(5, provider_versions={"hashicorp/aws": "6.2.0"})
RUN = deployed()[:1]
OTHERWISE = queue(visibility_timeout_seconds=31)


def upgraded(**given: Any) -> Scan:
    """A scan after the upgrade: the state has another time-out, live and the accepted reading do not."""
    return passes(
        **(
            {"declared": [OTHERWISE], "seen": [queue()], "accepted": [queue()], "records": RUN}
            | {"before": [LAST], "states": [UPGRADED]}
            | given
        )
    )


def test_another_representation_is_a_limit_and_no_drift() -> None:
    found = upgraded()
    assert (found.drifts, found.status) == ((), "clean")
    assert [(one.resources, one.why) for one in found.limits if "provider" in one.why] == [
        (1, "stack shop: provider hashicorp/aws 5.100.0 → 6.2.0 changed how 1 resource reads; live is as accepted")
    ]


def test_a_part_that_reads_otherwise_is_a_part_all_the_same() -> None:
    """The new version records `all` where the old one recorded `-1`: one part gone, one come."""
    old, new = (replace(rule(port), address=group().address, stack="shop") for port in (443, 8443))
    found = upgraded(declared=[group(), new], seen=[group(), old], accepted=[group(), old])
    assert (found.drifts, found.status) == ((), "clean")
    # One that was never accepted came by hand.
    other = upgraded(declared=[group(), old], seen=[group(), old, new], accepted=[group(), old])
    assert [one.part for one in other.drifts] == [new.key]


def test_what_is_left_of_a_finding_stays() -> None:
    hand = queue(policy='{"Statement":[]}')
    found = upgraded(seen=[hand])
    assert [one.attribute for one in found.drifts] == ["policy"]
    merged = replace(OTHERWISE, unapplied={"policy": '{"Statement":[]}'})
    left = upgraded(declared=[merged])
    assert [(one.kind, one.attribute) for one in left.drifts] == [("unapplied", "policy")]
    assert [(one.verdict.outcome, one.unexplained) for one in left.findings] == [("unapplied", "")]


def test_a_call_on_the_resource_is_no_upgrade() -> None:
    found = upgraded(records=[*RUN, record(requestParameters={"queueUrl": queue().identifiers[0], "attributes": {}})])
    assert [one.attribute for one in found.drifts] == ["visibility_timeout_seconds"]


def test_what_was_never_accepted_is_drift() -> None:
    assert len(upgraded(accepted=[]).drifts) == 1
    partly = replace(queue(), attributes={"policy": ""})
    assert len(upgraded(accepted=[partly]).drifts) == 1


def test_a_resource_that_is_gone_is_gone() -> None:
    assert [one.kind for one in upgraded(seen=[]).drifts] == ["missing"]


def test_a_key_written_otherwise_is_drift() -> None:
    """The address records another identity: nothing of the type's attributes says whether it means the same."""
    moved = replace(OTHERWISE, key=replace(QUEUE_KEY, id="other"))
    found = upgraded(declared=[moved, replace(queue(), address=moved.address)], seen=[queue()])
    assert "changed" in {one.kind for one in found.drifts}


def test_another_providers_upgrade_excuses_nothing() -> None:
    versions = {"hashicorp/aws": "5.100.0", "hashicorp/random": "3.7.0"}
    before = replace(LAST, provider_versions={"hashicorp/aws": "5.100.0", "hashicorp/random": "3.6.0"})
    assert len(upgraded(before=[before], states=[replace(UPGRADED, provider_versions=versions)]).drifts) == 1
    assert len(upgraded(before=[replace(LAST, provider_versions={})]).drifts) == 1
    assert len(upgraded(before=[]).drifts) == 1
    assert len(upgraded(states=[]).drifts) == 1


def test_a_known_difference_is_known_until_the_state_says_another_thing() -> None:
    (kept,) = upgraded().keep
    assert len(kept.reread) == 1
    later = {"before": [kept], "states": [UPGRADED]}
    again = upgraded(**later)
    assert (again.drifts, [one.reread for one in again.keep]) == ((), [kept.reread])
    assert any("an earlier change of the provider version" in one.why for one in again.limits)
    assert len(upgraded(declared=[queue(visibility_timeout_seconds=32)], **later).drifts) == 1
    # Applied: nothing to remember.
    assert [one.reread for one in upgraded(declared=[queue()], **later).keep] == [()]


def test_secrets_can_be_remembered() -> None:
    hidden = [
        replace(one, attributes={**one.attributes, "policy": Secret(mark * 32)}) for one, mark in ((queue(), "ab"),)
    ]
    found = upgraded(declared=hidden)
    assert (found.drifts, len(found.keep[0].reread)) == ((), 1)


# --- a state that the new version wrote -----------------------------------------------------------------------


def rewritten(**given: Any) -> Scan:
    """The state's serial went up without a run of the pipeline, and without a call: somebody refreshed it."""
    addresses = {name: f"{value.partition('.')[0]}.c2" for name, value in LAST.addresses.items()}
    moved = state(5, **({"provider_versions": {"hashicorp/aws": "6.2.0"}, "addresses": addresses} | given))
    return passes(declared=[queue()], seen=[queue()], accepted=[queue()], before=[LAST], states=[moved])


def test_a_state_written_anew_by_another_version_was_not_edited() -> None:
    found = rewritten()
    assert (found.findings, found.status, len(found.keep)) == ((), "clean", 1)


@pytest.mark.parametrize(
    "given",
    [
        {"provider_versions": {"hashicorp/aws": "5.100.0"}},
        {"provider_versions": {"hashicorp/aws": "5.100.0", "hashicorp/random": "3.7.0"}},
        {"provider_versions": {}},
        {"addresses": {"aws_sqs_queue.orders": "q2.c2", "aws_security_group.web": "g1.c2"}},
        {"addresses": {"aws_sqs_queue.orders": "q1.c2"}},
        {"addresses": {**LAST.addresses, "aws_sqs_queue.orders": "q1.c2", "aws_sns_topic.new": "t1.c1"}},
        {"addresses": {"aws_sqs_queue.renamed": "q1.c2", "aws_security_group.web": "g1.c2"}},
    ],
    ids=[
        "the same version",
        "another provider's",
        "unknown",
        "another resource",
        "one that left",
        "one more",
        "renamed",
    ],
)
def test_what_no_provider_does_is_an_edit(given: dict[str, Any]) -> None:
    found = rewritten(**given)
    assert [one.cause for one in found.findings] == ["state-edited"]


def test_addresses_of_every_spelling() -> None:
    names = ['module.a["x.y"].aws_sqs_queue.orders["a.b[0]\n"]', "aws_sqs_queue.orders[0]", "module.m.aws_sqs_queue.q"]
    before, after = (
        state(provider_versions={"hashicorp/aws": version}, addresses=dict.fromkeys(names, f"q1.{version}"))
        for version in ("5.1.0", "6.1.0")
    )
    assert rewritten_by(before, after, names) == "provider hashicorp/aws 5.1.0 → 6.1.0"
    other = {"random_id.x": "q1.c1"}
    before, after = (replace(one, addresses={**one.addresses, **other}) for one in (before, after))
    assert rewritten_by(before, after, [*names, "random_id.x"]) == ""
