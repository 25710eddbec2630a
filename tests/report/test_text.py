"""`agent.report.text`: the report in a terminal of any width."""

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.model import Unknown
from agent.report import text
from agent.report.content import Report, read
from agent.report.text import NARROWEST
from agent.rules import Checked, load_controls, load_rules

RULES, CONTROLS = load_rules(), load_controls()
Json = dict[str, Any]


def of(document: Json) -> Report:
    return read(document, RULES, CONTROLS)


def test_what_is_merged_and_not_applied_has_a_table_of_its_own(document: Json) -> None:
    head, _, *rows = text.merged_table(of(document), 200).splitlines()
    assert re.split(r"  +", head) == ["Stack", "Resource", "Merged, not applied", "Configured", "Recorded"]
    assert [re.split(r"  +", row) for row in rows] == [
        ["shop", "aws_sns_topic.alerts", "to be created"],
        ["shop", "aws_sqs_queue.orders", "delay_seconds", "0", "5"],
    ]
    document["unapplied"], document["findings"] = [], []
    assert text.merged_table(of(document), 200) == ""


def test_what_is_in_no_configured_stack_is_counted(document: Json) -> None:
    assert text.unlisted_lines(of(document)) == ["in no configured stack: 1 live resource: aws_vpc"]
    document["drifts"] *= 2
    assert text.unlisted_lines(of(document)) == ["in no configured stack: 2 live resources: aws_vpc ×2"]
    document["drifts"] = []
    assert text.unlisted_lines(of(document)) == []


def test_a_finding_tells_what_was_merged_and_what_state_absorbed(document: Json) -> None:
    merged = text.finding_detail(of(document), "F-000000000008", 100)
    assert merged is not None
    assert (
        "merged, not applied: delay_seconds  (stacks/shop/main.tf:41)\n    configured  0\n    recorded    5" in merged
    )
    document["findings"][2]["drifts"][0]["note"] = "absorbed"
    document["findings"][2]["notes"] = ["the state of stack shop went from serial 4 to 5"]
    role = text.finding_detail(of(document), "F-000000000003", 100)
    assert role is not None
    assert "absorbed: an apply wrote it into state" in role
    assert "the state of stack shop went from serial 4 to 5" in role


def test_the_table_of_findings(document: Json) -> None:
    expected = [
        ("Severity", "Resource", "What changed", "Who", "Authority", "Case"),
        (
            "critical",
            "aws_iam_role.settlement",
            "managed_policy_arns added",
            "marco",
            "Unauthorised: state, separation failed, CHG-1040",
            "DW-fedcba987654",
        ),
        (
            "critical",
            "aws_security_group.web",
            "ingress added",
            "dana@acme.example",
            "Unauthorised: ticket failed",
            "DW-0123456789ab",
        ),
        (
            "high",
            'aws_ssm_parameter.feature["refunds"]',
            "missing",
            "marco",
            "Unauthorised: state, separation failed, CHG-1040",
            "DW-fedcba987654",
        ),
        ("high", "module.data.aws_kms_key.ledger", "policy changed", "nobody seen", "Undetermined", "none"),
        (
            "medium",
            "aws_lambda_function.settlement",
            "changed, no difference left",
            "acme/shop",
            "Unauthorised: ticket failed",
            "00000000deadbeef",
        ),
        (
            "medium",
            "aws_s3_bucket payments-export-tmp",
            "not declared",
            "dana@acme.example",
            "Unauthorised: ticket failed",
            "DW-0123456789ab",
        ),
    ]
    head, rule, *rows = text.findings_table(of(document), 200).splitlines()
    assert set("- ") == set(rule)
    assert expected == [tuple(re.split(" {2,}", line)) for line in (head, *rows)]


def test_nothing_to_decide(document: Json) -> None:
    document |= {"findings": [], "cases": []}
    assert text.findings_table(of(document), 80) == "Nothing needs a decision."


@pytest.mark.parametrize("width", [40, 80, 100, 160])
def test_a_table_is_as_wide_as_it_is_told(document: Json, width: int) -> None:
    report = of(document)
    least = 6 * NARROWEST + 5 * 2
    for table in (text.findings_table(report, width), text.rules_table(RULES, width)):
        assert max(map(len, table.splitlines())) <= max(width, least)


