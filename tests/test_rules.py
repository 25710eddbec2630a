"""`agent.rules`: the rules that ship keep their word, and a mistake in a rule file is an error with file and line."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent import expression, named
from agent.cli import main
from agent.facts import FACTS
from agent.model import SEVERITIES, Unknown
from agent.resources import load
from agent.rules import (
    DEEPEST,
    LARGEST,
    Checked,
    RuleError,
    check_rules,
    load_controls,
    load_rules,
    ruleset_sha256,
    staged,
)
from agent.shipped import shipped
from agent.tables import RulesConfig

RULES = load_rules()
CONTROLS = load_controls()

GOOD = """\
id: mine
title: A rule of our own
severity: low
when:
  outcome: [unauthorised, indeterminate]
  type: aws_sqs_*
unless:
  pipeline: true
why: It may not be.
fix: Undo it.
controls: [SOC2:CC8.1]
false_positives: [None known.]
examples:
  - name: a queue
    facts: {}
    violates: true
  - name: a topic
    facts: {type: aws_sns_topic}
    violates: false
stage: enforce
"""

WHEN = "when:\n  outcome: [unauthorised, indeterminate]\n  type: aws_sqs_*"
"""The condition of `GOOD`."""

Folder = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A directory of rules with the given files: name → text or bytes."""

    def write(**files: str | bytes) -> Path:
        for name, content in files.items():
            path = tmp_path / f"{name.replace('__', '/')}.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return write


# --- what ships ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", check_rules(RULES), ids=lambda example: f"{example.rule}: {example.example}")
def test_every_rule_decides_its_examples_as_it_says(example: Checked) -> None:
    assert example.expected is example.got


ENFORCED = """
    medium approved-afterwards/low breakglass-late change-reverted-unseen declared-twice denied-burst
    pipeline-without-ticket ticket-does-not-cover-change unauthorised-change undetermined-change unmanaged-resource
    unticketed-change
    high access-policy-widened breakglass-undocumented deletion-by-hand denied-burst-wide
    encryption-or-logging-turned-off self-approved-change sensitive-change-by-hand shared-or-root-account state-edited
    state-lineage-changed state-other-account state-serial-backwards trail-narrowed
    critical iam-privilege-change-by-hand public-exposure-by-hand trail-gap trail-stopped trail-tampered
"""
OBSERVED = """
    low authorised-not-codified outside-hours ticket-changed-afterwards
    medium absorbed-by-apply alarm-silenced-by-hand authority-unanswered failed-checks secret-by-hand terraform-by-hand
    high access-log-by-hand account-guard-by-hand backup-by-hand code-deployed-by-hand content-differs-from-plan
    copy-shared-by-hand credential-issued-by-hand cross-account-change detector-by-hand external-person-in-production
    federation-by-hand freeze-violated guardrail-by-hand high-risk-too-few-approvals key-access-by-hand mfa-removed
    network-filter-by-hand network-joined-by-hand not-permitted pipeline-itself-by-hand production-change-without-ticket
    production-data-by-hand startup-code-by-hand traffic-redirected-by-hand trust-policy-by-hand unmanaged-in-production
    unreviewed-commit workload-credential-by-hand workload-role-by-hand
    critical audit-trail-by-hand key-lost-by-hand
"""


def listed(text: str) -> dict[str, str]:
    """Rule → severity, of a table as above."""
    found, severity = {}, ""
    for word in text.split():
        if word in SEVERITIES:
            severity = word
        else:
            name, _, own = word.partition("/")
            found[name] = own or severity
    return found


def test_the_rules_that_ship() -> None:
    assert {rule.id: rule.severity for rule in RULES if rule.stage == "enforce"} == listed(ENFORCED)
    assert {rule.id: rule.severity for rule in RULES if rule.stage == "observe"} == listed(OBSERVED)
    assert all(rule.controls and rule.false_positives and rule.fix for rule in RULES)


def test_no_rule_that_ships_needs_a_library_that_does_not() -> None:
    assert [rule.id for rule in RULES if rule.expression] == []


