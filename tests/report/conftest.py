"""One scan document to report on: a bad morning in the shop's account."""

import copy
from typing import Any

import pytest

from agent.rules import load_rules

Json = dict[str, Any]

RULES = load_rules()
ACCOUNT, REGION = "111122223333", "eu-west-1"


def drift(kind: str, type_: str, id_: str, address: str = "", **fields: Any) -> Json:
    return {
        "stack": "shop" if address else "",
        "address": address,
        "type": type_,
        "id": id_,
        "account": ACCOUNT,
        "region": REGION,
        "kind": kind,
        "basis": "configured",
        "attribute": "",
        "declared": None,
        "live": None,
        "part": None,
        "detail": [],
        "source": "stacks/shop/main.tf:41" if address else None,
        "note": "",
        **fields,
    }


def actor(name: str, kind: str = "person", how: str = "SSO session name", confidence: float = 0.9) -> Json:
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/Engineer/{name}"
    return {"name": name, "kind": kind, "arn": arn, "how": how, "confidence": confidence} | {
        "person": None,
        "team": None,
    }


def tested(**results: str) -> list[Json]:
    """Test name → `result: evidence`."""
    pairs = ((name, *said.split(": ", 1)) for name, said in results.items())
    return [{"name": name, "result": result, "evidence": evidence} for name, result, evidence in pairs]


def verdict(outcome: str, path: str = "manual", ticket: str | None = None, late: bool = False, /, **tests: str) -> Json:
    more = {"risk": None, "grant": None, "since": [], "covered_by": None, "environment": None}
    return {"outcome": outcome, "late": late, "path": path, "ticket": ticket, "tests": tested(**tests)} | more


def call(event: str, time: str, action: str, who: Json, judged: Json, channel: str = "console") -> Json:
    return {
        "event_ids": [event],
        "time": f"2026-03-02T{time}Z",
        "action": action,
        "account": ACCOUNT,
        "channel": channel,
        "identity": "iam-user",
        "tool": None,
        "source_ip": "203.0.113.24",
        "actor": who,
        "verdict": judged,
    }


def finding(number: int, drifts: list[Json], calls: list[Json], judged: Json, **fields: Any) -> Json:
    first: Json = drifts[0] if drifts else {}
    broken = [rule for rule in RULES if rule.id in fields.get("rules", ())]
    return {
        "id": f"F-{number:012x}",
        "stack": first.get("stack", "shop"),
        "address": first.get("address", ""),
        "type": first.get("type", ""),
        "id_live": first.get("id", ""),
        "account": ACCOUNT,
        "region": REGION,
        "drifts": drifts,
        "candidates": [],
        "changes": calls,
        "unexplained": None,
        "cause": None,
        "notes": [],
        "verdict": judged,
        "severity": None,
        "rules": [],
        "violations": [
            {
                "rule": rule,
                "severity": fields["severity"] or "high",
                "why": f"the facts of {rule}",
                "indeterminate": False,
                "observed": False,
            }
            for rule in fields.get("rules", ())
        ],
        "controls": sorted({control for rule in broken for control in rule.controls}),
        "case": None,
        "way_back": [],
        **fields,
    }


def changed(item: Json, **targets: str) -> Json:
    """A change of the document's list: the call, and type → address of what it acted on."""
    return {**item, "targets": [{"address": a, "type": t, "id": a or "x"} for t, a in targets.items()]}


