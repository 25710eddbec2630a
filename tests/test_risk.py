"""`agent.risk` and `agent.risk_file`: what a change scores and why, and which schemes are refused."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model import Actor, Change, Finding, FindingId, JudgedChange, Key, Outcome, Verdict, Weights
from agent.risk import FEW, assess, failures
from agent.risk_file import load_weights
from agent.rules import LARGEST, RuleError, load_rules

SHIPPED = load_weights()


def score(environment: str = "", topics: Sequence[str] = (), acts: Sequence[str] = (), size: int = 1) -> int:
    return assess(environment, topics, acts, size, 0.0, SHIPPED).score


# --- the score -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "topics", "acts", "size", "share", "level", "approvals", "group"),
    [
        ("", ["metadata"], ["update"], 1, 0.0, "low", 0, ""),
        ("staging", ["data"], ["create"], 1, 0.0, "low", 0, ""),
        ("staging", ["data"], ["delete"], 1, 0.0, "medium", 1, ""),
        ("production", ["metadata"], ["update"], 1, 0.0, "medium", 1, ""),
        ("production", ["data"], ["update"], 1, 0.0, "medium", 1, ""),
        ("staging", ["network"], ["update"], 1, 0.0, "medium", 1, ""),
        ("production", ["logging"], ["update"], 1, 0.0, "high", 2, "security"),
        ("production", ["data"], ["delete"], 10, 0.0, "high", 2, "security"),
        ("production", ["data"], ["update"], 50, 0.0, "high", 2, "security"),
        ("production", ["data"], ["update"], 1, 1.0, "high", 2, "security"),
        ("", ["identity"], ["delete"], 9, 0.0, "medium", 1, ""),
    ],
)
def test_what_ships(
    environment: str,
    topics: list[str],
    acts: list[str],
    size: int,
    share: float,
    level: str,
    approvals: int,
    group: str,
) -> None:
    risk = assess(environment, topics, acts, size, share, SHIPPED)
    assert (risk.level, risk.approvals, risk.group) == (level, approvals, group)


def test_each_weight_that_counted_is_a_reason() -> None:
    risk = assess("production", ["network", "data", "identity"], ["update", "delete"], 12, 0.6, SHIPPED)
    assert risk.reasons == (
        "environment production +3",
        "identity, network +5",
        "delete +1",
        "12 resources in the session +1",
        "60% of such changes went wrong +1",
    )
    assert risk.score == 11


def test_an_environment_that_weighs_nothing_is_said() -> None:
    assert assess("", [], [], 1, 0.0, SHIPPED).reasons == ("environment not known +0",)
    assert assess("sand\nbox", [], [], 1, 0.0, SHIPPED).reasons == ("environment sand\\nbox +0",)


def test_an_environment_is_matched_in_any_case_and_by_wildcard_and_the_highest_counts() -> None:
    weights = replace(SHIPPED, environments={"prod*": 2, "PROD-EU": 4})
    assert [assess(name, [], [], 1, 0.0, weights).score for name in ("Prod-EU", "prod-us", "test", "")] == [4, 2, 0, 0]


def test_without_levels_nothing_is_waved_through() -> None:
    risk = assess("", [], [], 0, 0.0, Weights())
    assert (risk.level, risk.approvals) == ("high", 2)


@pytest.mark.parametrize(("share", "points"), [(-1.0, 0), (0.49, 0), (0.5, 1), (7.0, 2), (float("nan"), 0)])
def test_a_share_of_failures_counts_between_0_and_1(share: float, points: int) -> None:
    assert assess("", [], [], 1, share, SHIPPED).score == points


TOPICS = ["network", "identity", "data", "compute", "metadata", "unheard-of"]
ACTS = ["create", "update", "delete"]
SCHEMES = st.builds(
    Weights,
    environments=st.dictionaries(st.sampled_from(["production", "p*", "dev"]), st.integers(0, 9)),
    topics=st.dictionaries(st.sampled_from(TOPICS), st.integers(0, 9)),
    acts=st.dictionaries(st.sampled_from(ACTS), st.integers(0, 9)),
    sizes=st.just(((50, 3), (10, 1))),
    failures=st.integers(0, 9),
    levels=st.just((("high", 12, 2, "security"), ("medium", 5, 1, ""), ("low", 0, 0, ""))),
)


@given(
    st.sampled_from(["", "production", "dev"]),
    st.lists(st.sampled_from(TOPICS)),
    st.lists(st.sampled_from(TOPICS)),
    st.lists(st.sampled_from(ACTS)),
    st.lists(st.sampled_from(ACTS)),
    st.integers(0, 99),
    st.integers(0, 99),
    st.floats(0, 1),
    st.floats(0, 1),
    SCHEMES,
)
def test_touching_more_never_scores_less(
    environment: str,
    topics: list[str],
    more_topics: list[str],
    acts: list[str],
    more_acts: list[str],
    size: int,
    more: int,
    share: float,
    other: float,
    weights: Weights,
) -> None:
    less = assess(environment, topics, acts, size, min(share, other), weights)
    full = assess(environment, topics + more_topics, acts + more_acts, size + more, max(share, other), weights)
    assert full.score >= less.score
    assert full.approvals >= less.approvals
    assert less == assess(environment, topics[::-1], acts[::-1], size, min(share, other), weights)


# --- how often it went wrong ---------------------------------------------------------------------------------


FINE: tuple[Outcome, ...] = ("authorised",)
FAILED: tuple[Outcome, ...] = ("unauthorised",)


def finding(type_: str, *outcomes: Outcome, since: int = 0) -> Finding:
    changes = tuple(
        JudgedChange(
            Change(
                event_ids=(f"e{since + number}",),
                time=datetime(2026, 3, 2, tzinfo=UTC),
                action="sqs:SetQueueAttributes",
                actor=Actor("dana", "person"),
                channel="console",
                account="111122223333",
                region="eu-west-1",
            ),
            Verdict(outcome),
        )
        for number, outcome in enumerate(outcomes)
    )
    return Finding(FindingId(f"{type_}{since}"), Key("111122223333", "eu-west-1", type_, "x"), changes=changes)


def test_the_share_that_had_no_authority_in_time() -> None:
    queue = finding("aws_sqs_queue", "authorised", "unauthorised", "regularised", "authorised-emergency")
    assert failures([queue, finding("aws_sqs_queue", "authorised", since=4)]) == {"aws_sqs_queue": 2 / 5}


def test_few_changes_and_unsettled_ones_say_nothing() -> None:
    few = finding("aws_iam_role", *(FAILED * (FEW - 1)), "pending", "indeterminate", "service-made")
    assert failures([few]) == {"aws_iam_role": 0.0}
    assert failures([finding("aws_kms_key", "pending")]) == {}


def test_a_change_counts_once_and_as_the_worst_of_its_resources() -> None:
    good = finding("aws_sqs_queue", *(FINE * FEW))
    bad = finding("aws_sqs_queue", "unauthorised")
    assert failures([good, good, bad]) == failures([bad, good]) == {"aws_sqs_queue": 1 / FEW}


# --- the file ------------------------------------------------------------------------------------------------

GOOD = """\
environments: {production: 3}
topics:
  network: 5
