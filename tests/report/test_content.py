"""`agent.report.content`: what a report says of a scan document."""

import json
from typing import Any

import jsonschema
import pytest

from agent.report.authority import web_address
from agent.report.content import Report, ReportError, read
from agent.report.values import Shown, detail, difference, moment, shown, words
from agent.rules import load_controls, load_rules
from agent.shipped import shipped

RULES, CONTROLS = load_rules(), load_controls()


def of(document: dict[str, Any]) -> Report:
    return read(document, RULES, CONTROLS)


def test_the_document_these_tests_report_on_is_one(document: dict[str, Any]) -> None:
    jsonschema.validate(document, json.loads(shipped("docs/scan.schema.json").read_text()))


def test_what_needs_a_decision_comes_worst_first(document: dict[str, Any]) -> None:
    report = of(document)
    expected = [
        ("critical", "aws_iam_role.settlement"),
        ("critical", "aws_security_group.web"),
        ("high", 'aws_ssm_parameter.feature["refunds"]'),
        ("high", "module.data.aws_kms_key.ledger"),
        ("medium", "aws_lambda_function.settlement"),
        ("medium", "aws_s3_bucket payments-export-tmp"),
    ]
    assert expected == [(story.severity, story.name) for story in report.stories]
    assert [case.key for case in report.decisions] == ["0123456789abcdef", "fedcba9876543210", "00000000deadbeef"]
    assert [story.name for story in report.loose] == ["module.data.aws_kms_key.ledger"]


def test_a_case_names_findings_that_are_no_longer_seen(document: dict[str, Any]) -> None:
    assert [case.earlier for case in of(document).decisions] == [(), ("F-0000000000aa",), ()]


def test_what_needs_no_decision_is_kept_apart(document: dict[str, Any]) -> None:
    report = of(document)
    assert [story.name for story in report.to_codify] == ["aws_cloudwatch_log_group.settlement"]
    assert [story.name for story in report.unapplied] == ["aws_sqs_queue.orders"]
    assert report.waiting == ()
    assert [call.action for call in report.authorised] == ["logs:PutRetentionPolicy", "ssm:PutParameter"]
    assert report.service_made == 1


def test_every_finding_and_every_change_is_somewhere(document: dict[str, Any]) -> None:
    report = of(document)
    told = [*report.stories, *report.waiting, *report.to_codify, *report.unapplied, *report.observed]
    told += [story for one in report.breakglass for story in one.stories]
    ids = sorted(item["id"] for item in document["findings"])
    assert ids == sorted(story.id for story in told) == sorted(story.id for story in report.every)
    judged = [*report.stories, *report.observed, *(story for one in report.breakglass for story in one.stories)]
    assert len(report.authorised) + report.service_made + sum(len(story.calls) for story in judged) == 11


def test_what_is_merged_and_not_applied_is_kept_apart(document: dict[str, Any]) -> None:
    """Also where the same resource was changed by hand besides."""
    delayed = document["findings"][7]["drifts"][0] | {
        "address": "aws_iam_role.settlement",
        "declared": 3600,
        "live": 7200,
    }
    delayed["attribute"] = "max_session_duration"
    document["findings"][2]["drifts"].append(delayed)
    report = of(document)
    assert [(one.name, one.what, one.source) for one in report.merged] == [
        ("aws_iam_role.settlement", "max_session_duration", "stacks/shop/main.tf:41"),
        ("aws_sns_topic.alerts", "to be created", "stacks/shop/main.tf:77"),
        ("aws_sqs_queue.orders", "delay_seconds", "stacks/shop/main.tf:41"),
    ]
    role = next(story for story in report.stories if story.name == "aws_iam_role.settlement")
    assert [one.attribute for one in role.differences] == ["managed_policy_arns"]
    assert [(one.configured.text, one.recorded.text) for one in role.merged if one.configured and one.recorded] == [
        ("3600", "7200")
    ]


def test_what_is_in_no_configured_stack_is_listed(document: dict[str, Any]) -> None:
    report = of(document)
    assert [(one.type, one.id, one.finding) for one in report.unlisted] == [("aws_vpc", "vpc-0bbb", "")]
    bucket = document["findings"][1]["drifts"][0]
    bucket["note"] = "unlisted"
    document["drifts"].append(bucket)
    assert ("aws_s3_bucket", "F-000000000002") in {(one.type, one.finding) for one in of(document).unlisted}


def test_states_are_listed(document: dict[str, Any]) -> None:
    (state,) = of(document).states
    assert (state.stack, state.serial, state.commit, state.author) == ("shop", 41, "4f1c2a9d0e5b", "lena@acme.example")