DANA, MARCO, PRIYA = actor("dana@acme.example"), actor("marco", how="IAM user", confidence=1.0), actor("priya")
NILS = actor("nils")
PIPELINE = actor("acme/shop", "pipeline", "OIDC subject repo:acme/shop:ref:refs/heads/main", 1.0)
NO_TICKET = verdict(
    "unauthorised",
    actor="pass: dana@acme.example: SSO session name",
    ticket="fail: no reference, and no ticket's scope and window cover the change",
)
CLOSED = verdict(
    "unauthorised",
    "manual",
    "CHG-1040",
    actor="pass: marco: IAM user",
    ticket="pass: CHG-1040, named in session tag",
    state="fail: CHG-1040 was closed at 2026-03-02 07:51:09 UTC",
    window="pass: CHG-1040 plans no window; its state governs",
    scope="pass: CHG-1040 covers aws_iam_role.settlement",
    implementer="pass: made by marco, CHG-1040 is implemented by marco",
    separation="fail: approved by marco: 0 of 1 others",
) | {
    "risk": {
        "level": "high",
        "score": 7,
        "reasons": ["environment production +3", "kind identity +4"],
        "approvals": 2,
        "group": "security",
    },
    "since": ["CHG-1040 was reopened at 2026-03-02 08:40:00 UTC"],
}
NIGHT = verdict(
    "pending-documentation",
    "emergency",
    actor="pass: nils: SSO session name",
    breakglass="pass: BG-00000000000a, role break-glass",
) | {"grant": "BG-00000000000a"}
EXCEPTED = verdict("excepted", "manual", actor="pass: priya", ticket="fail: no reference") | {
    "covered_by": "legacy-retention"
}
UNSEEN = verdict(
    "indeterminate", "", actor="unknown: actor unknown: before the trail's window, which begins 2026-02-23"
)
BY_PIPELINE = verdict(
    "unauthorised",
    "pipeline",
    actor="pass: acme/shop",
    pipeline="pass: deploy: OIDC subject",
    ticket="fail: no reference",
)
GRANTED = verdict(
    "authorised",
    "pipeline",
    "CHG-1044",
    actor="pass: acme/shop",
    pipeline="pass: deploy: OIDC subject repo:acme/shop",
    ticket="pass: CHG-1044, named in session tag",
    state="pass: CHG-1044 was approved at 2026-03-02 09:12:44 UTC",
    separation="pass: approved by lena",
)
BY_HAND = verdict("authorised", "manual", "CHG-1043", True, actor="pass: priya", ticket="pass: CHG-1043, by scope")
LOG_GROUP = drift(
    "changed",
    "aws_cloudwatch_log_group",
    "/shop/settlement",
    "aws_cloudwatch_log_group.settlement",
    attribute="retention_in_days",
    declared=365,
    live=400,
)
UNLISTED = drift("unmanaged", "aws_vpc", "vpc-0bbb", basis="unset", note="unlisted", live={"cidr_block": "10.9.0.0/16"})
ROOT = '{"Effect":"Allow","Action":"kms:*","Resource":"*","Principal":{"AWS":"arn:aws:iam::111122223333:root"}}'
OTHER = '{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Principal":{"AWS":"arn:aws:iam::444455556666:root"}}'


WAY_BACK = [
    "To keep what is live, write it into the code:",
    "",
    'resource "aws_security_group" "web" {',
    "  ingress {",
    "    from_port = 22",
    "  }",
    "}",
    "",
    "To go back to what is declared:",
    "",
    "terraform plan -target=aws_security_group.web",
]


