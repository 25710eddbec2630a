"""The table's words → tickets, a change, and everything else a verdict rests on.

What is not said is as in the plain case: at noon dana, an IAM user, sets the time-out of the queue `orders` to 60 and
names CHG-7, the ticket that `line.ticket` builds: drafted two days before, approved by sam the day before, for that
queue, from four hours before noon to four after, asked for by lena, implemented by dana. It is judged six hours later.

Cells hold phrases, separated by `;`. Times are hours, minutes or seconds before or after noon: `-24h`, `+90m`, `0h`.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from line import DEPLOY, GROUP_KEY, NOON, QUEUE_ARN, QUEUE_KEY, SUBJECT, group, live, queue, rule, ticket
from trail_records import ACCOUNT, END, REGION, START

from agent.authorise import PATHS, Estate, authorise, verdict
from agent.model import (
    NOT_JUDGED,
    Actor,
    ApprovedPlan,
    Authority,
    Calendar,
    Change,
    Claim,
    Covered,
    Directory,
    Emergency,
    Environments,
    Finding,
    FindingId,
    Freeze,
    JudgedChange,
    Key,
    Merge,
    Person,
    Pipeline,
    PlannedChange,
    Policy,
    Resource,
    Run,
    Ticket,
    TicketEvent,
    Tickets,
    TicketScope,
    Touch,
    Trail,
    Unknown,
    Verdict,
)
from agent.people import Index, identify
from agent.performed import performed
from agent.resources import load
from agent.risk_file import load_weights
from agent.tickets.history import EDITED

SPECS = load()
RULE = rule(22)
TARGETS: Mapping[str, tuple[Key, ...]] = {
    "queue": (QUEUE_KEY,),
    "group": (GROUP_KEY,),
    "rule": (RULE.key,),
    "queue+group": (QUEUE_KEY, GROUP_KEY),
    "nobody-knows-what": (),
    "gone": (replace(QUEUE_KEY, id="arn:aws:sqs:eu-west-1:111122223333:gone"),),
}
COMMIT = "4f1c2a9d0b5e6f708192a3b4c5d6e7f8091a2b3c"
CODEDEPLOY = "codedeploy.amazonaws.com"
_UNITS = {"h": "hours", "m": "minutes", "s": "seconds"}


def at(text: str) -> datetime:
    """`-24h` → the noon before."""
    return NOON + timedelta(**{_UNITS[text[-1]]: float(text[:-1])})


def user(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:user/{name}"


MAP = Directory(
    (
        Person("dana", "Dana Diaz", groups=("sre",), principals=(user("dana"),), users=("ddiaz",), source="map"),
        Person("marco", groups=("dba",), principals=(user("marco"),), source="map"),
        Person("sam", groups=("Security",), users=("sam.smith",), source="map"),
        Person("ada", team="platform", groups=("release",), users=("ada-on-github",), source="map"),
        Person("lena", source="map"),
        Person("lee", groups=("sre",), principals=(user("lee"),), valid_until=at("-24h"), source="map"),
        Person("ops", kind="shared", principals=(user("ops"),), sponsor="sam", source="map"),
    )
)
"""The identity map. kim, zoe and the rest of the world are not in it."""


def _iam(name: str, **fields: Any) -> Actor:
    return Actor(name, **({"kind": "person", "arn": user(name), "how": "IAM user", "confidence": 0.7} | fields))


_RUN = Run("github", "acme/shop", "17", commit=COMMIT, how="OIDC subject")
_PIPELINE = Actor("acme/shop", "pipeline", how="OIDC subject", confidence=0.95, role=DEPLOY, subject=SUBJECT, run=_RUN)
ACTORS: Mapping[str, Actor] = {
    **{name: _iam(name) for name in ("dana", "marco", "lena", "zoe", "lee", "ops")},
    "root": _iam("root", kind="root", arn=f"arn:aws:iam::{ACCOUNT}:root", how="root user"),
    "nobody-knows-whom": Actor("deploy/x", "unknown", how="a role chain that leads out of the trail", confidence=0.3),
    "pipeline": _PIPELINE,
    "pipeline-of-no-commit": replace(_PIPELINE, run=None),
    "dana-in-the-pipelines-role": _iam("dana", role=DEPLOY, how="AssumeRole chain: dana → deploy"),
    "somebody-in-the-pipelines-role": Actor("x", "unknown", how="session name", confidence=0.3, role=DEPLOY),
    "another-repository": replace(_PIPELINE, name="evil/shop", subject="repo:evil/shop:ref:refs/heads/main"),
    "autoscaling": Actor("autoscaling.amazonaws.com", "service", how="AWSServiceRoleForAutoScaling"),
    "codedeploy": Actor("d-1", "workload", how="STS", confidence=0.95, role=DEPLOY, service=CODEDEPLOY),
    "dana-through-cloudformation": _iam("dana", how="forward access session of cloudformation.amazonaws.com"),
}


# --- tickets -------------------------------------------------------------------------------------------------

_EVENT = re.compile(r"([+-]?\d+(?:\.\d+)?[hms]) (.+)")
_KINDS = ("normal", "standard", "emergency")
_PARTS = ("addresses", "resources", "types", "accounts", "environments", "tags", "names", "attributes", "actions")


def tickets(cell: str) -> tuple[Ticket, ...]:
    """Empty: the plain CHG-7. `none`: no ticket. Several are separated by `|`."""
    return () if cell == "none" else tuple(map(_ticket, cell.split("|")))


def _ticket(text: str) -> Ticket:
    made = ticket()
    for phrase in _phrases(text):
        made = _with(made, phrase)
    return made


def _with(made: Ticket, phrase: str) -> Ticket:
    word, _, rest = phrase.partition(" ")
    if event := _EVENT.fullmatch(phrase):
        return replace(made, history=(*made.history, _event(at(event[1]), event[2])))
    if re.fullmatch(r"[A-Z]+-\d+", phrase):
        return replace(made, ref=phrase)
    if phrase == "blank":  # nothing has become of it yet
        return replace(made, history=())
    if word in ("implementer", "requester", "system", "incomplete"):
        return replace(made, **{word: "" if rest == "nobody" else rest})
    if word == "window":
        start, end = rest.split(" ")
        return replace(made, start=None if start == "open" else at(start), end=None if end == "open" else at(end))
    if word == "for":
        return replace(made, groups=tuple(rest.split(" ")))
    if word == "plan":
        return replace(made, plan=_plan(rest))
    if word == "covers":
        return replace(made, scope=_scope(rest))
    assert phrase in _KINDS, phrase
    return replace(made, kind=phrase)


def _event(moment: datetime, what: str) -> TicketEvent:
    name, _, does = what.partition(" ")
    if does == "approves":
        return TicketEvent(moment, approved_by=name)
    if does.startswith("approves for "):
        return TicketEvent(moment, approved_by=name, group=does.removeprefix("approves for "))
    if does == "withdraws":
        return TicketEvent(moment, withdrawn_by=name)
    return TicketEvent(moment, state=EDITED if what == "edited" else what)


def _scope(text: str) -> TicketScope:
    """`nothing`, an address, or `part=pattern part=pattern`."""
    found: dict[str, tuple[str, ...]] = {}
    for word in text.split(" ") if text != "nothing" else ():
        part, equals, pattern = word.partition("=")
        part, pattern = (part, pattern) if equals and part in _PARTS else ("addresses", word)
        found[part] = (*found.get(part, ()), pattern)
    return TicketScope(**found)


def _plan(text: str) -> ApprovedPlan:
    """`lost`, `deletes`, `of ADDRESS`, or the attributes that it sets; `?`: known after the apply."""
    if text == "lost":
        return ApprovedPlan("sha256:0a", None, "no plan with this fingerprint was found")
    if text == "deletes":
        return ApprovedPlan("sha256:0a", (PlannedChange(*_QUEUE_NOW, "delete", *_QUEUE_IS),))
    if text.startswith("of "):
        return ApprovedPlan("sha256:0a", (PlannedChange(text[3:], "update", "aws_sqs_queue", ("other",)),))
    values = sets(text)
    return ApprovedPlan(
        "sha256:0a", (PlannedChange(*_QUEUE_NOW, "update", *_QUEUE_IS, sets=values, changed=tuple(values)),)
    )


_QUEUE_NOW = ("aws_sqs_queue.orders",)
_QUEUE_IS = ("aws_sqs_queue", (QUEUE_ARN,))


def sets(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in text.split(" "):
        name, _, value = word.partition("=")
        found[name] = Unknown("known after apply") if value == "?" else int(value) if value.isdigit() else value
    return found


# --- the change, and the world -------------------------------------------------------------------------------


@dataclass
class Case:
    """One row, as it is built up."""

    found: tuple[Ticket, ...]
    authority: dict[str, Any] = field(default_factory=lambda: {"directory": MAP, "pipelines": PIPELINES})
    answered: dict[str, Any] = field(default_factory=dict)
    actor: str = "dana"
    time: datetime = NOON
    names: tuple[str, ...] = ("CHG-7",)
    on: str = "queue"
    share: str = ""
    """Of a call on two resources: the one it is judged for."""
    act: Any = "update"
    sets: dict[str, Any] = field(default_factory=lambda: {"visibility_timeout_seconds": 60})
    made: bool = True
    now: datetime = NOON + timedelta(hours=6)
    live: tuple[Resource, ...] = ()


PIPELINES = (Pipeline("deploy", DEPLOY, subject="repo:acme/*"),)


def _change(case: Case, phrase: str) -> None:
    word, _, rest = phrase.partition(" ")
    if word == "by":
        case.actor = rest
    elif word == "at":
        case.time = at(rest)
    elif word == "names":
        case.names = () if rest == "nothing" else tuple(rest.split(" "))
    elif word == "on":
        case.on, _, case.share = rest.partition(" for ")
    elif word == "sets":
        case.sets = {} if rest == "nobody-knows-what" else sets(rest)
    elif phrase in ("deletes", "creates"):
        case.act, case.sets = phrase[:-1], {}
    else:
        assert phrase == "nothing", phrase
        case.made = False


_DAY = timedelta(days=1)


def _emergency(words: list[str]) -> Emergency:
    """Its state; `late`; `elsewhere`: of another call."""
    state, *more = words
    id_ = f"BG-{hashlib.blake2b(' '.join(words).encode(), digest_size=6).hexdigest()}"
    events = ("other",) if "elsewhere" in more else ("e1",)
    given: dict[str, Any] = {"first": NOON, "last": NOON, "deadline": NOON + _DAY, "events": events}
    return Emergency(id_, "c0ffee", "dana", "role break-glass", state=state, late="late" in more, **given)


def _policy(words: list[str]) -> Policy:
    """`env=production types=aws_sqs_* risks=high approvals=2 manual=closed pipeline=+content`."""
    said = dict(word.split("=") for word in words)
    named = {"env": "environments", "types": "types", "risks": "risks"}
    fields: dict[str, Any] = {named[one]: tuple(said[one].split(",")) for one in named if one in said}
    if "approvals" in said:
        fields["approvals"] = int(said["approvals"])
    return Policy(paths=_paths({one: said[one] for one in said if one in PATHS}), **fields)


def _paths(said: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {
        path: () if tests == "closed" else (*PATHS[path], tests[1:]) if tests[0] == "+" else tuple(tests.split(","))
        for path, tests in said.items()
    }


def _merge(words: list[str]) -> Merge:
    said = {"by": "lena", "merged": "ada", "approver": "sam", "at": "-5h", "checks": "passed", "names": ""} | dict(
        word.split("=") for word in words
    )
    reviews = tuple(TicketEvent(at(said["at"]), approved_by=one) for one in said["approver"].split(",") if one)
    return Merge(
        said.get("id", COMMIT),
        "github",
        "acme/shop",
        "#12",
        author=said["by"],
        merged_by=said["merged"],
        history=reviews,
        checks=said["checks"],  # type of Merge.checks at run time
        references=tuple(filter(None, said["names"].split(","))),
    )


def _more(values: dict[str, Any], name: str, *one: Any) -> None:
    values[name] = (*values.get(name, ()), *one)


def _environments(case: Case, **fields: Any) -> None:
    case.authority["environments"] = replace(case.authority.get("environments", Environments()), **fields)


def _calendar(case: Case, freezes: Iterable[Freeze] = (), unread: Iterable[str] = ()) -> None:
    before = case.authority.get("calendar", Calendar())
    case.authority["calendar"] = Calendar((*before.freezes, *freezes), (*before.unread, *unread), asked=True)


@cache
def _weights() -> Any:
    return load_weights()


_GIVEN: Mapping[str, Callable[[Case, list[str]], None]] = {
    "silent": lambda case, words: _more(case.answered, "unanswered", f"{words[0]}: down"),
    "forge-silent": lambda case, _: _more(case.answered, "merges_unread", "github: down"),
    "tolerance": lambda case, words: case.authority.update(tolerance=int((at(words[0]) - NOON).total_seconds())),
    "approvals": lambda case, words: case.authority.update(approvals=int(words[0])),
    "judged": lambda case, words: setattr(case, "now", at(words[0])),
    "risk": lambda case, _: case.authority.update(weights=_weights()),
    "stack": lambda case, words: _environments(case, stacks={"shop": words[0]}),
    "account": lambda case, words: _environments(case, accounts={ACCOUNT: words[0]}),
    "tagged": lambda case, words: setattr(case, "live", live(queue(tags_all={"Environment": words[0]})).resources),
    "permitted": lambda case, words: case.authority.update(
        permitted={one.split("=")[0]: tuple(one.split("=")[1].split(",")) for one in words}
    ),
    "freeze": lambda case, words: _calendar(case, [Freeze("year end", at(words[0]), at(words[1]))]),
    "calendar": lambda case, words: _calendar(case, unread=["ssm: denied"] if words == ["unread"] else []),
    "policy": lambda case, words: _more(case.authority, "policies", _policy(words)),
    "path": lambda case, words: case.authority.update(paths={**PATHS, **_paths(dict(one.split("=") for one in words))}),
    "commit": lambda case, words: _more(case.answered, "merges", _merge(words)),
    "emergency": lambda case, words: _more(case.authority, "emergencies", _emergency(words)),
    "before": lambda case, words: case.authority.update(history={"e1": words[0]}),
    "no-map": lambda case, _: case.authority.update(directory=Directory()),
    "people": lambda case, words: case.authority.update(people=dict(one.split("=") for one in words)),
    "trusted": lambda case, _: case.authority.update(
        pipelines=(*PIPELINES, Pipeline("codedeploy", DEPLOY, service=CODEDEPLOY))
    ),
}


def case_of(row: Mapping[str, str]) -> Case:
    """What a row of the table says, except what it expects."""
    case = Case(tickets(row["ticket"]))
    for phrase in _phrases(row["change"]):
        _change(case, phrase)
    for phrase in _phrases(row["given"]):
        word, *rest = phrase.split(" ")
        _GIVEN[word](case, rest)
    return case


def _phrases(cell: str) -> list[str]:
    return [phrase.strip() for phrase in cell.split(";") if phrase.strip()]


# --- the answer ----------------------------------------------------------------------------------------------


def authority_of(case: Case) -> Authority:
    """What the case's verdict rests on."""
    return Authority(tickets=Tickets(case.found, **case.answered), **case.authority)