def test_a_document_of_before_states_were_told_can_be_read(document: dict[str, Any]) -> None:
    del document["states"], document["unapplied"]
    for item in document["findings"]:
        del item["cause"], item["notes"]
    for item in [*document["drifts"], *(one for f in document["findings"] for one in f["drifts"])]:
        item.pop("note", None)
    report = of(document)
    assert (report.states, report.unlisted) == ((), ())
    assert [one.name for one in report.merged] == ["aws_sqs_queue.orders"]


def before_authority(document: dict[str, Any]) -> dict[str, Any]:
    """The document as a version wrote it that knew no emergencies, exceptions, risk or way back."""
    for name in ("emergencies", "tickets", "tolerated", "policy"):
        del document[name]
    for case in document["cases"]:
        for name in ("grant", "deadline", "stage"):
            del case[name]
    for item in document["findings"]:
        del item["way_back"]
        item["violations"] = [one for one in item["violations"] if not one.pop("observed")]
    for item in [
        *document["findings"],
        *document["changes"],
        *(one for f in document["findings"] for one in f["changes"]),
    ]:
        for name in ("risk", "grant", "since", "covered_by"):
            item["verdict"].pop(name, None)
    return document


def test_a_document_of_before_authority_was_told_can_be_read(document: dict[str, Any]) -> None:
    report = of(before_authority(document))
    assert (report.standing.told, report.breakglass, report.observed) == (False, (), ())
    assert len(report.every) == len(document["findings"])
    assert [case.key for case in report.decisions if case.stories] == [
        "0123456789abcdef",
        "fedcba9876543210",
        "00000000000000bb",
        "00000000deadbeef",
    ]


# --- authority besides verdicts ------------------------------------------------------------------------------


def test_the_most_urgent_emergency_comes_first_with_what_it_changed(document: dict[str, Any]) -> None:
    first, second = of(document).breakglass
    assert (first.emergency.id, first.emergency.timing, first.emergency.urgent) == (
        "BG-00000000000a",
        "6 hours overdue",
        True,
    )
    assert (first.case.ticket if first.case else "", [story.id for story in first.stories]) == (
        "DW-0000000000bb",
        ["F-000000000009"],
    )
    assert (second.emergency.timing, second.case, second.stories) == ("documented 3 hours late", None, ())
    assert second.emergency.document is not None
    assert ("The way back", "codify") in second.emergency.document.lines


@pytest.mark.parametrize(
    ("deadline", "document_at", "said"),
    [
        ("2026-03-02T10:14:09Z", None, "due in 1 hour"),
        ("2026-03-02T09:00:00Z", None, "14 minutes overdue"),
        ("2026-02-20T09:14:09Z", None, "10 days overdue"),
        ("2026-03-02T10:14:09Z", "2026-03-02T08:00:00Z", "documented in time"),
        ("2026-03-02T07:00:00Z", "2026-03-02T08:00:00Z", "documented 1 hour late"),
    ],
)
def test_how_a_deadline_was_kept(document: dict[str, Any], deadline: str, document_at: str | None, said: str) -> None:
    one = document["emergencies"][0] | {"deadline": deadline, "late": False}
    one["document"] = one["document"] | {"at": document_at} if document_at else None
    document["emergencies"] = [one]
    assert of(document).breakglass[0].emergency.timing == said


def test_an_emergency_that_became_a_violation_is_told_among_what_needs_a_decision(document: dict[str, Any]) -> None:
    """Once, and the emergency leads to it."""
    night = next(item for item in document["findings"] if item["id"] == "F-000000000009")
    broken = {"rule": "unticketed-change", "severity": "high", "why": "late", "indeterminate": False, "observed": False}
    night |= {"severity": "high", "rules": ["unticketed-change"], "violations": [broken]}
    report = of(document)
    assert "F-000000000009" in [story.id for story in report.stories]
    assert "00000000000000bb" in [case.key for case in report.decisions]
    first = report.breakglass[0]
    assert (first.stories, [story.id for story in first.elsewhere]) == ((), ["F-000000000009"])


def test_a_break_glass_case_whose_emergency_is_no_longer_told_is_not_dropped(document: dict[str, Any]) -> None:
    document["emergencies"] = []
    assert "00000000000000bb" in [case.key for case in of(document).decisions]


def test_a_finding_of_two_cases_is_told_in_full_once(document: dict[str, Any]) -> None:
    document["cases"][0]["findings"].append("F-000000000003")
    cases = {case.key: case for case in of(document).cases}
    told = [story.id for case in cases.values() for story in case.stories]
    assert len(told) == len(set(told))
    assert [story.id for case in cases.values() for story in case.elsewhere] == ["F-000000000003"]