def test_every_word_a_rule_asks_of_types_calls_and_attributes_can_be_said() -> None:
    """A word that nothing can match makes a rule that never holds, and nobody would notice."""
    specs, others = load(), named.load()
    calls = {f"{each.source}:{call.name}" for each in others.values() for call in each.calls}
    for spec in specs.values():
        sources = ((one.source or spec.event_source or spec.service, one.name) for one in spec.events)
        calls |= {f"{source.removesuffix('.amazonaws.com')}:{name}" for source, name in sources}
    can_be = {
        "type": {*specs, *others},
        "action": calls,
        "attribute": {"whole"}
        | {one.name for spec in specs.values() for one in spec.attributes}
        | {name for spec in specs.values() for event in spec.events for name in event.sets},
    }
    never = [
        (rule.id, fact, word)
        for rule in RULES
        for condition in (rule.when, rule.unless)
        for clauses in condition
        for fact, words in clauses
        for word in words
        if fact in can_be and not any(fnmatchcase(one, word) for one in can_be[fact])
    ]
    assert never == []


def test_every_control_is_named_by_a_rule_or_kept_for_the_report_on_purpose() -> None:
    named = {control for rule in RULES for control in rule.controls}
    assert named == {control.id for control in CONTROLS.values() if control.evidence == "rules"}


def test_the_frameworks_auditors_ask_for() -> None:
    assert {"SOX", "SOC2", "ISO27001", "PCI-DSS", "NIST-800-53", "HIPAA", "FedRAMP-20x"} == {
        control.id.partition(":")[0] for control in CONTROLS.values()
    }
    change = CONTROLS["NIST-800-53:CM-3"]
    assert (change.number, change.title, change.relation) == ("CM-3", "Configuration Change Control", "supports")


def test_nothing_we_ship_claims_compliance() -> None:
    folder = shipped("rules")
    texts = [file.read_text() for place in (folder, folder / "controls") for file in place.iterdir() if file.is_file()]
    assert [text for text in texts if re.search(r"\bsatisf|\bcomplian(t|ce)\b(?! with)", text)] == []


# --- what users bring ----------------------------------------------------------------------------------------


def test_a_users_rule_is_added(folder: Folder) -> None:
    rules = load_rules([folder(mine=GOOD)])
    assert {"mine"} == {rule.id for rule in rules} - {rule.id for rule in RULES}
    (mine,) = [rule for rule in rules if rule.id == "mine"]
    assert mine.when == ((("outcome", ("unauthorised", "indeterminate")), ("type", ("aws_sqs_*",))),)
    assert mine.unless == ((("pipeline", ("yes",)),),)
    assert [checked for checked in check_rules([mine]) if not checked.passed] == []


def test_a_users_rule_replaces_ours_by_id(folder: Folder) -> None:
    stricter = GOOD.replace("id: mine", "id: trail-gap")
    rules = {rule.id: rule for rule in load_rules([folder(**{"trail-gap": stricter})])}
    assert (len(RULES), "A rule of our own") == (len(rules), rules["trail-gap"].title)


def test_alternatives_and_wildcards(folder: Folder) -> None:
    either = "when:\n  - {outcome: un*}\n  - {kind: missing}\nunless:"
    (mine,) = [
        rule for rule in load_rules([folder(mine=re.sub("(?s)when:.*?unless:", either, GOOD))]) if rule.id == "mine"
    ]
    assert mine.when == ((("outcome", ("un*",)),), (("kind", ("missing",)),))


def test_a_users_controls_are_added_and_replace_ours(folder: Folder) -> None:
    bank = "framework: The bank's policy\ncontrols:\n  '7.1': {title: T, relation: supports, evidence: rules}\n"
    place = folder(mine=GOOD.replace("[SOC2:CC8.1]", "['BANK:7.1']"), controls__BANK=bank)
    assert load_controls([place])["BANK:7.1"].framework == "The bank's policy"
    assert [rule.controls for rule in load_rules([place]) if rule.id == "mine"] == [("BANK:7.1",)]


def test_an_example_that_does_not_hold_is_shown(folder: Folder) -> None:
    wrong = GOOD.replace("facts: {}", "facts: {pipeline: true}")
    failed = [checked for checked in check_rules(load_rules([folder(mine=wrong)])) if not checked.passed]
    assert [Checked("mine", "a queue", True, False)] == failed


