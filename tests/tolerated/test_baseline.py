"""The baseline: proposed from findings, approved as a whole, read in a moment, and never holding what is critical."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from permissions import NOW, Office
from ruamel.yaml import YAML

from agent.exempt import exempt
from agent.model import Drift, Finding, Key, Secret, Tolerated, Unknown, Verdict
from agent.resources import load
from agent.rules import load_rules
from agent.tables import Account, TrailSource
from agent.tickets.document import DocumentError, Reader, parse
from agent.tolerated.approving import approve_baseline
from agent.tolerated.baseline import Baseline, of_value, quoted, read, render, writable
from agent.tolerated.digests import digest_of, install_mark
from agent.tolerated.editing import create
from agent.tolerated.proposal import Proposal, critical_of, own_names, propose
from agent.tolerated.terms import Approvals

SPECS = load()
KEY = b"k" * 32
MARK = install_mark(KEY)
MARKS = (MARK,)
DIGEST = digest_of(KEY, SPECS)
APPROVALS = Approvals()
LONGEST = timedelta(days=365)
QUEUE = Key("111122223333", "eu-west-1", "aws_sqs_queue", "orders")
HEAD = {"owner": "dana", "approver": "sam", "until": "2027-05-27", "install": MARK}


def drift(attribute: str = "delay_seconds", live: Any = 60, key: Key = QUEUE, **fields: Any) -> Drift:
    return Drift(key, fields.pop("kind", "changed"), attribute, 0, live, **fields)


def finding(*drifts: Drift, number: int = 1, **fields: Any) -> Finding:
    base = Finding(
        f"F-{number}",
        drifts[0].key,
        address="aws_sqs_queue.orders",
        stack="shop",
        drifts=drifts,
        verdict=Verdict("indeterminate"),
        unexplained="before the trail's window",
    )
    return replace(base, **fields)


def never(_: Finding) -> bool:
    return False


def proposed(*findings: Finding, stack: str | None = None, critical: Callable[[Finding], bool] = never) -> Proposal:
    return propose(findings, stack, HEAD, NOW, DIGEST, critical)


def loaded(at_work: Office, marks: tuple[str, ...] = MARKS) -> Baseline:
    return read(at_work.folder / "baseline", LONGEST, at_work.approvals, NOW, marks)


def sign(at_work: Office, file: Path, who: str = "sam") -> None:
    approve_baseline(file, LONGEST, at_work.approvals, MARKS, at_work.key(who), NOW)


def written(at_work: Office, *findings: Finding) -> Path:
    (one,) = proposed(*findings).files
    return create(at_work.folder / "baseline", one.name, one.text)


# --- from proposal to force ----------------------------------------------------------------------------------


def test_what_is_proposed_waits_until_it_is_signed(at_work: Office) -> None:
    file = written(at_work, finding(drift()), finding(drift("", None, kind="missing"), number=2, address=""))
    assert file.name == "2026-11-27-shop.yaml"
    got = loaded(at_work)
    assert got.problems == ()
    assert [(one.stack, one.owner, one.approver, one.approved) for one in got.files] == [("shop", "dana", "sam", "")]
    assert {(one.kind, one.attribute, one.key) for one in got.found} == {
        ("changed", "delay_seconds", QUEUE),
        ("missing", "", QUEUE),
    }
    assert "# aws_sqs_queue.orders" in file.read_text()
    sign(at_work, file)
    signed = loaded(at_work)
    assert signed.problems == ()
    assert {one.approved for one in signed.found} == {"signed by sam@acme.example, 2026-11-27 12:00 UTC"}
    assert [replace(one, approved="") for one in signed.found] == list(got.found)


def test_what_was_adopted_is_baselined_and_another_value_is_not(at_work: Office) -> None:
    story = finding(drift())
    sign(at_work, written(at_work, story))
    tolerated = Tolerated((), loaded(at_work).found)
    (same,) = exempt([story], tolerated, NOW, DIGEST, never, SPECS).findings
    assert same.verdict.outcome == "baselined"
    (spelled,) = exempt([finding(drift(live="60"))], tolerated, NOW, DIGEST, never, SPECS).findings
    assert spelled.verdict.outcome == "baselined"
    other = finding(drift(live=61))
    assert exempt([other], tolerated, NOW, DIGEST, never, SPECS).findings == (other,)
    elsewhere = digest_of(b"x" * 32, SPECS)
    assert exempt([story], tolerated, NOW, elsewhere, never, SPECS).findings == (story,)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("delay_seconds", "policy"), "does not count"),
        (("2027-05-27", "2027-06-27"), "does not count"),
        (("- ", "- 'changed policy 00000000000000000000000000000000 1/2/3/4'\n- "), "does not count"),
        (("owner: ", "reason: x\nowner: "), "does not count"),
        ((f'install: "{MARK}"', 'install: "00000000"'), "propose it anew"),
    ],
)
def test_an_approval_is_for_the_whole_file_as_it_stands(at_work: Office, change: tuple[str, str], why: str) -> None:
    file = written(at_work, finding(drift()))
    sign(at_work, file)
    content = file.read_text()
    assert change[0] in content
    file.write_text(content.replace(*change, 1))
    got = loaded(at_work)
    assert [one.approved for one in got.found if one.approved] == []
    assert why in got.problems[0]


def test_comments_and_layout_are_not_signed(at_work: Office) -> None:
    file = written(at_work, finding(drift()))
    sign(at_work, file)
    file.write_text("# seen by audit\n" + file.read_text().replace("  # aws_sqs_queue.orders", ""))
    assert all(one.approved for one in loaded(at_work).found)


def test_signing_again_after_a_line_was_struck_out(at_work: Office) -> None:
    file = written(at_work, finding(drift(), drift("policy")))
    sign(at_work, file)
    file.write_text("".join(line for line in file.read_text().splitlines(True) if "policy" not in line))
    assert loaded(at_work).problems != ()
    sign(at_work, file)
    got = loaded(at_work)
    assert got.problems == ()
    assert [one.attribute for one in got.found] == ["delay_seconds"]
    assert file.read_text().count("approval:") == 1


@pytest.mark.parametrize(
    ("change", "line", "why"),
    [
        (('approver: "sam"', 'approver: "dana"'), 5, "is the owner too"),
        (('until: "2027-05-27"', 'until: "2029-05-27"'), 6, "365 days"),
        (('owner: "dana"\n', ""), 3, "needs owner"),
        ((f'install: "{MARK}"', 'install: "mine"'), 7, "needs 'install'"),
        (("changed", "vanished"), 10, "an entry must be 'KIND ATTRIBUTE"),
        (("changed", "unapplied"), 10, "an entry must be 'KIND ATTRIBUTE"),
        (("/aws_sqs_queue/orders", ""), 10, "an entry must be 'KIND ATTRIBUTE"),
        (("entries:", "entires:"), 9, "did you mean 'entries'?"),
    ],
)
def test_a_file_with_a_mistake_says_where(at_work: Office, change: tuple[str, str], line: int, why: str) -> None:
    file = written(at_work, finding(drift()))
    content = file.read_text()
    assert change[0] in content
    file.write_text(content.replace(*change))
    got = loaded(at_work)
    assert got.found == ()
    assert any(one.startswith(f"{file}:{line}: ") and why in one for one in got.problems), got.problems
    with pytest.raises(DocumentError):
        sign(at_work, file)


def test_a_file_that_is_none_is_told_and_the_others_count(at_work: Office) -> None:
    written(at_work, finding(drift()))
    at_work.write("baseline/broken.yaml", "entries: [\n")
    at_work.write("baseline/list.yaml", "- a\n")
    got = loaded(at_work)
    assert len(got.files) == 1
    assert ["broken.yaml" in got.problems[0], "list.yaml" in got.problems[1]] == [True, True]
    assert read(at_work.folder / "nowhere", LONGEST, at_work.approvals, NOW, MARKS) == Baseline()


# --- what is proposed ----------------------------------------------------------------------------------------


def test_only_what_nobody_had_authority_for_is_proposed() -> None:
    stories = [
        finding(drift(), number=1),
        finding(drift("policy"), number=2, verdict=Verdict("unauthorised")),
        finding(drift("tags_all"), number=3, verdict=Verdict("authorised")),
        finding(drift("kms_master_key_id"), number=4, verdict=Verdict("baselined")),
        finding(drift("fifo_queue"), number=5, verdict=Verdict("pending-documentation")),
        finding(drift("redrive_policy", kind="unapplied"), number=6),
        finding(drift("", {}, kind="unmanaged", note="unlisted"), number=7),
        finding(drift("name"), number=8, trail="stopped"),
        finding(drift("arn"), number=9, cause="state-edited"),
    ]
    (one,) = proposed(*stories).files
    assert one.entries == 2
    assert "delay_seconds" in one.text
    assert "policy" in one.text


def test_a_stack_of_its_own_and_files_of_bounded_size(at_work: Office) -> None:
    many = [finding(drift(key=replace(QUEUE, id=f"q{n}")), number=n) for n in range(2100)]
    other = finding(drift("policy"), number=9000, stack="b a/n:k", address="")
    none = finding(drift("", {}, kind="unmanaged"), number=9001, stack="", address="")
    got = proposed(*many, other, none)
    assert [(one.name, one.entries) for one in got.files] == [
        ("2026-11-27-undeclared", 1),
        ("2026-11-27-b-a-n-k", 1),
        ("2026-11-27-shop", 2000),
        ("2026-11-27-shop", 100),
    ]
    folder = at_work.folder / "baseline"
    names = [create(folder, one.name, one.text).name for one in got.files]
    assert names[2:] == ["2026-11-27-shop.yaml", "2026-11-27-shop-2.yaml"]
    assert [file.name for file in sorted(folder.iterdir())] == sorted(names)
    assert [one.name for one in proposed(other, none, stack="b a/n:k").files] == ["2026-11-27-b-a-n-k"]
    began = time.process_time()
    assert len(loaded(at_work).found) == 2102
    assert time.process_time() - began < 5


def test_what_is_critical_is_left_out_and_told() -> None:
    story = finding(drift())
    got = proposed(story, critical=lambda one: one.id == "F-1")
    assert got == Proposal((), (story,), ())


def test_a_name_that_no_line_can_hold_is_left_out_and_told() -> None:
    odd = finding(drift(key=replace(QUEUE, id="half \ud83d")), number=2)
    got = proposed(finding(drift()), odd)
    assert [one.entries for one in got.files] == [1]
    assert got.unwritable == (odd,)


def judged(key: Key, *drifts: Drift) -> Finding:
    return finding(*drifts, key=key, address="x.y")


ROLE = replace(QUEUE, type="aws_iam_role", id="admin")
RULE = Key("111122223333", "eu-west-1", "aws_security_group_rule", "sg-1|ingress|tcp|22|22|0.0.0.0/0")
GROUP = Key("111122223333", "eu-west-1", "aws_security_group", "sg-1")
OPEN = {"type": "ingress", "protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": ["0.0.0.0/0"]}


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (finding(drift()), False),
        (
            judged(
                replace(QUEUE, type="aws_iam_role", id="admin"), drift("path", key=replace(QUEUE, type="aws_iam_role"))
            ),
            True,
        ),
        (judged(replace(QUEUE, type="aws_cloudtrail"), drift("s3_bucket_name")), True),
        (judged(replace(QUEUE, type="aws_kms_key"), drift("policy")), True),
        (judged(GROUP, drift("ingress", OPEN, key=GROUP, part=RULE)), True),
        (
            judged(
                GROUP,
                drift(
                    "ingress",
                    OPEN | {"cidr_blocks": ["10.0.0.0/8"]},
                    key=GROUP,
                    part=replace(RULE, id="sg-1|ingress|tcp|22|22|10.0.0.0/8"),
                ),
            ),
            False,
        ),
        (judged(replace(QUEUE, id="driftwarden-events"), drift("delay_seconds")), True),
        (judged(Key("1", "global", "aws_s3_bucket", "acme-trail"), drift("tags_all")), True),
    ],
)
def test_what_is_critical(story: Finding, expected: bool) -> None:
    own = {"driftwarden-events", "acme-trail"}
    critical = critical_of(load_rules(), SPECS, own)
    assert critical(story) is expected
    # Whatever was said of it before: a pending opening is an opening.
    assert critical(replace(story, verdict=Verdict("pending"))) is expected


def test_the_agents_own_things_by_the_configuration(at_work: Office) -> None:
    trail = TrailSource(source=("s3://acme-trail/logs", "eventbridge:https://sqs.eu-west-1.amazonaws.com/1/dw-events"))
    config = type(at_work.config)(account=(Account(role_arn="arn:aws:iam::1:role/ops/driftwarden"),), trail=trail)
    assert own_names(config) == {
        *("arn:aws:iam::1:role/ops/driftwarden", "driftwarden", "acme-trail", "dw-events"),
        "https://sqs.eu-west-1.amazonaws.com/1/dw-events",
    }
    assert own_names(type(at_work.config)()) == frozenset()


# --- hashes and lines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (drift(live=60), drift(live="60"), True),
        (drift("policy", '{"Statement": [], "Version": "x"}'), drift("policy", '{"Version":"x","Statement":[]}'), True),
        (drift("tags_all", {"a": "1", "aws:x": "2"}), drift("tags_all", {"a": "1"}), True),
        (drift("policy", Secret("ab")), drift("policy", Secret("ab")), True),
        (drift("policy", Secret("ab")), drift("policy", Secret("cd")), False),
        (drift(live=60), drift(live=61), False),
        (drift(live=None), drift(live=0), False),
        (drift("", None, kind="missing"), drift("", None, kind="unmanaged"), False),
        (drift("ingress", None, GROUP, part=RULE), drift("ingress", None, GROUP, part=replace(RULE, id="x")), False),
        (drift("", {"a": Unknown("denied")}, kind="unmanaged"), drift("", {"a": "b"}, kind="unmanaged"), False),
    ],
)
def test_hashes_are_of_values(one: Drift, other: Drift, same: bool) -> None:
    assert (DIGEST(one) == DIGEST(other)) is same
    assert len(DIGEST(one)) == 32


def test_a_hash_tells_nothing_without_the_key() -> None:
    assert DIGEST(drift()) != digest_of(b"x" * 32, SPECS)(drift())
    assert install_mark(KEY) != install_mark(b"x" * 32)


def values() -> st.SearchStrategy[Any]:
    leaves: Sequence[st.SearchStrategy[Any]] = (
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters()),
        st.builds(Unknown, st.just("denied")),
        st.builds(Secret, st.just("ab")),
    )
    return st.recursive(
        st.one_of(*leaves),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    )


@settings(max_examples=60, deadline=None)
@given(values(), st.sampled_from(["policy", "tags_all", "delay_seconds", "nothing"]))
def test_any_value_has_a_hash(value: Any, attribute: str) -> None:
    assert DIGEST(drift(attribute, value)) == DIGEST(drift(attribute, value))
    assert len(DIGEST(drift("", {"a": value}, kind="unmanaged"))) == 32


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(), min_size=1, max_size=40), st.text(st.characters(), max_size=20))
def test_any_line_that_is_written_is_read_back(name: str, address: str) -> None:
    one = drift(key=replace(QUEUE, id=name))
    if not writable(one):
        return
    text = render(HEAD | {"since": "2026-11-27T12:00:00Z"}, [(one, DIGEST(one), address)], "a\nb")
    reader = Reader(Path("b.yaml"))
    got = of_value(parse(text, Path("b.yaml")), reader, LONGEST, APPROVALS, NOW, MARKS)
    assert reader.problems == []
    assert got is not None
    assert [(entry.key, entry.digest) for entry in got.entries] == [(one.key, DIGEST(one))]


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_is_a_quoted_scalar(text: str) -> None:
    assert YAML(typ="safe", pure=True).load(quoted(text)) == text
