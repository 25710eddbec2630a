"""What verdicts rest on, gathered: the configuration's policy, tickets and merges, plans, risk and environments."""

import json
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from agent.authorise import PATHS
from agent.collect import Sessions
from agent.config import Account, AuthorityConfig, Config, PipelineConfig, PolicyConfig, Stack
from agent.declared.approved_plan import fingerprint
from agent.evidence import Asked, Evidence, gather_evidence
from agent.model import (
    Actor,
    ApprovedPlan,
    Authority,
    Case,
    Change,
    Claim,
    Directory,
    Finding,
    FindingId,
    JudgedChange,
    Key,
    Merge,
    Pipeline,
    Policy,
    Run,
    Ticket,
    Tickets,
    Trail,
    Verdict,
)
from agent.store import connect
from agent.store.findings import Known
from agent.ticketing import Systems

START, END = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)
DEPLOY = PipelineConfig(name="deploy", role="arn:x", subject="repo:x", source_ips=("192.0.2.0/24",))


@dataclass
class Forge:
    """A ticket system that is also a forge, and notes what it was asked."""

    tickets: tuple[Ticket, ...] = ()
    known: tuple[Merge, ...] = ()
    asked: list[object] = field(default_factory=list)
    name: str = "forge"

    def lookup(self, refs: Collection[str], start: datetime, end: datetime) -> Tickets:
        self.asked.append(sorted(refs))
        return Tickets(tuple(one for one in self.tickets if one.ref in refs))

    def merges(self, commits: Collection[tuple[str, str]]) -> tuple[tuple[Merge, ...], tuple[str, ...]]:
        self.asked.append(sorted(commits))
        return self.known, ("forge: checks were not read",)

    def find(self, case: Case) -> str | None:
        return None

    def open(self, case: Case) -> str:
        return ""

    def update(self, ref: str, note: str) -> None: ...

    def close(self, ref: str, reason: str) -> None: ...

    def replies(self, ref: str, since: datetime | None = None) -> tuple[()]:
        return ()


def gathered(
    base: Path,
    *changes: Change,
    policy: AuthorityConfig | None = None,
    systems: Systems | None = None,
    findings: Collection[Finding] = (),
    accounts: Collection[str] = (),
    **config: object,
) -> Evidence:
    given = Config(authority=policy or AuthorityConfig(), **config)
    asked = Asked(
        msgspec.structs.replace(given, base=str(base)),
        systems or Systems((), None),
        Directory(),
        Sessions(given),
        b"k" * 32,
    )
    open_ones = {one.id: Known(one, START, END) for one in findings}
    with connect(f"sqlite:///{base}/store.db") as store:
        return gather_evidence(asked, store, Trail(START, END, tuple(changes)), open_ones, accounts)


def change(*claims: str, run: Run | None = None, event: str = "e1") -> Change:
    kind = "pipeline" if run else "person"
    actor = Actor("dana", kind, role="arn:x" if run else "", subject="repo:x" if run else "", run=run)
    typed = tuple(Claim(text, "session name") for text in claims)
    return Change((event,), START, "sqs:X", actor, "cli", "1", "eu-west-1", claims=typed)


def test_without_a_word_the_defaults_of_model_and_configuration_agree(tmp_path: Path) -> None:
    found = gathered(tmp_path).authority
    assert found.weights is not None
    assert replace(found, weights=None) == Authority(paths=PATHS)
    assert gathered(tmp_path, policy=AuthorityConfig(risk=False)).authority == Authority(paths=PATHS)


def test_the_policy_of_the_configuration(tmp_path: Path) -> None:
    given = AuthorityConfig(
        pipeline=(DEPLOY,),
        people={"dana@x": "dana"},
        paths={"manual": ("actor", "ticket"), "standing": ()},
        policy=(PolicyConfig(environments=("production",), risks=("high",), paths={"manual": ()}, approvals=3),),
        approved_states=("Go",),
        done_states=("Gone",),
        approvals=2,
        tolerance="5m",
        grace="1h",
        permitted={"production": ("sre",)},
        production=("live",),
        environment_tag="Env",
    )
    stacks = (Stack(name="shop", dir="shop", environment="live"), Stack(name="lab", dir="lab"))
    account = (Account(id="1", environment="live"), Account(id="2"))
    found = gathered(tmp_path, policy=given, stack=stacks, account=account).authority
    assert found.pipelines == (Pipeline("deploy", "arn:x", "repo:x", "", ("192.0.2.0/24",)),)
    assert found.people == {"dana@x": "dana"}
    assert found.paths == {**PATHS, "manual": ("actor", "ticket"), "standing": ()}
    assert found.policies == (Policy(("production",), ("*",), ("high",), {"manual": ()}, 3),)
    assert (found.approved_states, found.done_states) == ({"go"}, {"gone"})
    assert (found.approvals, found.tolerance, found.grace) == (2, 300, 3600)
    assert found.permitted == {"production": ("sre",)}
    served = found.environments
    assert (served.stacks, served.accounts, served.tag, served.production) == (
        {"shop": "live"},
        {"1": "live"},
        "Env",
        ("live",),
    )