def test_an_example_that_cannot_be_decided_does_not_pass(folder: Folder) -> None:
    asking = GOOD.replace("type: aws_sqs_*", "public: yes").replace("facts: {}", "facts: {public: unknown}")
    (first, _) = [checked for checked in check_rules(load_rules([folder(mine=asking)])) if checked.rule == "mine"]
    assert (Unknown("the example says so"), False) == (first.got, first.passed)


# --- mistakes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("  outcome:", "  outcom:", ":5: unknown fact 'outcom'; did you mean 'outcome'?"),
        ("unauthorised,", "unauthorized,", ":5: outcome is never 'unauthorized'; did you mean 'unauthorised'?"),
        ("unauthorised,", "x*,", ":5: outcome is never 'x*'; known are authorised, authorised-emergency, "),
        ("[unauthorised, indeterminate]", "[]", ":5: outcome is compared with nothing"),
        ("[unauthorised, indeterminate]", "{a: b}", ":5: outcome must be text, not a map"),
        ("  type: aws_sqs_*", "  account: 012345678901", ":6: account must be text, not 12345678901; write"),
        ("title: A rule of our own", "titel: A rule", ":2: unknown key 'titel' in a rule; did you mean 'title'?"),
        ("title: A rule of our own", "title:", ":2: title must be text, not empty"),
        ("title: A rule of our own", "title: [a]", ":2: title must be text, not a list"),
        ("title: A rule of our own", "title: ' '", ":2: title is empty"),
        ("title: A rule of our own\n", "", ":1: a rule has no 'title'"),
        ("severity: low", "severity: urgent", ":3: severity 'urgent' must be one of low, medium, high, critical"),
        ("id: mine", "id: yours", ":1: id 'yours' in a file named 'mine': the file's name is the rule's id"),
        ("SOC2:CC8.1", "SOC2:CC81", ":11: unknown control 'SOC2:CC81'; did you mean 'SOC2:CC8.1'?"),
        ("controls: [SOC2:CC8.1]", "controls: SOC2:CC8.1", ":11: controls must be a list"),
        ("    violates: true", "    violates: maybe", ":16: violates must be true or false, not maybe"),
        ("    violates: true", "    violates: false", ":13: no example that breaks the rule: `violates: true`"),
        ("    violates: false", "    violates: true", ":13: no example that keeps the rule: `violates: false`"),
        ("    facts: {}", "    facts:", ":15: facts must be a map"),
        ("    facts: {}", "    facts: {type: [1]}", ":15: entry 1 must be text, not 1"),
        ("    facts: {}", "    facts: {kind: '*'}", ":15: kind is never '*'"),
        ("  - name: a queue\n    facts: {}\n    violates: true", "  - a queue", ":14: an example must be a map"),
        ("  - name: a queue", "  - nam: a queue", ":14: unknown key 'nam' in an example; did you mean 'name'?"),
        ("stage: enforce", "stage: audit", ":20: stage 'audit' must be one of observe, enforce"),
        ("stage: enforce\n", "", ":1: a rule has no 'stage'"),
        ("stage: enforce", "stage: observe\nrunbook: ''", ":21: runbook is empty"),
        ("stage: enforce", "stage: observe\nrunbook: [a]", ":21: runbook must be text, not a list"),
        ("stage: enforce", "stage: enforce\nexpression: 1 +", ":21: expression: not CEL: "),
        ("stage: enforce", "stage: enforce\nexpression: '\"a\" in typ'", ":21: expression: unknown name 'typ'; "),
        ("stage: enforce", "stage: enforce\nexpression: ''", ":21: expression is empty"),
        (WHEN + "\nunless:", "unless:", ":1: a rule needs `when`, or an `expression`: it would never hold"),
        (WHEN, "when: []", ":4: when is empty"),
        (WHEN, "when: {}", ":4: when must be a map"),
        (WHEN, "when: [outcome]", ":4: when must be a map"),
        ("id: mine", "id: mine\nid: mine", ":2: key 'id' stands here and on line 1"),
        ("id: mine", "id: [", ":3: is not YAML: while parsing a flow "),
        ("id: mine", "id: *anchor", ":1: alias '*anchor' is not taken; write the value out"),
        ("id: mine", "id: !!str mine", ":1: tag 'tag:yaml.org,2002:str' is not taken; write the plain value"),
        ("id: mine", f"id: {'9' * 5000}", ":1: a number of too many digits"),
        ("id: mine", "id: \x01", ": is not YAML: "),
    ],
)  # fmt: skip
def test_a_mistake_names_file_line_and_what_would_be_right(folder: Folder, old: str, new: str, error: str) -> None:
    assert GOOD.count(old) == 1
    place = folder(mine=GOOD.replace(old, new))
    with pytest.raises(RuleError) as raised:
        load_rules([place])
    assert str(raised.value).startswith(f"{place}/mine.yaml{error}")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", ":1: a rule must be a map with id, title"),
        (b"- id: mine", ":1: a rule must be a map with id, title"),
        (b"id: mine\ntitle: \xff", ":2: not UTF-8"),
        (b"a: " + b"[" * 60_000, f":1: nested deeper than {DEEPEST} levels"),
        (b"- " * 30_000 + b"a", f":1: nested deeper than {DEEPEST} levels"),
        (b"id: mine\ntitle: a\n---\nid: mine", ":3: a second document starts here; keep one to a file"),
        (b"? [id]\n: mine", ":1: a key must be text"),
        (b"#" * (LARGEST + 1), f": {LARGEST + 1} bytes; a rule file has at most {LARGEST}"),
    ],
)
def test_files_that_are_no_rules(folder: Folder, content: bytes, error: str) -> None:
    place = folder(mine=content)
    with pytest.raises(RuleError) as raised:
        load_rules([place])
    assert str(raised.value).startswith(f"{place}/mine.yaml{error}")