levels:
- {level: low, from: 0, approvals: 0}
- {level: medium, from: 3, approvals: 1}
- {level: high, from: 7, approvals: 2, group: security}
"""


def of(tmp_path: Path, content: str | bytes) -> Weights:
    (tmp_path / "risk.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_weights([tmp_path])


def test_a_scheme_of_ones_own_replaces_the_shipped_one_whole(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    mine.mkdir()
    other.mkdir()
    assert load_weights([mine, other]) == SHIPPED
    assert of(mine, GOOD).acts == {}
    assert load_weights([mine, other]).topics == {"network": 5}
    of(other, GOOD.replace("5", "6"))
    assert load_weights([mine, other]).topics == {"network": 6}


def test_a_scheme_is_no_rule(tmp_path: Path) -> None:
    of(tmp_path, GOOD)
    assert [rule.id for rule in load_rules([tmp_path])] == [rule.id for rule in load_rules()]


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("topics:", "topic:", 2, "did you mean 'topics'"),
        ("network: 5", "networks: 5", 3, "did you mean 'network'"),
        ("network: 5", "network: -5", 3, "whole number from 0 to 1000"),
        ("network: 5", "network: 1e3", 3, "whole number"),
        ("network: 5", "network: ٣", 3, "whole number"),
        ("network: 5", "network: 99999999999999999999", 3, "whole number"),
        ("network: 5", "network: [5]", 3, "must be text, not a list"),
        ("{production: 3}", "[production]", 1, "must be a mapping"),
        ("topics:", "acts: {destroy: 1}\ntopics:", 2, "unknown field 'destroy'"),
        ("topics:", "sizes: [{resources: 5}]\ntopics:", 2, "a size has no 'points'"),
        ("topics:", "sizes: [{resources: 5, points: 2}, {resources: 9, points: 1}]\ntopics:", 2, "must not weigh less"),
        ("topics:", "sizes: [{resources: 5, points: 2}, {resources: 5, points: 1}]\ntopics:", 2, "here twice"),
        ("from: 3", "from: 7", 4, "level 'high' is from 7"),
        ("from: 0", "from: 1", 4, "must be from 0"),
        ("approvals: 1", "approvals: 3", 4, "level 'high' needs 2 approvals"),
        ("approvals: 1}", "approvals: 0, group: x}", 6, "and no approval"),
        ("level: medium", "level: middling", 4, "must be low, medium, high"),
        ("- {level: medium, from: 3, approvals: 1}\n", "", 4, "must be low, medium, high"),
        ("levels:", "failures: {}\nlevels:", 4, "must be text"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    assert old in GOOD
    with pytest.raises(RuleError) as caught:
        of(tmp_path, GOOD.replace(old, new, 1))
    assert f"risk.yaml:{line}: " in str(caught.value)
    assert said in str(caught.value)


def test_a_group_that_is_wanted_below_is_wanted_above(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="'medium' wants somebody of 'x', 'high' nobody in particular"):
        of(tmp_path, GOOD.replace("approvals: 1}", "approvals: 1, group: x}").replace(", group: security", ""))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "must be a mapping"),
        ("[]", "must be a mapping"),
        ("topics: {network: 5}", "has no 'levels'"),
        ("levels: *x", "alias"),
        ("a: b: c", "not YAML"),
        (b"\xff\xfe: 1", ":1: not UTF-8"),
        ("# " + "x" * LARGEST, "at most"),
        ("levels: " + "[" * 900, "nested deeper"),
    ],
)
def test_what_is_no_scheme(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        of(tmp_path, content)


def test_a_directory_is_no_scheme(tmp_path: Path) -> None:
    (tmp_path / "risk.yaml").mkdir()
    with pytest.raises(RuleError, match="not a regular file"):
        load_weights([tmp_path])