def test_cells_wrap_and_lose_nothing(document: Json) -> None:
    wide, narrow = (text.findings_table(of(document), width) for width in (200, 100))
    assert len(narrow.splitlines()) > len(wide.splitlines())
    for part in ("aws_iam_role.", "settlement", "DW-", "CHG-1040"):
        assert part in narrow


def test_colour_only_when_asked(document: Json) -> None:
    report = of(document)
    assert "\x1b" not in text.findings_table(report, 120)
    coloured = text.findings_table(report, 120, colour=True)
    assert "\x1b[1;31mcritical\x1b[0m" in coloured
    assert text.findings_table(report, 120) == re.sub(r"\x1b\[[\d;]*m", "", coloured)


def test_one_finding_in_full(document: Json) -> None:
    expected = """\
Critical: aws_security_group.web
  F-000000000001 · aws_security_group · sg-0aaaaaaaaaaaaaaaa · 111122223333 · eu-west-1 · shop
  ingress added  (stacks/shop/main.tf:41)
    declared  (not declared)
    live      from_port = 22, protocol = tcp, source = 0.0.0.0/0, to_port = 22, type = ingress
  2026-03-02 06:58:12 UTC  ec2:AuthorizeSecurityGroupIngress by dana@acme.example (person), in the console from
      203.0.113.24
    known from SSO session name (90 % sure)
    explains the difference: created it
  Unauthorised: ticket failed
    pass    Somebody answers for it: dana@acme.example: SSO session name
    fail    Ticket exists: no reference, and no ticket's scope and window cover the change
  breaks public-exposure-by-hand (critical): Opened to the internet or to everybody, outside the process"""
    detail = text.finding_detail(of(document), "F-000000000001", 120)
    assert detail is not None
    assert expected == "\n".join(detail.splitlines()[:13])


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        ("F-000000000004", "breaks a-rule-of-old, which the ruleset no longer has"),
        ("F-000000000005", "added Statement[1]: {'Effect': 'Allow', 'Action': 'kms:Decrypt'}"),
        ("F-000000000005", "actor unknown: before the trail's window"),
        ("F-000000000007", "No rule broken: aws_cloudwatch_log_group.settlement"),
        ("F-000000000008", "In the code, not applied yet"),
        (
            "F-000000000003",
            "  high risk, score 7, needs 2 approvals, one of them from security\n    environment production +3",
        ),
        ("F-000000000003", "since then: CHG-1040 was reopened at 2026-03-02 08:40:00 UTC"),
        ("F-000000000007", "Authorised, CHG-1043, late"),
        ("F-000000000009", "under emergency BG-00000000000a"),
        ("F-00000000000a", "Observed only, no case: aws_sqs_queue.refunds"),
        ("F-00000000000a", "covered by legacy-retention"),
        ("F-00000000000a", "observed only, no case: unticketed-change (critical): Change made without a ticket"),
    ],
)
def test_what_else_a_finding_says(document: Json, finding: str, said: str) -> None:
    assert said in str(text.finding_detail(of(document), finding, 200))


def test_the_way_back_stands_unbroken_at_the_end(document: Json) -> None:
    long = f'  value = "{"x" * 100}"'
    document["findings"][0]["way_back"] = ['resource "a" "b" {', long, "}"]
    lines = str(text.finding_detail(of(document), "F-000000000001", 60)).splitlines()
    assert lines[-4:] == [
        "  the way back, as text; nothing of it is ever executed",
        '    resource "a" "b" {',
        f"    {long}",
        "    }",
    ]


def test_what_else_asks_for_attention(document: Json) -> None:
    assert text.attention_lines(of(document)) == [
        "break-glass BG-00000000000a (nils): Overdue: no document, 6 hours overdue",
        "break-glass BG-00000000000b (tess): Document rejected, documented 3 hours late",
        "ticket CHG-1040: 1 beyond, 1 not performed, 1 approved",
        "1 finding breaks observed rules only: no case",
        "exception legacy-retention ends in 7 days",
        "not in force: exceptions/old.yaml:9: it ended on 2026-02-01",
        "waits for two people: [authority] paths.manual would no longer ask for separation",
    ]