def _findings() -> list[Json]:
    group = drift(
        "changed",
        "aws_security_group",
        "sg-0aaaaaaaaaaaaaaaa",
        "aws_security_group.web",
        attribute="ingress",
        part="sg-0aaaaaaaaaaaaaaaa|ingress|tcp|22|22|0.0.0.0/0",
        live={
            "type": "ingress",
            "protocol": "tcp",
            "from_port": 22,
            "to_port": 22,
            "source": "0.0.0.0/0",
            "description": "",
        },
    )
    bucket = drift(
        "unmanaged", "aws_s3_bucket", "payments-export-tmp", live={"tags_all": {"owner": "dana"}}, basis="unset"
    )
    attached = drift(
        "changed",
        "aws_iam_role",
        "settlement",
        "aws_iam_role.settlement",
        attribute="managed_policy_arns",
        part="settlement|arn:aws:iam::aws:policy/AdministratorAccess",
        live={"policy_arn": "arn:aws:iam::aws:policy/AdministratorAccess", "role": "settlement"},
    )
    parameter = drift(
        "missing",
        "aws_ssm_parameter",
        "/shop/feature/refunds",
        'aws_ssm_parameter.feature["refunds"]',
        declared={"name": "/shop/feature/refunds", "type": "String", "value": "(sensitive, 3fa91c02)"},
    )
    key = drift(
        "changed",
        "aws_kms_key",
        "8d3e5c52-0000-4c11-9d55-000000000000",
        "module.data.aws_kms_key.ledger",
        attribute="policy",
        declared=f'{{"Statement":[{ROOT}]}}',
        live=f'{{"Statement":[{ROOT},{OTHER}]}}',
        detail=["Item root['Statement'][1] ({'Effect': 'Allow', 'Action': 'kms:Decrypt'}) added to iterable."],
    )
    delay = {"attribute": "delay_seconds", "declared": 0, "live": 5}
    queue = drift("unapplied", "aws_sqs_queue", "orders", "aws_sqs_queue.orders", **delay)
    return [
        finding(
            1,
            [group],
            [call("e1", "06:58:12", "ec2:AuthorizeSecurityGroupIngress", DANA, NO_TICKET)],
            NO_TICKET,
            severity="critical",
            rules=["public-exposure-by-hand", "sensitive-change-by-hand", "unticketed-change"],
            case="0123456789abcdef",
            candidates=[{"event_ids": ["e1"], "score": 0.95, "why": "created it", "together": []}],
            way_back=WAY_BACK,
        ),
        finding(
            2,
            [bucket],
            [call("e2", "07:03:40", "s3:CreateBucket", DANA, NO_TICKET)],
            NO_TICKET,
            severity="medium",
            rules=["unmanaged-resource", "unticketed-change"],
            case="0123456789abcdef",
        ),
        finding(
            3,
            [attached],
            [call("e3", "07:51:09", "iam:AttachRolePolicy", MARCO, CLOSED, "cli")],
            CLOSED,
            severity="critical",
            rules=["iam-privilege-change-by-hand", "self-approved-change", "ticket-does-not-cover-change"],
            case="fedcba9876543210",
        ),
        finding(
            4,
            [parameter],
            [
                call("e4", "07:55:31", "ssm:PutParameter", MARCO, CLOSED, "cli"),
                call("e5", "07:58:02", "ssm:DeleteParameter", MARCO, CLOSED, "cli"),
            ],
            CLOSED,
            severity="high",
            rules=["deletion-by-hand", "ticket-does-not-cover-change", "a-rule-of-old"],
            case="fedcba9876543210",
        ),
        finding(
            5,
            [key],
            [],
            UNSEEN,
            unexplained="actor unknown: before the trail's window, which begins 2026-02-23 09:14 UTC",
            severity="high",
            rules=["sensitive-change-by-hand", "undetermined-change"],
        ),
        finding(
            6,
            [],
            [call("e6", "08:10:00", "lambda:UpdateFunctionCode", PIPELINE, BY_PIPELINE, "iac")],
            BY_PIPELINE,
            address="aws_lambda_function.settlement",
            type="aws_lambda_function",
            id_live="settlement",
            severity="medium",
            rules=["pipeline-without-ticket"],
            notes=["the state of stack shop went from serial 40 to 41 in a run of deploy"],
            case="00000000deadbeef",
        ),
        finding(7, [LOG_GROUP], [call("e7", "08:31:00", "logs:PutRetentionPolicy", PRIYA, BY_HAND, "cli")], BY_HAND),
        finding(8, [queue], [], verdict("unapplied", "")),
        *_of_the_night(),
    ]


def _of_the_night() -> list[Json]:
    """What an emergency changed, and what breaks nothing but a rule that is tried out."""
    name = {"address": "aws_db_instance.ledger", "type": "aws_db_instance", "id_live": "ledger"}
    one = call("e10", "03:04:00", "rds:ModifyDBInstance", NILS, NIGHT, "cli")
    raised = finding(9, [], [one], NIGHT, case="00000000000000bb", **name)
    two = call("e11", "08:45:00", "sqs:SetQueueAttributes", PRIYA, EXCEPTED, "cli")
    tried = finding(10, [], [two], EXCEPTED, address="aws_sqs_queue.refunds", type="aws_sqs_queue", id_live="refunds")
    broken = {"severity": "critical", "why": "made by hand", "indeterminate": False, "observed": True}
    tried["violations"] = [{"rule": "unticketed-change", **broken}, {"rule": "a-rule-tried-out", **broken}]
    return [raised, tried]


def _case(key: str, title: str, severity: str, ticket: str | None, *findings: str) -> Json:
    values = {"key": key, "title": title, "severity": severity, "ticket": ticket, "state": "open"}
    return {**values, "findings": list(findings), "rules": [], "controls": []} | {
        "grant": None,
        "deadline": None,
        "stage": None,
    }


