"""A scan's document and its JSON Schema say the same; what is secret or hostile in a scan stays harmless in it."""

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from line import GROUP_KEY, NOON, QUEUE_KEY, SPECS, group, passes, queue, rule, state, ticket
from trail_records import ACCOUNT, END, QUEUE, REGION, TERRAFORM, in_role, record, trail_of

from agent import model, performed
from agent.attribute import finding_id
from agent.document import NO_NEWS, SCHEMA, document, finding, plain, stamp, with_tickets
from agent.document.authority import FileChange, PolicyNews
from agent.emergency import case_key, grant_of
from agent.model import (
    Authority,
    Baselined,
    Case,
    Claim,
    Document,
    EmergencyRole,
    Gap,
    Key,
    Open,
    PolicyException,
    Proof,
    Resource,
    Review,
    Scope,
    Secret,
    Source,
    TicketEvent,
    TicketScope,
    Tolerated,
    Unapplied,
    Unknown,
)
from agent.plan import Known
from agent.risk_file import load_weights
from agent.scan import BreakGlass, Permissive, Scan
from agent.seal import seal
from agent.shipped import shipped

SCHEMA_FILE = json.loads((shipped("docs") / "scan.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA_FILE)
CANARY = "canary-5e1f-document"
HOSTILE = "\x1b[2J\u202e<script>'\"`\ud800 | [x](javascript:1)\n# title\x00"
STARTED = NOON.replace(microsecond=999_999)


def documented(
    *, cases: tuple[Case, ...] = (), since: datetime = NOON, news: PolicyNews = NO_NEWS, **given: Any
) -> dict[str, Any]:
    """The document of one pass of the line, as the reader of the JSON gets it; `since` it saw every declared one."""
    seen = {finding_id(one.key): since for one in given.get("declared", ())}
    found = passes(**given, known=Known(cases, seen))
    return json.loads(json.dumps(shown(found, cases, *given.get("records", ()), news=news)))


def shown(
    found: Scan, cases: tuple[Case, ...] = (), *records: Mapping[str, Any], news: PolicyNews = NO_NEWS
) -> dict[str, Any]:
    return document(
        found,
        run_id="20260302T120000-abc123",
        started_at=STARTED,
        config_sha256="0" * 64,
        ruleset_sha256="f" * 64,
        trail=trail_of(record("GetQueueAttributes", at="08:00:00", readOnly=True), *records, specs=SPECS),
        resources={one.key: one for one in (queue(), group())},
        cases=cases,
        news=news,
    )


def clean() -> dict[str, Any]:
    return documented(declared=[queue()], seen=[queue()], records=[])


def by_hand() -> dict[str, Any]:
    return documented(declared=[queue()], seen=[queue(visibility_timeout_seconds=60)], records=[record()])


def part_added() -> dict[str, Any]:
    return documented(declared=[group()], seen=[group(), rule(22)])


def policy_changed() -> dict[str, Any]:
    one, two = (json.dumps({"Statement": [{"Effect": "Allow", "Action": f"sqs:{name}"}]}) for name in "AB")
    return documented(declared=[queue(policy=one)], seen=[queue(policy=two)])


def gone_and_unmanaged() -> dict[str, Any]:
    other = replace(queue(), key=replace(QUEUE_KEY, id=QUEUE_KEY.id + "-2"))
    return documented(declared=[queue()], seen=[other])


def not_read() -> dict[str, Any]:
    return documented(declared=[queue()], gaps=[Gap(Scope(ACCOUNT, REGION, "aws_sqs_queue"), "AccessDenied", 1)])


def trail_stopped() -> dict[str, Any]:
    stopped = record("StopLogging", "cloudtrail", requestParameters={"name": "main"})
    return documented(declared=[queue()], seen=[queue()], records=[stopped])


def unknown_call() -> dict[str, Any]:
    return documented(records=[record("CreateThing", "quicksight", requestParameters={})])


def denied() -> dict[str, Any]:
    return documented(declared=[queue()], seen=[queue()], records=[record(errorCode="AccessDenied")])


def regularised() -> dict[str, Any]:
    late = (*ticket().history[:1], TicketEvent(NOON + timedelta(hours=2), approved_by="sam"))
    late = (*late, TicketEvent(NOON + timedelta(hours=2), state="approved"))
    seen = [queue(visibility_timeout_seconds=60)]
    call = record(userAgent="aws-cli/2.31.0 app/CHG-7")
    return documented(declared=[queue()], seen=seen, records=[call], tickets=[ticket(history=late)])


def laptop_apply() -> dict[str, Any]:
    call = record(userIdentity=in_role("deploy", "CHG-7", "ASIANOBODY"), userAgent=TERRAFORM)
    return documented(declared=[queue()], seen=[queue()], records=[call], tickets=[ticket()])


def flood() -> dict[str, Any]:
    names = [f"{QUEUE_KEY.id}-{n}" for n in range(60)]
    seen = [replace(queue(), key=replace(QUEUE_KEY, id=name), identifiers=(name,), address=name) for name in names]
    return documented(declared=seen, seen=[], since=NOON - timedelta(days=2))


def open_before() -> dict[str, Any]:
    case = Case(model.CaseKey("0" * 16), "old", (), "low", ticket="DW-1", events=("e1",))
    return documented(declared=[queue()], seen=[queue()], cases=(case, replace(case, state="closed", key="1" * 16)))


def unknown_and_secret() -> dict[str, Any]:
    declared = queue(policy=Unknown("known after apply"), tags_all={"Token": seal(b"k" * 32, CANARY)})
    seen = queue(policy="x", tags_all={"Token": seal(b"k" * 32, CANARY + "2")})
    return documented(declared=[declared], seen=[seen])


def hostile() -> dict[str, Any]:
    name = "hostile" + HOSTILE
    declared = replace(
        queue(),
        address=f"aws_sqs_queue.{HOSTILE}",
        stack=HOSTILE,
        owner=HOSTILE,
        source=Source(HOSTILE, 1),
    )
    call = record(userIdentity=in_role("deploy", HOSTILE, "ASIAX"), userAgent=HOSTILE, sourceIPAddress=HOSTILE)
    stranger = Resource(Key(ACCOUNT, REGION, "aws_sqs_queue", name), {"arn": name, "name": HOSTILE}, (name,))
    seen = [queue(visibility_timeout_seconds=60, tags_all={HOSTILE: HOSTILE}), stranger]
    return documented(declared=[declared], seen=seen, records=[call], gaps=[Gap(Scope(type=HOSTILE), HOSTILE)])


def merged_and_not_applied() -> dict[str, Any]:
    edited = replace(
        queue(), unapplied={"visibility_timeout_seconds": 90, "tags_all": {"Token": seal(b"k" * 32, CANARY)}}
    )
    waiting = (
        Unapplied("shop", "aws_sqs_queue.new", "create", Source("main.tf", 9)),
        Unapplied(HOSTILE, HOSTILE, "destroy", why=HOSTILE),
    )
    seen = [queue(visibility_timeout_seconds=60)]
    return documented(declared=[edited], seen=seen, accepted=[queue()], records=[record()], pending=waiting)


def state_edited() -> dict[str, Any]:
    edited = state(5, addresses={}, modified=NOON, commit="4f1c2a9", claims=(Claim("CHG-7", "commit trailer"),))
    moving = state(stack="billing", location="billing.tfstate", in_motion="its state is locked (dana)", locked="dana")
    return documented(declared=[queue()], seen=[queue()], before=[state(read_at=STARTED)], states=[edited, moving])


def in_no_configured_stack() -> dict[str, Any]:
    other = replace(queue(), key=replace(QUEUE_KEY, id=QUEUE_KEY.id + "-2"), identifiers=())
    return documented(declared=[queue()], seen=[queue(), other], complete=False)


def emergency() -> dict[str, Any]:
    """A session of the emergency role, documented by who used it and reviewed by somebody else."""
    key = case_key(grant_of("session ASIABREAK"))
    said = [Proof(who, "signature", at, at) for who, at in (("dana", NOON), ("sam", NOON + timedelta(hours=1)))]
    asked = BreakGlass(
        declarations=(
            Document("d1", key, said[0], HOSTILE, "INC-1", HOSTILE, "the team", "revert"),
            Review("r1", key, said[1], accepted=True, reason=HOSTILE),
        ),
        roles=(EmergencyRole("break-glass", f"arn:aws:iam::{ACCOUNT}:role/break-glass"),),
    )
    call = record(at="11:00:00", userIdentity=in_role("break-glass", "dana", "ASIABREAK"))
    seen = [queue(visibility_timeout_seconds=60)]
    return documented(declared=[queue()], seen=seen, records=[call], breakglass=asked)


def under_a_ticket() -> dict[str, Any]:
    """A ticket that says it is done, with a scope wider than what was done under it; risk is scored."""
    scope = TicketScope(addresses=("aws_sqs_queue.orders", "aws_security_group.web"))
    closed = (*ticket().history, TicketEvent(NOON + timedelta(hours=1), state="closed"))
    made = ticket(scope=scope, history=closed, title=HOSTILE, url="https://tickets.acme.example/CHG-7")
    call = record(userAgent="aws-cli/2.31.0 app/CHG-7")
    trust = Authority(weights=load_weights())
    seen = [queue(visibility_timeout_seconds=60), group()]
    return documented(declared=[queue(), group()], seen=seen, records=[call], tickets=[made], authority=trust)


def tolerated() -> dict[str, Any]:
    """A difference that may be there for now, an entry that is not in force, and news of the policy itself."""
    dates = {"until": END + timedelta(days=9), "since": NOON - timedelta(days=9), "approved": "signed by sam"}
    names = {"reason": HOSTILE, "owner": "dana", "approver": "sam", "source": "exceptions/legacy.yaml:3"}
    one = PolicyException("legacy", attributes=("visibility_timeout_seconds",), keys=(QUEUE_KEY.id,), **names, **dates)
    old = Baselined(
        "b1", GROUP_KEY, "changed", "description", "0" * 64, "dana", "sam", source="baseline/shop.yaml:3", **dates
    )
    may = Permissive(Tolerated((one,), (old,), (HOSTILE,)))
    news = PolicyNews(
        (FileChange("rules/own.yaml", "changed", "4f1c2a9", HOSTILE), FileChange(HOSTILE, "added")), (HOSTILE,)
    )
    seen = [queue(visibility_timeout_seconds=60), group()]
    return documented(declared=[queue(), group()], seen=seen, permissive=may, news=news)


SCANS: tuple[Callable[[], dict[str, Any]], ...] = tuple(
    map(
        functools.cache,
        (
            *(clean, by_hand, part_added, policy_changed, gone_and_unmanaged, not_read, trail_stopped, unknown_call),
            *(denied, regularised, laptop_apply, flood, open_before, unknown_and_secret, hostile),
            *(merged_and_not_applied, state_edited, in_no_configured_stack, emergency, under_a_ticket, tolerated),
        ),
    )
)


@pytest.mark.parametrize("made", SCANS, ids=lambda made: made.__name__)
def test_a_document_is_what_the_schema_says(made: Callable[[], dict[str, Any]]) -> None:
    found = made()
    assert [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(found)] == []
    assert found["schema"] == SCHEMA == SCHEMA_FILE["properties"]["schema"]["const"] == SCHEMA_FILE["$id"]


def objects(schema: Any, path: str = "$") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every object of the schema, with the place its instances have in a document; references followed."""
    if "$ref" in schema:
        schema = SCHEMA_FILE["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    for one in schema.get("oneOf", ()):
        yield from objects(one, path)
    if "items" in schema:
        yield from objects(schema["items"], f"{path}[]")
    if "properties" in schema:
        yield path, schema
        for name, inner in schema["properties"].items():
            yield from objects(inner, f"{path}.{name}")


def keys_of(value: Any, path: str = "$") -> Iterator[tuple[str, frozenset[str]]]:
    """Every object of a document with its place and its keys; what AWS or Terraform put into a value is theirs."""
    if isinstance(value, Mapping) and not path.endswith((".declared", ".live")):
        yield path, frozenset(value)
        for name, item in value.items():
            yield from keys_of(item, f"{path}.{name}")
    if isinstance(value, list):
        for item in value:
            yield from keys_of(item, f"{path}[]")


def test_the_schema_is_valid_and_closed() -> None:
    Draft202012Validator.check_schema(SCHEMA_FILE)
    for path, schema in objects(SCHEMA_FILE):
        assert (path, schema["additionalProperties"]) == (path, False)
        assert (path, sorted(schema["required"])) == (path, sorted(schema["properties"]))


def test_every_key_of_the_schema_is_written_and_every_key_written_is_in_the_schema() -> None:
    promised = {(path, frozenset(schema["properties"])) for path, schema in objects(SCHEMA_FILE)}
    written = {entry for made in SCANS for entry in keys_of(made())}
    assert written == promised


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (("properties", "status"), model.Status),
        (("$defs", "channel"), model.Channel),
        (("$defs", "identity"), model.IdentityClass),
        (("$defs", "actor", "properties", "kind"), model.ActorKind),
        (("$defs", "verdict", "properties", "outcome"), model.Outcome),
        (("$defs", "verdict", "properties", "tests", "items", "properties", "result"), model.Result),
        (("$defs", "drift", "properties", "kind"), model.DriftKind),
        (("$defs", "drift", "properties", "basis"), model.Basis),
        (("properties", "cases", "items", "properties", "state"), model.CaseState),
        (("properties", "cases", "items", "properties", "severity"), model.Severity),
        (("properties", "emergencies", "items", "properties", "state"), model.EmergencyState),
        (
            ("properties", "tickets", "items", "properties", "resources", "items", "properties", "result"),
            performed.Status,
        ),
        (
            ("properties", "findings", "items", "properties", "violations", "items", "properties", "severity"),
            model.Severity,
        ),
    ],
)
def test_the_schema_knows_the_words_of_the_model(place: tuple[str, ...], words: Any) -> None:
    found = functools.reduce(lambda node, name: node[name], place, SCHEMA_FILE)
    assert sorted(found["enum"]) == sorted(get_args(words))


# --- what a document says ------------------------------------------------------------------------------------


def test_a_clean_scan() -> None:
    found = clean()
    assert (found["status"], found["drifts"], found["findings"], found["cases"]) == ("clean", [], [], [])
    assert found["run"] == {
        "id": "20260302T120000-abc123",
        "started_at": "2026-03-02T12:00:00Z",
        "finished_at": "2026-03-02T20:00:00Z",
        "config_sha256": "0" * 64,
        "ruleset_sha256": "f" * 64,
    }
    coverage = found["coverage"]
    assert (coverage["declared"], coverage["compared"], coverage["live"]) == (1, 1, 1)
    assert coverage["attributes_compared"] > 0
    assert coverage["trail"] == {
        "from": "2026-03-02T08:00:00Z",
        "to": "2026-03-02T20:00:00Z",
        "events": 1,
        "changes": 0,
        "denied": 0,
        "failed": 0,
        "newest_event": "2026-03-02T08:00:00Z",
        "gaps": [],
        "places": [
            {
                "account": "111122223333",
                "region": "eu-west-1",
                "events": 1,
                "oldest": "2026-03-02T08:00:00Z",
                "newest": "2026-03-02T08:00:00Z",
                "verified_until": None,
            }
        ],
        "attempts": [],
    }


def test_a_change_by_hand_is_told_with_who_what_and_which_test_failed() -> None:
    found = by_hand()
    (drift,), (change,), (finding,), (case,) = (found[name] for name in ("drifts", "changes", "findings", "cases"))
    assert (drift["kind"], drift["attribute"], drift["declared"], drift["live"]) == (
        "changed",
        "visibility_timeout_seconds",
        30,
        60,
    )
    assert (drift["source"], drift["part"], drift["basis"]) == ("main.tf:3", None, "configured")
    assert change["actor"]["name"] == "dana"
    assert change["targets"] == [{"address": "aws_sqs_queue.orders", "type": "aws_sqs_queue", "id": QUEUE_KEY.id}]
    assert [test["name"] for test in change["verdict"]["tests"] if test["result"] == "fail"] == ["ticket"]
    assert finding["candidates"] == [
        {
            "event_ids": change["event_ids"],
            "score": 0.95,
            "why": "set visibility_timeout_seconds to the value that is live",
            "together": [],
        }
    ]
    assert (finding["verdict"]["outcome"], finding["severity"]) == ("unauthorised", "medium")
    assert (finding["case"], case["findings"], case["ticket"]) == (case["key"], [finding["id"]], None)
    assert [violation["rule"] for violation in finding["violations"]] == finding["rules"] == case["rules"]


def test_a_call_that_does_not_explain_the_drift_is_no_candidate() -> None:
    other = {"queueUrl": QUEUE, "attributes": {"VisibilityTimeout": "50"}}
    call = record(requestParameters=other)
    found = documented(declared=[queue()], seen=[queue(visibility_timeout_seconds=60)], records=[call])
    (finding,) = found["findings"]
    assert (finding["candidates"], len(finding["changes"])) == ([], 1)
    assert finding["unexplained"].startswith("actor unknown: ")


def test_a_target_of_no_known_address_has_none() -> None:
    call = record(requestParameters={"queueUrl": "https://sqs.eu-west-1.amazonaws.com/111122223333/gone"})
    (change,) = documented(records=[call])["changes"]
    assert change["targets"][0]["address"] == ""


def test_a_part_names_the_part_and_a_whole_resource_no_attribute() -> None:
    (drift,) = part_added()["drifts"]
    assert (drift["id"], drift["part"]) == (GROUP_KEY.id, rule(22).key.id)
    assert [(drift["kind"], drift["attribute"]) for drift in gone_and_unmanaged()["drifts"]] == [
        ("missing", ""),
        ("unmanaged", ""),
    ]


def test_a_trail_that_saw_nothing_has_no_newest_event() -> None:
    found = document(
        passes(),
        run_id="r",
        started_at=STARTED,
        config_sha256="",
        ruleset_sha256="",
        trail=model.Trail(NOON, NOON),
        resources={},
        cases=(),
    )
    assert found["coverage"]["trail"]["newest_event"] is None


def test_held_cases_are_told_as_held() -> None:
    found = flood()
    assert found["status"] == "held"
    assert {case["state"] for case in found["cases"]} == {"held"}
    assert len(found["cases"]) == 60


def test_cases_open_before_are_told_and_closed_ones_are_not() -> None:
    assert [(case["title"], case["ticket"]) for case in open_before()["cases"]] == [("old", "DW-1")]


def test_an_update_replaces_its_case_and_a_close_removes_it() -> None:
    first = passes(declared=[queue()], seen=[queue(visibility_timeout_seconds=60)], records=[record()])
    (opened,) = [action.case for action in first.actions if isinstance(action, Open)]
    again = {"queueUrl": QUEUE_KEY.id, "attributes": {"DelaySeconds": "9"}}
    later = record(at="13:00:00", requestParameters=again)
    grown = documented(
        declared=[queue()],
        seen=[queue(visibility_timeout_seconds=60)],
        records=[record(), later],
        cases=(opened,),
    )
    assert [case["key"] for case in grown["cases"]] == [opened.key]

    drift = passes(declared=[queue()], seen=[])
    (finding,) = drift.findings
    unseen = Case(model.CaseKey("a" * 16), "gone", (finding.id,), "low")
    known = Known((unseen,), {finding.id: NOON}, {finding.id: finding.key})
    closing = passes(declared=[queue()], seen=[queue()], known=known)
    assert shown(closing, (unseen,))["cases"] == []


def test_tickets_filed_after_the_scan_are_filled_in() -> None:
    found = by_hand()
    (case,) = found["cases"]
    filed = Case(case["key"], case["title"], (), "low", ticket="DW-77")
    other = replace(filed, key=model.CaseKey("b" * 16))
    assert [one["ticket"] for one in with_tickets(found, [filed, other])["cases"]] == ["DW-77"]
    assert with_tickets(open_before(), [])["cases"] == open_before()["cases"]
    assert found["cases"][0]["ticket"] is None


# --- authority -----------------------------------------------------------------------------------------------


def test_severity_rules_and_controls_speak_of_enforced_rules() -> None:
    (story,) = passes(declared=[queue()], seen=[queue(visibility_timeout_seconds=60)]).findings
    enforced = model.Violation("mild", "low", ("SOC2:CC8.1",), story.id, "because")
    observed = model.Violation("tried-out", "critical", ("SOC2:CC6.1",), story.id, "because", observed=True)
    told = finding(story, (enforced, observed))
    assert (told["severity"], told["rules"], told["controls"]) == ("low", ["mild"], ["SOC2:CC8.1"])
    assert [(one["rule"], one["observed"]) for one in told["violations"]] == [("mild", False), ("tried-out", True)]
    alone = finding(story, (observed,))
    assert (alone["severity"], alone["rules"], len(alone["violations"])) == (None, [], 1)


def test_a_finding_tells_the_way_back() -> None:
    (story,) = by_hand()["findings"]
    lines = story["way_back"]
    assert "  visibility_timeout_seconds = 60" in lines
    assert "terraform plan -target=aws_sqs_queue.orders" in lines
    (part,) = [one for one in part_added()["findings"] if one["drifts"]]
    assert 'resource "aws_security_group" "web" {' in part["way_back"]
    assert all(one["way_back"] == [] for one in [*trail_stopped()["findings"], *state_edited()["findings"]])


def test_an_emergency_is_told_with_its_document_and_its_review() -> None:
    (told,) = emergency()["emergencies"]
    assert (told["person"], told["state"], told["incident"], told["late"]) == ("dana", "accepted", "INC-1", False)
    assert (told["document"]["by"], told["review"]["by"], told["review"]["accepted"]) == ("dana", "sam", True)
    assert {one["verdict"]["grant"] for one in emergency()["findings"]} == {told["id"]}


def test_a_ticket_is_told_with_what_was_done_under_it() -> None:
    found = under_a_ticket()
    (told,) = found["tickets"]
    assert {one["name"]: one["result"] for one in told["resources"]} == {
        "aws_sqs_queue.orders": "approved",
        "aws_security_group.web": "not performed",
    }
    assert found["changes"][0]["verdict"]["risk"]["reasons"]


def test_what_may_differ_is_told_with_what_it_covers() -> None:
    found = tolerated()
    told = {one["id"]: one["hits"] for one in found["tolerated"]["entries"]}
    assert told == {"legacy": 1, "baseline/shop.yaml": 0}
    assert [one["verdict"]["covered_by"] for one in found["findings"]] == ["legacy"]
    assert (len(found["policy"]["changes"]), len(found["policy"]["waiting"])) == (2, 1)


# --- what must not be in a document --------------------------------------------------------------------------


def test_no_secret_is_in_a_document() -> None:
    text = json.dumps(unknown_and_secret())
    digest = seal(b"k" * 32, CANARY).digest
    assert CANARY not in text
    assert digest not in text
    assert f"(sensitive, {digest[:8]})" in text


def test_hostile_names_arrive_as_they_are_and_as_ascii() -> None:
    found = hostile()
    text = json.dumps(found)
    assert text.isascii()
    assert "\x1b" not in text
    (drift, *_) = [drift for drift in found["drifts"] if drift["attribute"] == "tags_all"]
    assert drift["live"] == {HOSTILE: HOSTILE}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_what_is_json_stays_as_it_is(value: Any) -> None:
    assert plain(value) == value


def test_what_is_not_json_becomes_it() -> None:
    east = datetime(2026, 3, 2, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    secret = Secret("0123456789abcdef")
    given = {"at": east, "set": {1}, "tuple": (secret, Unknown("denied")), "inner": [{"x": secret}]}
    assert plain(given) == {
        "at": "2026-03-02T12:00:00Z",
        "set": [1],
        "tuple": ["(sensitive, 01234567)", "(unknown: denied)"],
        "inner": [{"x": "(sensitive, 01234567)"}],
    }


def test_a_time_is_in_utc_to_the_second() -> None:
    assert stamp(datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)) == "2026-01-02T03:04:05Z"
    assert stamp(STARTED) == "2026-03-02T12:00:00Z"


# --- states, and what is merged ------------------------------------------------------------------------------


def test_merged_and_changed_by_hand_stand_side_by_side() -> None:
    found = merged_and_not_applied()
    (finding,) = found["findings"]
    assert [(one["kind"], one["attribute"], one["declared"], one["live"]) for one in finding["drifts"]] == [
        ("unapplied", "tags_all", {"Token": f"(sensitive, {seal(b'k' * 32, CANARY).digest[:8]})"}, {"Team": "shop"}),
        ("changed", "visibility_timeout_seconds", 30, 60),
        ("unapplied", "visibility_timeout_seconds", 90, 30),
    ]
    assert finding["verdict"]["outcome"] == "unauthorised"
    assert [one["action"] for one in found["unapplied"]] == ["create", "destroy"]
    assert CANARY not in json.dumps(found)


def test_states_are_told_with_what_became_of_them() -> None:
    found = state_edited()
    assert [(one["stack"], one["serial"], one["in_motion"]) for one in found["states"]] == [
        ("shop", 5, None),
        ("billing", 4, "its state is locked (dana)"),
    ]
    assert [one["cause"] for one in found["findings"]] == ["state-edited"]
    assert found["findings"][0]["notes"] == [
        "the state of stack shop went from serial 4 to 5, and no call explains it: "
        "left aws_sqs_queue.orders, aws_security_group.web"
    ]
    assert "terraform:WriteState" in [one["action"] for one in found["changes"]]


def test_what_no_configured_stack_has_is_listed_and_no_finding() -> None:
    found = in_no_configured_stack()
    assert [(one["kind"], one["note"]) for one in found["drifts"]] == [("unmanaged", "unlisted")]
    assert (found["findings"], found["status"]) == ([], "clean")