def test_nothing_else_asks_for_attention(document: Json) -> None:
    for name in ("emergencies", "tickets", "tolerated", "policy"):
        del document[name]
    document["findings"] = [one for one in document["findings"] if one["id"] != "F-00000000000a"]
    assert text.attention_lines(of(document)) == []


def test_evidence_nobody_gave_is_not_told(document: Json) -> None:
    document["findings"][0]["changes"][0]["actor"]["how"] = ""
    assert "known from" not in str(text.finding_detail(of(document), "F-000000000001", 120))


def test_a_finding_this_scan_has_not(document: Json) -> None:
    assert text.finding_detail(of(document), "F-ffffffffffff", 80) is None


def test_long_values_are_broken_and_stay_whole(document: Json) -> None:
    detail = str(text.finding_detail(of(document), "F-000000000005", 60))
    assert max(map(len, detail.splitlines())) <= 60
    joined = "".join(line.strip() for line in detail.splitlines())
    assert '{"AWS":"arn:aws:iam::444455556666:root"}' in joined


def test_coverage_in_lines(document: Json) -> None:
    expected = [
        "29 of 31 declared resources compared (93 %), 1,312 attributes; 44 live resources read",
        "trail 2026-02-23 09:14:00 UTC to 2026-03-02 09:14:00 UTC: 11 changes in 8,412 events, 1 denied, "
        "newest event 2026-03-02 09:13:00 UTC",
        "trail of 1 account in 2 regions, 1 of 2 checked against digests",
        "not read: 111122223333/eu-central-1/*/*: declared there, but not configured to be read (2 resources)",
        "not read: 111122223333/us-east-1/*/*: LookupEvents: AccessDenied for role driftwarden-reader",
        "2 limits never read: see the report",
    ]
    assert expected == text.coverage_lines(of(document))


def test_coverage_without_limits(document: Json) -> None:
    document["coverage"]["limits"] = []
    document["coverage"]["trail"]["newest_event"] = None
    lines = text.coverage_lines(of(document))
    assert (lines[-1], lines[1].endswith("newest event none")) == ("no limits", True)


def test_the_rules_worst_first() -> None:
    head, _, *rows = (re.split(r"  +", line) for line in text.rules_table(RULES, 400).splitlines())
    assert head == ["Severity", "Stage", "Rule", "Title", "Controls"]
    order = ["critical", "high", "medium", "low"]
    assert [row[:3] for row in rows] == sorted((row[:3] for row in rows), key=lambda row: (order.index(row[0]), row[2]))
    assert {tuple(row[:3]) for row in rows} == {(rule.severity, rule.stage, rule.id) for rule in RULES}


def test_what_became_of_examples() -> None:
    checked = [
        Checked("r", "as it says", True, True),
        Checked("r", "not so", True, False),
        Checked("r", "nor so", False, Unknown("?")),
    ]
    lines = [" ".join(line.split()) for line in text.examples_table(checked, 120).splitlines()]
    expected = [
        "pass r as it says",
        "FAIL r not so expected broken, got kept",
        "FAIL r nor so expected kept, got undecided",
    ]
    assert expected == lines[2:]


def test_wide_characters_keep_columns_straight(document: Json) -> None:
    document["findings"][0]["address"] = "aws_sqs_queue.注文"
    document["findings"][2]["address"] = "aws_sqs_queue.e\u0301te\u0301"
    lines = text.findings_table(of(document), 200).splitlines()
    wide = next(line for line in lines if "注文" in line)
    accented = next(line for line in lines if "te\u0301" in line)
    plain = next(line for line in lines if "nobody seen" in line)
    assert plain.index("policy changed") == wide.index("ingress added") + 2 == accented.index("managed_policy") - 2


@given(st.text(max_size=60), st.integers(min_value=1, max_value=120))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_name_moves_the_cursor(document: Json, name: str, width: int) -> None:
    document["findings"][0] |= {"address": name, "unexplained": name}
    document["findings"][0]["changes"][0]["actor"]["name"] = name
    report = of(document)
    for shown in (text.findings_table(report, width), str(text.finding_detail(report, "F-000000000001", width))):
        assert all(character.isprintable() or character == "\n" for character in shown)