def test_what_breaks_nothing_but_observed_rules_needs_no_decision(document: dict[str, Any]) -> None:
    report = of(document)
    (story,) = report.observed
    assert (story.id, story.severity, story.rules) == ("F-00000000000a", "", ())
    assert [(one.id, one.severity, one.known) for one in story.observed] == [
        ("unticketed-change", "critical", True),
        ("a-rule-tried-out", "critical", False),
    ]
    assert story.id not in [one.id for one in report.stories]


def test_an_observed_rule_beside_an_enforced_one_does_not_raise_the_severity(document: dict[str, Any]) -> None:
    item = document["findings"][1]
    item["violations"] = [one | {"severity": "medium"} for one in item["violations"]]
    item["violations"].append(
        {"rule": "trail-gap", "severity": "critical", "why": "", "indeterminate": False, "observed": True}
    )
    item |= {"severity": "critical", "rules": [*item["rules"], "trail-gap"]}
    story = next(one for one in of(document).stories if one.id == item["id"])
    assert (story.severity, [one.id for one in story.observed]) == ("medium", ["trail-gap"])
    assert "trail-gap" not in [rule.id for rule in story.rules]


def test_tickets_that_went_beyond_or_were_not_performed_come_first(document: dict[str, Any]) -> None:
    first, second = of(document).standing.tickets
    assert (first.ref, [row.result for row in first.rows]) == ("CHG-1040", ["beyond", "not performed", "approved"])
    assert (second.worst, second.counts) == ("approved", (("approved", 1),))
    assert (first.url, second.url) == ("https://jira.acme.example/browse/CHG-1040", "")


@pytest.mark.parametrize(
    ("text", "leads"),
    [
        ("https://jira.acme.example/browse/CHG-1", True),
        ("http://[::1]:8080/issue7", True),
        ("javascript:alert(1)", False),
        (" https://x.example/", False),
        ("https://x.example/a b", False),
        ("https://x.example/\u202e", False),
        ("https://dana@x.example/", False),
        ("data:text/html,x", False),
        ("//x.example", False),
        ("", False),
    ],
)
def test_only_plain_web_addresses_are_led_to(text: str, leads: bool) -> None:
    assert web_address(text) == (text if leads else "")


def test_what_may_differ_ends_soonest_first(document: dict[str, Any]) -> None:
    first, second = of(document).standing.entries
    assert (first.id, first.left, first.soon, first.hits) == ("legacy-retention", "7 days", True, 0)
    assert (second.id, second.soon, second.hits) == ("baseline/shop.yaml", False, 40)


def test_risk_and_what_became_of_the_ticket_stand_with_the_verdict(document: dict[str, Any]) -> None:
    story = next(one for one in of(document).stories if one.name == "aws_iam_role.settlement")
    assert story.verdict.risk is not None
    assert (story.verdict.risk.level, story.verdict.risk.needs) == ("high", "2 approvals, one of them from security")
    assert story.verdict.since == ("CHG-1040 was reopened at 2026-03-02 08:40:00 UTC",)


def test_coverage(document: dict[str, Any]) -> None:
    coverage = of(document).coverage
    assert (
        coverage.declared,
        coverage.compared,
        coverage.percent,
        coverage.live,
        coverage.attributes,
    ) == (31, 29, 93, 44, 1312)
    assert (len(coverage.gaps), len(coverage.trail.gaps), len(coverage.limits)) == (1, 1, 2)
    assert coverage.trail.newest == "2026-03-02 09:13:00 UTC"


def test_nearly_all_is_not_all(document: dict[str, Any]) -> None:
    document["coverage"] |= {"declared": 1000, "compared": 999}
    assert of(document).coverage.percent == 99
    document["coverage"] |= {"declared": 0, "compared": 0}
    assert of(document).coverage.percent == 0


def test_a_scan_is_complete_only_without_any_gap(document: dict[str, Any]) -> None:
    assert not of(document).complete
    document["coverage"]["gaps"] = []
    assert not of(document).complete
    document["coverage"]["trail"]["gaps"] = []
    assert of(document).complete


def test_the_calls_reason_stands_with_the_call(document: dict[str, Any]) -> None:
    by_name = {story.name: story for story in of(document).stories}
    assert [call.why for call in by_name["aws_security_group.web"].calls] == ["created it"]
    assert [call.why for call in by_name['aws_ssm_parameter.feature["refunds"]'].calls] == ["", ""]
    assert by_name['aws_ssm_parameter.feature["refunds"]'].actors == ("marco",)