@pytest.mark.parametrize(
    ("controls", "error"),
    [
        ("framework: F\ncontrols: []", ":2: controls must be a map"),
        ("framework: F\ncontrols:\n  7.1: {}", ":3: control number 7.1 must be text; write it in quotes"),
        ("framework: F\ncontrols:\n  a: b", ":3: control 'a' must be a map with title"),
        ("framework: F\ncontrols:\n  a: {title: T, relation: satisfies, evidence: rules}", ":3: relation 'satisfies'"),
        ("framework: F\ncontrols:\n  a: {title: T, relation: supports}", ":3: control 'a' has no 'evidence'"),
        ("controls: {}", ":1: a control file has no 'framework'"),
    ],
)  # fmt: skip
def test_mistakes_in_controls(folder: Folder, controls: str, error: str) -> None:
    place = folder(controls__F=controls)
    with pytest.raises(RuleError) as raised:
        load_controls([place])
    assert str(raised.value).startswith(f"{place}/controls/F.yaml{error}")


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="nowhere: no such directory of rules"):
        load_rules([tmp_path / "nowhere"])


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").mkdir()
    with pytest.raises(RuleError, match=r"mine\.yaml: cannot be read: Is a directory"):
        load_rules([tmp_path])


def test_other_files_are_left_alone(folder: Folder) -> None:
    place = folder(mine=GOOD)
    (place / "README.md").write_text("not a rule")
    assert len(RULES) + 1 == len(load_rules([place]))