def _emergencies() -> list[Json]:
    shared = {"how": "role break-glass", "calls": 20, "case": "00000000000000bb", "notes": [], "late": True}
    return [
        shared
        | {
            "id": "BG-00000000000b",
            "person": "tess",
            "first": "2026-02-26T22:00:00Z",
            "last": "2026-02-26T23:00:00Z",
            "deadline": "2026-02-27T23:00:00Z",
            "state": "rejected",
            "incident": "INC-40",
            "case": "00000000000000cc",
            "document": {
                "by": "tess",
                "at": "2026-02-28T02:30:00Z",
                "why": "the queue was full",
                "done": "raised the limit",
                "told": "on call",
                "way_back": "codify",
            },
            "review": {"by": "lena", "at": "2026-02-28T02:45:00Z", "accepted": False, "reason": "no timeline"},
            "notes": ["the ticket system was down until 2026-02-27 08:00 UTC"],
        },
        shared
        | {
            "id": "BG-00000000000a",
            "person": "nils",
            "first": "2026-03-01T03:00:00Z",
            "last": "2026-03-01T03:14:09Z",
            "deadline": "2026-03-02T03:14:09Z",
            "state": "overdue",
            "incident": None,
            "document": None,
            "review": None,
        },
    ]


def _tickets() -> list[Json]:
    rows = (
        ("aws_iam_role.settlement", "beyond", "iam:AttachRolePolicy is not in the plan of CHG-1040", ["e3"]),
        ("aws_sns_topic.alerts", "not performed", "no call of it was seen", []),
        ("aws_iam_role.other", "approved", "as planned", ["e12"]),
    )
    fields = {"system": "jira", "due": "it says that it is done"}

    def row(name: str, result: str, evidence: str, events: list[str]) -> Json:
        return {"name": name, "result": result, "evidence": evidence, "event_ids": events}

    url = "https://jira.acme.example/browse/CHG-1040"
    batch = [row("aws_ssm_parameter.settlement_batch", "approved", "within the plan", ["e8"])]
    return [
        {"ref": "CHG-1044", "title": "Batch size", "url": "javascript:x", "state": "done", "resources": batch} | fields,
        {"ref": "CHG-1040", "title": "Settlement role", "url": url, "state": "closed"}
        | {"resources": [row(*one) for one in reversed(rows)]}
        | fields,
    ]


def _tolerated() -> Json:
    shared = {"owner": "dana", "approver": "lena"}
    entries = [
        {"id": "baseline/shop.yaml", "kind": "baseline", "until": "2026-05-01T00:00:00Z", "hits": 40}
        | {"reason": "41 differences that were there", "source": "baseline/shop.yaml"},
        {"id": "legacy-retention", "kind": "exception", "until": "2026-03-10T00:00:00Z", "hits": 0}
        | {"reason": "until the migration", "source": "exceptions/legacy.yaml:3"},
    ]
    return {
        "hits": [{"id": "baseline/shop.yaml", "finding": "F-00000000000a", "attribute": ""}],
        "entries": [one | shared for one in entries],
        "problems": ["exceptions/old.yaml:9: it ended on 2026-02-01"],
    }


def _place(region: str, events: int, newest: str, verified: str | None) -> dict[str, Any]:
    seen = {"oldest": "2026-02-23T09:00:00Z", "newest": newest, "verified_until": verified}
    return {"account": ACCOUNT, "region": region, "events": events, **seen}


def _scoped(scope: str, why: str, resources: int = 0) -> Json:
    return {"scope": scope, "why": why, "resources": resources}