def test_controls_count_the_findings_that_speak_to_them(document: dict[str, Any]) -> None:
    by_id = {row.control.id: row for row in of(document).controls}
    assert len(CONTROLS) == len(by_id)
    assert by_id["SOC2:CC8.1"].findings == 6
    assert (by_id["PCI-DSS:8.2.1"].findings, by_id["PCI-DSS:8.2.1"].rules) == (0, ("shared-or-root-account",))
    assert by_id["NIST-800-53:CA-7"].rules == ()


def test_rules_count_the_findings_that_break_them(document: dict[str, Any]) -> None:
    counts = {rule.id: count for rule, count in of(document).rules}
    assert (counts["unticketed-change"], counts["deletion-by-hand"], counts["trail-gap"]) == (3, 1, 0)


def test_a_rule_that_is_gone_is_named(document: dict[str, Any]) -> None:
    (story,) = [one for one in of(document).stories if one.unnamed]
    assert story.unnamed == ("a-rule-of-old",)
    assert [rule.id for rule in story.rules] == ["deletion-by-hand", "ticket-does-not-cover-change"]


@pytest.mark.parametrize("broken", [{}, {"schema": "driftwarden/scan/2"}, {"schema": "driftwarden/scan/1"}])
def test_other_documents_are_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(ReportError, match=r"not a (whole )?scan document"):
        of(broken)


def test_a_damaged_document_is_refused(document: dict[str, Any]) -> None:
    document["findings"][0]["verdict"] = None
    with pytest.raises(ReportError, match="not a whole scan document"):
        of(document)


GONE = "(does not exist)"

# --- values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "(not set)"),
        ("", "(not set)"),
        ([], "(not set)"),
        (0, "0"),
        (False, "false"),
        ("30", "30"),
        ([1, "a"], '[1, "a"]'),
        ({"b": 1, "a": "x", "c": None}, "a = x, b = 1"),
        ({"tags": {"owner": "dana"}}, "tags = {owner = dana}"),
        ({"only": None}, "(not set)"),
    ],
)
def test_how_values_read(value: Any, text: str) -> None:
    assert text == shown(value).text


def test_long_values_need_room() -> None:
    assert [shown("x" * length).long for length in (160, 161)] == [False, True]


@pytest.mark.parametrize(
    ("drift", "expected"),
    [
        ({"kind": "changed", "declared": 0, "live": 5}, ("changed", "0", "5")),
        ({"kind": "changed", "declared": None, "live": 5}, ("changed", "(not set)", "5")),
        ({"kind": "missing", "declared": {"a": 1}, "live": None}, ("missing", "a = 1", GONE)),
        ({"kind": "unmanaged", "declared": None, "live": {"a": 1}}, ("not declared", "(declared nowhere)", "a = 1")),
        (
            {"kind": "unmanaged", "declared": None, "live": {"a": 1}, "note": "unlisted"},
            ("in no configured stack", "(declared nowhere)", "a = 1"),
        ),
        ({"kind": "changed", "declared": None, "live": {"a": 1}, "part": "p"}, ("added", "(not declared)", "a = 1")),
        (
            {"kind": "changed", "declared": {"a": 1}, "live": None, "part": "p"},
            ("removed", "a = 1", "(does not exist)"),
        ),
    ],
)
def test_how_differences_read(drift: dict[str, Any], expected: tuple[str, str, str]) -> None:
    headline, declared, live = difference({"part": None, **drift})
    assert expected == (headline, declared.text, live.text)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Item root['a'][0] ({'x': 1}) added to iterable.", "added a[0]: {'x': 1}"),
        ("Item root['a'] (\"b\") removed from dictionary.", 'removed a: "b"'),
        ("Value of root['n'] changed from 3 to 5.", "n: 3 to 5"),
        ("Type of root['n'] changed from str to list and value changed from \"a\" to ['b'].", "n: \"a\" to ['b']"),
        ("Something else about root['n']", "Something else about n"),
    ],
)
def test_details_are_shortened(line: str, expected: str) -> None:
    assert (expected,) == detail([line])


def test_words_and_moments() -> None:
    assert tuple(words(name) for name in ("indeterminate", "unauthorised", "service-made")) == (
        "Undetermined",
        "Unauthorised",
        "Made by an AWS service",
    )
    assert (moment("2026-01-02T03:04:05Z"), moment("")) == ("2026-01-02 03:04:05 UTC", "")
    assert Shown("(not set)", absent=True) == shown(None)