def estate_of(case: Case) -> Estate:
    """The queue, the group and its rule, declared; and live where the case says so."""
    return Estate([queue(), group(), RULE, *case.live], SPECS)


def change_of(case: Case) -> Change:
    """The case's call, its actor looked up in the case's identity map."""
    actor = identify(ACTORS[case.actor], case.time, Index(case.authority["directory"]))
    keys = TARGETS[case.on]
    touches = tuple(Touch(key.type, (key.id,), case.act, case.sets) for key in keys)
    claims = tuple(Claim(name, "session tag") for name in case.names)
    via = "cloudformation.amazonaws.com" if "cloudformation" in case.actor else ""
    return Change(
        ("e1",),
        case.time,
        "sqs:SetQueueAttributes",
        actor,
        "sdk",
        ACCOUNT,
        REGION,
        touches,
        keys,
        claims=claims,
        via=via,
    )


def judged(case: Case) -> Verdict:
    """The verdict on the case's call, or on one resource's share of it."""
    made, authority, estate = change_of(case), authority_of(case), estate_of(case)
    if not case.share:
        return verdict(made, made.targets, authority, estate, case.now)
    one = Finding(FindingId("F-1"), TARGETS[case.share][0], changes=(JudgedChange(made, NOT_JUDGED),))
    (found,) = authorise([one], authority, estate, {}, case.now)
    return found.changes[0].verdict


def performed_under(case: Case) -> dict[str, str]:
    """Resource → how what was done to it stands to its ticket; only of tickets that are due."""
    authority, estate = authority_of(case), estate_of(case)
    done = (JudgedChange(change_of(case), judged(case)),) if case.made else ()
    trail = Trail(START - _DAY, END, coverage=(Covered(ACCOUNT, REGION, 9, START - _DAY, END),))
    found = performed(case.found, done, trail, authority, estate, case.now)
    return {row.name: row.status for one in found for row in one.rows}