@pytest.fixture
def document() -> Json:
    """A whole document; each test may change its own."""
    findings = _findings()
    service = verdict("service-made", "", actor="pass: autoscaling.amazonaws.com: AWS service")
    changes = [changed(item, **{one["type"]: one["address"]}) for one in findings for item in one["changes"]]
    scaling = actor("autoscaling.amazonaws.com", "service", "invokedBy", 1.0)
    changes += [
        changed(
            call("e8", "09:12:44", "ssm:PutParameter", PIPELINE, GRANTED, "iac"),
            aws_ssm_parameter="aws_ssm_parameter.settlement_batch",
        ),
        changed(call("e9", "09:13:00", "ec2:RunInstances", scaling, service, "service")),
    ]
    trail_gap = _scoped(f"{ACCOUNT}/us-east-1/*/*", "LookupEvents: AccessDenied for role driftwarden-reader")
    whole = {
        "schema": "driftwarden/scan/1",
        "run": {
            "id": "20260302T091400-7f3a21",
            "started_at": "2026-03-02T09:14:00Z",
            "finished_at": "2026-03-02T09:14:09Z",
            "config_sha256": "c" * 64,
            "ruleset_sha256": "d" * 64,
        },
        "status": "violations",
        "coverage": {
            "declared": 31,
            "compared": 29,
            "live": 44,
            "attributes_compared": 1312,
            "limits": [
                _scoped("*/*/aws_backup_plan/*", "no specification for this type", 2) | {"uncompared": True},
                _scoped("*/*/aws_db_instance/*#password", "write-only: AWS never gives it back", 1)
                | {"uncompared": False},
            ],
            "gaps": [
                _scoped(f"{ACCOUNT}/eu-central-1/*/*", "declared there, but not configured to be read", 2),
                trail_gap,
            ],
            "trail": {
                "from": "2026-02-23T09:14:00Z",
                "to": "2026-03-02T09:14:00Z",
                "events": 8412,
                "changes": len(changes),
                "denied": 1,
                "failed": 3,
                "newest_event": "2026-03-02T09:13:00Z",
                "gaps": [{**trail_gap, "cause": ""}],
                "places": [
                    _place("eu-west-1", 8000, "2026-03-02T09:13:00Z", "2026-03-02T08:00:00Z"),
                    _place("us-east-1", 412, "2026-03-02T09:10:00Z", None),
                ],
                "attempts": [
                    {
                        "actor": "<b>mallory</b>",
                        "arn": f"arn:aws:iam::{ACCOUNT}:user/mallory",
                        "account": ACCOUNT,
                        "count": 40,
                        "densest": 22,
                        "first": "2026-03-01T02:00:00Z",
                        "last": "2026-03-01T03:00:00Z",
                        "errors": ["AccessDenied"],
                        "actions": ["ec2:RunInstances", "iam:CreateUser"],
                        "source_ips": ["203.0.113.9"],
                    }
                ],
            },
        },
        "states": [
            {
                "stack": "shop",
                "location": "s3://acme-state/shop.tfstate",
                "lineage": "3f1c",
                "serial": 41,
                "digest": "e" * 64,
                "terraform_version": "1.11.4",
                "providers": ["hashicorp/aws 5.100.0"],
                "accounts": [ACCOUNT],
                "resources": 31,
                "read_at": "2026-03-02T09:14:01Z",
                "modified": "2026-03-02T08:10:02Z",
                "locked": None,
                "in_motion": None,
                "commit": "4f1c2a9d0e5b6a7c8d9e0f1a2b3c4d5e6f708192",
                "commit_author": "lena@acme.example",
                "reviewers": ["sam"],
                "claims": ["CHG-1044"],
            }
        ],
        "drifts": [*(drift for one in findings for drift in one["drifts"]), UNLISTED],
        "unapplied": [
            {
                "stack": "shop",
                "address": "aws_sns_topic.alerts",
                "action": "create",
                "source": "stacks/shop/main.tf:77",
                "why": "",
            }
        ],
        "changes": changes,
        "findings": findings,
        "cases": [
            _case(
                "0123456789abcdef",
                "aws_security_group.web and 1 more: changed by dana@acme.example (console) without authority",
                "critical",
                "DW-0123456789ab",
                "F-000000000001",
                "F-000000000002",
            ),
            _case("00000000000000bb", "break-glass: nils", "medium", "DW-0000000000bb", "F-000000000009")
            | {"grant": "BG-00000000000a", "deadline": "2026-03-02T03:14:09Z", "stage": "overdue"},
            _case(
                "00000000deadbeef",
                "aws_lambda_function.settlement: changed by acme/shop",
                "medium",
                None,
                "F-000000000006",
            ),
            _case(
                "fedcba9876543210",
                "aws_iam_role.settlement and 1 more: changed by marco (cli) without authority",
                "critical",
                "DW-fedcba987654",
                "F-000000000003",
                "F-000000000004",
                "F-0000000000aa",
            ),
        ],
        "emergencies": _emergencies(),
        "tickets": _tickets(),
        "tolerated": _tolerated(),
        "policy": {
            "changes": [
                {"path": "rules/own.yaml", "what": "changed", "commit": "4f1c2a9d", "author": "lena"},
                {"path": "exceptions/legacy.yaml", "what": "added", "commit": None, "author": None},
            ],
            "waiting": ["[authority] paths.manual would no longer ask for separation"],
        },
    }
    return copy.deepcopy(whole)