def test_the_only_account_serves_what_its_table_says_whatever_its_id(tmp_path: Path) -> None:
    found = gathered(tmp_path, account=(Account(environment="production"),), accounts=["111122223333"])
    assert found.authority.environments.accounts == {"111122223333": "production"}


def test_what_a_merge_names_is_looked_up_with_the_rest(tmp_path: Path) -> None:
    run = Run("github", "acme/shop", "1", "4f1c2a9")
    merge = Merge("4f1c2a9", "forge", "acme/shop", references=("CHG-9",))
    forge = Forge((Ticket("CHG-9", "forge"), Ticket("CHG-1", "forge")), (merge,))
    by_hand = replace(change(run=run), actor=Actor("dana", "person", run=run))
    found = gathered(
        tmp_path,
        change("CHG-1", run=run),
        replace(by_hand, event_ids=("e2",)),
        policy=AuthorityConfig(pipeline=(DEPLOY,)),
        systems=Systems((forge,), None),
    ).authority
    # Each is asked once, and a person's own word is no run of the pipeline.
    assert forge.asked == [[("acme/shop", "4f1c2a9")], ["CHG-1", "CHG-9"]]
    assert found.tickets.merges == (merge,)
    assert [one.ref for one in found.tickets.found] == ["CHG-9", "CHG-1"]
    assert (found.tickets.unanswered, found.tickets.merges_unread) == ((), ("forge: checks were not read",))


def test_a_fingerprint_becomes_its_plan(tmp_path: Path) -> None:
    plan = {
        "format_version": "1.2",
        "resource_changes": [
            {
                "address": "aws_sqs_queue.orders",
                "mode": "managed",
                "type": "aws_sqs_queue",
                "name": "orders",
                "provider_name": "registry.terraform.io/hashicorp/aws",
                "change": {
                    "actions": ["update"],
                    "before": {"visibility_timeout_seconds": 30},
                    "after": {"visibility_timeout_seconds": 60},
                    "after_unknown": {},
                    "before_sensitive": {},
                    "after_sensitive": {},
                },
            }
        ],
    }
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "one.json").write_text(json.dumps(plan))
    named, lost = (
        Ticket(ref, "forge", plan=ApprovedPlan(mark))
        for ref, mark in (("CHG-1", fingerprint(plan)), ("CHG-2", "sha256:" + "0" * 64))
    )
    forge = Forge((named, lost))
    policy = AuthorityConfig(plans="plans")
    found = gathered(tmp_path, change("CHG-1", "CHG-2"), policy=policy, systems=Systems((forge,), None)).authority
    first, second = (one.plan for one in found.tickets.found)
    assert first is not None
    assert first.changes is not None
    assert [one.address for one in first.changes] == ["aws_sqs_queue.orders"]
    assert second is not None
    assert (second.changes, bool(second.why)) == (None, True)


def test_a_folder_of_standing_changes_that_is_not_there_is_no_answer(tmp_path: Path) -> None:
    found = gathered(tmp_path, policy=AuthorityConfig(standing="standing"))
    assert found.authority.tickets.unanswered == (f"{tmp_path}/standing: no such directory",)


def test_what_was_said_before_is_remembered_and_late_evidence_stays_late(tmp_path: Path) -> None:
    judged = tuple(
        JudgedChange(change(event=event), verdict)
        for event, verdict in (
            ("e1", Verdict("unauthorised")),
            ("e2", Verdict("authorised", late=True)),
            ("e3", Verdict("authorised")),
        )
    )
    finding = Finding(FindingId("F-1"), Key("1", "eu-west-1", "aws_sqs_queue", "q"), changes=judged)
    found = gathered(tmp_path, findings=[finding]).authority
    assert found.history == {"e1": "unauthorised", "e2": "unauthorised", "e3": "authorised"}


def test_an_interval_reaches_back_to_the_oldest_change(tmp_path: Path) -> None:
    event = (
        "UID:1",
        "SUMMARY:Year end",
        "DTSTAMP:20260101T000000Z",
        "DTSTART:20260220T000000Z",
        "DTEND:20260221T000000Z",
    )
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//x//y//EN",
        "BEGIN:VEVENT",
        *event,
        "END:VEVENT",
        "END:VCALENDAR",
    )
    ics = "".join(f"{line}\r\n" for line in lines)
    (tmp_path / "freeze.ics").write_text(ics)
    policy = AuthorityConfig(calendars=("freeze.ics",))
    old = replace(change(), time=START - timedelta(days=10))
    assert gathered(tmp_path, change(), policy=policy).authority.calendar.freezes == ()
    (freeze,) = gathered(tmp_path, old, policy=policy).authority.calendar.freezes
    assert freeze.name == "Year end"