@given(st.text(max_size=200))
@example("=")
@settings(max_examples=50, deadline=None)
def test_no_text_breaks_the_loader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    place = tmp_path_factory.mktemp("rules")
    (place / "mine.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(RuleError):
        load_rules([place])


# --- stages and expressions ----------------------------------------------------------------------------------


def stages(**asked: Any) -> dict[str, str]:
    return {rule.id: rule.stage for rule in staged(RULES, RulesConfig(**asked))}


def test_rules_are_promoted_and_taken_back_by_name() -> None:
    as_shipped = {rule.id: rule.stage for rule in RULES}
    assert stages() == as_shipped
    assert stages(enforce=("freeze-violated",)) == {**as_shipped, "freeze-violated": "enforce"}
    network = {name: "enforce" for name in as_shipped if name.startswith("network-")}
    assert len(network) == 2
    assert stages(enforce=("network-*",), observe=("trail-gap",)) == {**as_shipped, **network, "trail-gap": "observe"}


def test_a_stage_for_no_rule_or_for_both_is_an_error() -> None:
    with pytest.raises(
        RuleError, match=r"\[rules\] enforce: no rule is called 'freeze-violatd'; did you mean 'freeze-v"
    ):
        stages(enforce=("freeze-violatd",))
    with pytest.raises(RuleError, match=r"trail-gap, .*trail-tampered cannot be both enforced and observed"):
        stages(enforce=("trail-*",), observe=("trail-*",))


def test_a_rule_with_an_expression_and_nothing_else(folder: Folder) -> None:
    only = GOOD.replace(WHEN, "expression: type.exists(t, t.startsWith('aws_sqs_'))")
    (mine,) = [rule for rule in load_rules([folder(mine=only)]) if rule.id == "mine"]
    assert (mine.when, mine.expression) == ((), "type.exists(t, t.startsWith('aws_sqs_'))")
    assert [checked.passed for checked in check_rules([mine])] == [True, True]


def test_without_the_library_an_expression_says_how_to_get_it(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder(mine=GOOD + "expression: 'true || false || true'\n")
    monkeypatch.setitem(sys.modules, "cel", None)
    expression._engine.cache_clear()
    with pytest.raises(RuleError, match=r"mine\.yaml:21: expression: the library .* pip install 'driftwarden\[cel\]'"):
        load_rules([place])
    monkeypatch.undo()
    assert len(load_rules([place])) == len(RULES) + 1


# --- the digest ----------------------------------------------------------------------------------------------


def test_the_digest_is_of_what_rules_say(folder: Folder) -> None:
    same = ruleset_sha256(load_rules())
    assert same == ruleset_sha256(RULES)
    assert re.fullmatch("[0-9a-f]{64}", same)
    assert same != ruleset_sha256(load_rules([folder(mine=GOOD)]))
    assert same != ruleset_sha256([replace(RULES[0], severity="low"), *RULES[1:]])


def test_facts_are_described_and_their_example_is_one_they_can_be() -> None:
    for name, fact in FACTS.items():
        assert fact.about
        assert set(fact.example) <= set(fact.values or fact.example), name


# --- the command ---------------------------------------------------------------------------------------------


def typed(*words: str) -> Result:
    return CliRunner().invoke(main, ["rules", *words])


def test_the_command_lists_with_and_without_a_word() -> None:
    alone, listed_ = typed("--output", "json"), typed("list", "--output", "json")
    assert (alone.exit_code, listed_.exit_code) == (0, 0)
    assert alone.output == listed_.output == typed("--output", "json", "list").output
    assert {one["id"]: one["stage"] for one in json.loads(alone.output)} == {one.id: one.stage for one in RULES}


def test_directories_before_and_after_the_word_count(folder: Folder) -> None:
    wrong = str(folder(mine=GOOD.replace("facts: {}", "facts: {pipeline: true}")))
    assert [typed("--dir", wrong, "test").exit_code, typed("test", "--dir", wrong).exit_code] == [1, 1]
    assert (typed("test").exit_code, "FAIL" in typed("test").output) == (0, False)


def test_one_rule_explained(folder: Folder) -> None:
    place = folder(mine=GOOD + "runbook: Look. Then ask.\nexpression: change.hour > 2\n")
    done = typed("explain", "mine", "--dir", str(place))
    assert done.exit_code == 0
    for line in (
        "mine: A rule of our own",
        "  low, enforced: opens a case",
        "  broken where outcome is unauthorised or indeterminate and type is aws_sqs_*",
        "  and where change.hour > 2",
        "  not broken where pipeline is yes",
        "    pipeline: whether the pipeline test passed",
        "  Look. Then ask.",
        "  SOC2:CC8.1 Authorised and approved changes (supports)",
        "  None known.",
        "  breaks a queue",
        "  keeps  a topic",
    ):
        assert line in done.output.splitlines(), line
    assert "    change: the call: action, channel, source_ip," in done.output
    as_data = json.loads(typed("explain", "mine", "--dir", str(place), "--output", "json").output)
    assert (as_data["runbook"], as_data["expression"]) == ("Look. Then ask.", "change.hour > 2")


def test_a_rule_that_is_not_there() -> None:
    done = typed("explain", "trail-gab")
    assert (done.exit_code, "no rule is called 'trail-gab'" in done.output) == (2, True)
