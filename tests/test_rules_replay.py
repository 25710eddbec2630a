"""`agent.replay` and `driftwarden replay`: what other rules would have said of what was judged, and nothing written."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.judge import Rule
from agent.model import Actor as Who
from agent.model import Change as Call
from agent.model import Drift, Finding, FindingId, JudgedChange, Key, Outcome, Test, Verdict
from agent.replay import Replayed, replay
from agent.resources import load
from agent.rules import load_rules
from agent.store import ScanCommit, Seen, connect

SPECS = load()
NOW = datetime.now(UTC)
QUEUE = Key("111122223333", "eu-west-1", "aws_sqs_queue", "orders")


def rule(name: str, outcome: str = "unauthorised", **more: Any) -> Rule:
    return replace(Rule(name, name, "low", ((("outcome", (outcome,)),),)), **more)


def finding(name: str = "F-1", outcome: Outcome = "unauthorised", **more: Any) -> Finding:
    verdict = Verdict(outcome, (Test("ticket", "fail", "no reference"),), "manual")
    call = Call(
        (f"e-{name}",), NOW, "sqs:SetQueueAttributes", Who("dana", "person"), "console", QUEUE.account, QUEUE.region
    )
    judged = (JudgedChange(call, verdict),)
    drifts = (Drift(QUEUE, "changed", "delay_seconds", 0, 5),)
    return replace(Finding(FindingId(name), QUEUE, drifts=drifts, changes=judged, verdict=verdict), **more)


def differences(before: Sequence[Rule], after: Sequence[Rule], *found: Finding) -> list[tuple[str, str, str, str, str]]:
    told = replay([(NOW, one) for one in found or (finding(),)], before, after, SPECS)
    return [(one.finding, one.rule, one.what, one.before, one.after) for one in told]


# --- the differences -----------------------------------------------------------------------------------------


def test_the_same_rules_say_the_same() -> None:
    rules = load_rules()
    assert differences(rules, tuple(reversed(rules)), finding(), finding("F-2", "indeterminate")) == []


def test_what_appears_disappears_and_differs() -> None:
    gone, new, mild, grave = rule("gone"), rule("new"), rule("weighed"), rule("weighed", severity="high")
    assert differences([gone, mild], [new, grave]) == [
        ("F-1", "gone", "disappears", "low, enforce", ""),
        ("F-1", "new", "appears", "", "low, enforce"),
        ("F-1", "weighed", "differs", "low, enforce", "high, enforce"),
    ]


def test_a_stage_is_a_difference_and_so_is_what_cannot_be_decided() -> None:
    asked = rule("r")
    assert differences([asked], [replace(asked, stage="observe")]) == [
        ("F-1", "r", "differs", "low, enforce", "low, observe")
    ]
    undecided = replace(asked, when=((("weather", ("rain",)),),))
    assert differences([asked], [undecided]) == [("F-1", "r", "differs", "low, enforce", "low, enforce, undecided")]


def test_a_finding_is_held_against_each_verdict_it_had() -> None:
    first, later = NOW - timedelta(days=3), NOW - timedelta(days=1)
    undecided, decided = finding(outcome="indeterminate"), finding()
    rules = [rule("early", "indeterminate"), rule("late", "unauthorised"), rule("both", "*")]
    judged = [(NOW, decided), (later, decided), (first, undecided)]
    told = replay(judged, [], rules, SPECS)
    assert [(one.rule, one.first, one.times) for one in told] == [
        ("both", first, 3),
        ("early", first, 1),
        ("late", later, 2),
    ]
    assert told == replay(reversed(judged), [], rules, SPECS)
    assert (told[2].name, told[2].why) == ("aws_sqs_queue orders", "outcome is unauthorised")


# --- the command ---------------------------------------------------------------------------------------------

OURS = """\
id: queue-by-hand
title: A queue changed by hand
severity: low
stage: observe
when: {outcome: unauthorised, type: aws_sqs_queue}
why: w
fix: f
controls: []
examples:
  - {name: breaks, facts: {}, violates: true}
  - {name: keeps, facts: {outcome: authorised}, violates: false}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration, a store with a verdict of today and one of last month, and a folder of rules."""
    (tmp_path / "driftwarden.toml").write_text('[estate]\nname = "shop"\n[store]\nurl = "sqlite:///driftwarden.db"\n')
    (tmp_path / "new").mkdir()
    with connect(f"sqlite:///{tmp_path}/driftwarden.db") as store:
        for run, at, found in (
            ("run-1", NOW - timedelta(days=40), finding("F-old")),
            ("run-2", NOW - timedelta(hours=1), finding("F-new", address="aws_sqs_queue.\x1b[31morders")),
        ):
            store.scans.begin(run, at, "c" * 64, "r" * 64)
            store.scans.commit(ScanCommit(run, at, "violations", b"{}", seen=(Seen(found),)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(*words: str) -> Result:
    return CliRunner().invoke(main, ["replay", "--rules", "new", *words])


def test_nothing_would_change(place: Path) -> None:
    done = typed()
    assert (done.exit_code, done.output.startswith("0 violations would change, of 1 verdict since ")) == (0, True)
    assert json.loads(typed("--output", "json").output) == []


def test_what_would_change_is_told_and_nothing_is_written(place: Path) -> None:
    (place / "new" / "queue-by-hand.yaml").write_text(OURS)
    before = hashlib.sha256((place / "driftwarden.db").read_bytes()).hexdigest()
    done = typed()
    assert done.exit_code == 1
    assert "1 violation would change, of 1 verdict since " in done.output
    assert "queue-by-hand" in done.output
    assert "\x1b[31m" not in done.output
    (told,) = json.loads(typed("--output", "json", "--days", "30").output)
    expected = {"finding": "F-new", "rule": "queue-by-hand", "what": "appears", "before": "", "after": "low, observe"}
    assert {name: told[name] for name in expected} == expected
    assert set(told) == set(Replayed.__dataclass_fields__)
    both = json.loads(typed("--output", "json", "--days", "60").output)
    assert [one["finding"] for one in both] == ["F-new", "F-old"]
    assert hashlib.sha256((place / "driftwarden.db").read_bytes()).hexdigest() == before


def test_the_configured_stages_count_on_both_sides(place: Path) -> None:
    (place / "ours").mkdir()
    for folder, text in (("ours", OURS), ("new", OURS.replace("stage: observe", "stage: enforce"))):
        (place / folder / "queue-by-hand.yaml").write_text(text)
    stages = '[rules]\ndirs = ["ours"]\n'
    config = (place / "driftwarden.toml").read_text()
    (place / "driftwarden.toml").write_text(config + stages)
    assert [one["after"] for one in json.loads(typed("--output", "json").output)] == ["low, enforce"]
    (place / "driftwarden.toml").write_text(config + stages + 'observe = ["queue-*"]\n')
    assert json.loads(typed("--output", "json").output) == []


@pytest.mark.parametrize(
    ("broken", "words", "said"),
    [
        ("id: [", (), "queue-by-hand.yaml:1: is not YAML"),
        (OURS, ("-c", "nowhere.toml"), "nowhere.toml: no such file"),
        (OURS, ("--rules", "nowhere"), "nowhere: no such directory of rules"),
    ],
)
def test_what_cannot_be_used(place: Path, broken: str, words: Sequence[str], said: str) -> None:
    (place / "new" / "queue-by-hand.yaml").write_text(broken)
    done = typed(*words)
    assert (done.exit_code, said in done.output) == (2, True)
