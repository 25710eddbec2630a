"""Jira, Cloud and Data Center: change tickets and cases as issues (https://www.atlassian.com/software/jira).

Hides which issues are asked for, how a case is found again, and that Jira answers a stranger as if nothing were there.
`docs/tickets.md` says what a site needs.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Meta

from agent.clean import clean
from agent.model import Case, Ticket, Tickets
from agent.tickets import Reply, Table, TicketError, jira_history
from agent.tickets.http import RefusedError, Site
from agent.tickets.jira_history import Approval, Approvals, Issue, Log, Reading, User, moment, user_of
from agent.tickets.jira_site import Cloud, DataCenter, Logs
from agent.tickets.text import body, lines, marker

LABEL = "driftwarden"
"""Label of every case; with a dash and a key behind it, the label a case is found by."""
MOST = 30_000
"""Characters of a description or a comment; Jira takes 32,767 with all that belongs to its form."""
REMEMBERED = 1000
"""Keys and closings of this process: the search may not know yet what it filed."""
MAX_COMMENTS = 2000
"""Comments of one issue that are read; Jira's own limit is 5,000."""

_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,49}-[1-9][0-9]{0,9}")
T = TypeVar("T")
_Field = Annotated[str, Meta(pattern=r"^([A-Za-z]+|customfield_[0-9]{1,9})?$")]


class Fields(Table, frozen=True):
    """Which field holds what: `customfield_10010`, or a name of Jira's own. What has none stands in the block."""

    start: _Field = ""
    end: _Field = ""
    implementer: _Field = "assignee"
    approvers: _Field = ""
    kind: _Field = ""
    plan: _Field = ""
    groups: _Field = ""
    addresses: _Field = ""
    resources: _Field = ""
    types: _Field = ""
    accounts: _Field = ""
    environments: _Field = ""
    tags: _Field = ""
    names: _Field = ""
    attributes: _Field = ""
    actions: _Field = ""


class Settings(Table, frozen=True):
    """A Jira site."""

    url: str
    project: Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9_]{0,49}$")]
    """Key of the project that gets the cases."""
    token: Annotated[str, Meta(pattern=r"^[!-~]+$")]
    """API token (Cloud), or personal access token (Data Center)."""
    user: str = ""
    """E-mail address of the token's account; Cloud only."""
    deployment: Literal["cloud", "datacenter"] = "cloud"
    issue_type: str = "Task"
    """Of a case."""
    changes: Annotated[str, Meta(pattern=r"^(?!.*\b[Oo][Rr][Dd][Ee][Rr]\s+[Bb][Yy]\b)")] = ""
    """JQL of the issues that are change tickets, without an order; empty: those of the project."""
    fields: Fields = Fields()
    approvals: Approvals = "field"
    """How people approve: adding themselves to the field `approvers`, in the service desk, or by a transition."""
    approved: tuple[str, ...] = ("Approved",)
    """States that whoever moves an issue into them approves it by, where `approvals` is `transition`."""
    done: str = "Done"
    """Name of the transition that closes a case, or of the status it leads to."""
    extra: dict[str, Any] = msgspec.field(default_factory=dict)
    """More fields of a new case, as the project requires them."""


def open_system(settings: Settings, base: Path) -> "Jira":  # noqa: ARG001 - the contract's
    """The site of a configuration. Raises `TicketError` for settings that do not go together."""
    return Jira(settings)


class Jira:
    """One site, as one of its users."""

    name = "jira"

    def __init__(self, settings: Settings, *, timeout: float = 20.0) -> None:
        """`timeout` in seconds. Raises `TicketError` for settings that do not go together."""
        fields = {name: getattr(settings.fields, name) for name in settings.fields.__struct_fields__}
        fields = {name: field for name, field in fields.items() if field}
        if settings.approvals == "field" and "approvers" not in fields:
            raise TicketError('approvals = "field" needs fields.approvers, a field of users', permanent=True)
        shown = {*fields.values(), "summary", "status", "creator", "reporter", "created", "description", "labels"}
        self._api: Cloud | DataCenter
        if settings.deployment == "cloud":
            if not settings.user:
                raise TicketError("Jira Cloud needs the user whose token it is", permanent=True)
            self._site = Site(settings.url, (settings.user, settings.token), {}, timeout)
            self._api = Cloud(self._site, shown)
        else:
            self._site = Site(settings.url, None, {"Authorization": f"Bearer {settings.token}"}, timeout)
            self._api = DataCenter(self._site, shown)
        self._settings = settings
        self._fields = fields
        self._changes = settings.changes or f"project = {settings.project}"
        self._approved = frozenset(state.casefold() for state in settings.approved)
        self._filed: dict[str, str] = {}
        self._closing: dict[str, str] = {}

    def lookup(self, refs: Collection[str], start: datetime, end: datetime) -> Tickets:
        """See `TicketSystem.lookup`. References are issue keys; a moved issue answers to its former keys as well.

        About 2 requests for 50 tickets, and one more each where the service desk is asked for approvals.
        """
        named = {ref for ref in refs if _KEY.fullmatch(ref)}
        try:
            issues = {
                issue.id: issue for issue in self._api.matching(f"({self._changes}) AND {self._near(start, end)}")
            }
            missing = sorted(named - {issue.key for issue in issues.values()})
            issues |= {issue.id: issue for issue in self._api.named(missing, self._changes)} if missing else {}
            logs = self._api.logs(list(issues.values()))
            read = {issue.id: self._tickets(issue, logs, named, start, end) for issue in issues.values()}
            # Asked last: to a token that expired on the way Jira answers as to a stranger, who may see nothing.
            us = self._myself()
        except (TicketError, ValueError) as error:
            return Tickets(unanswered=(f"{self.name}: {error}",))
        found = [ticket for issue in issues.values() if not _is_case(issue, us) for ticket in read[issue.id]]
        return Tickets(tuple(sorted(found, key=lambda ticket: ticket.ref)))

    def find(self, case: Case) -> str | None:
        """See `TicketSystem.find`. Only what our own user filed is ours: anybody may set a label."""
        words = [_label(word) for word in (case.key, *case.findings)]
        jql = f"project = {self._settings.project} AND creator = currentUser() AND statusCategory != Done"
        found: dict[str, Issue] = {}
        for at in range(0, len(words), 100):
            labels = ",".join(f'"{word}"' for word in words[at : at + 100])
            found |= {issue.key: issue for issue in self._api.matching(f"{jql} AND labels IN ({labels})")}
        us = self._myself()
        first = sorted(found.values(), key=lambda one: (words[0] not in _labels(one), int(one.id)))
        remembered = [self._filed[word] for word in words if word in self._filed]
        for key in dict.fromkeys([*(issue.key for issue in first), *remembered]):
            # The search lags behind; an issue itself does not.
            issue = self._issue(key, "status,labels,creator")
            if (
                issue is not None
                and user_of(issue.fields.get("creator")).id == us
                and not _is_done(issue)
                and _labels(issue) & {*words}
            ):
                return key
        return None

    def open(self, case: Case) -> str:
        """See `TicketSystem.open`. The keys it is found by come with it in the same request, as labels."""
        words = [_label(word) for word in (case.key, *case.findings)]
        fields = {
            **self._settings.extra,
            "project": {"key": self._settings.project},
            "issuetype": {"name": self._settings.issue_type},
            "summary": f"{clean(case.title, 150)} ({marker(case.key)})",
            "description": self._api.document(_body(case)),
            "labels": [LABEL, *dict.fromkeys(words)],
        }
        key = self._ask("POST", f"{self._api.api}issue", _Created, send={"fields": fields}).key
        for word in words:
            _remember(self._filed, word, key)
        return key

    def update(self, ref: str, note: str) -> None:
        """See `TicketSystem.update`. A note that repeats the last one is its second delivery, and changes nothing."""
        self._checked(ref)
        said = self._api.document(lines(note, MOST))
        path = f"{self._api.api}issue/{ref}/comment"
        last = self._ask("GET", path, _Comments, params={"maxResults": "1"})
        if last.total > 1:
            last = self._ask("GET", path, _Comments, params={"startAt": str(last.total - 1), "maxResults": "1"})
        if any(self._api.text(one.body) == self._api.text(said) for one in last.comments):
            return
        self._ask("POST", path, object, send={"body": said})

    def close(self, ref: str, reason: str) -> None:
        """See `TicketSystem.close`."""
        self._checked(ref)
        issue = self._issue(ref, "status")
        if issue is None:
            raise TicketError(f"{ref}: is no longer there", permanent=True)
        if _is_done(issue):
            return
        path = f"{self._api.api}issue/{ref}/transitions"
        ways = self._ask("GET", path, _Transitions).transitions
        done = self._settings.done.casefold()
        way = next((way for way in ways if done in (way.name.casefold(), str(way.to.get("name", "")).casefold())), None)
        if way is None:
            there = ", ".join(clean(way.name, 40) for way in ways[:10]) or "none that we may make"
            raise TicketError(f"{ref}: has no transition '{self._settings.done}'; there is {there}", permanent=True)
        # Two requests: a second attempt after a failure between them does not say it again.
        if self._closing.get(ref) != reason:
            said = self._api.document(lines(reason, MOST))
            self._ask("POST", f"{self._api.api}issue/{ref}/comment", object, send={"body": said})
            _remember(self._closing, ref, reason)
        self._ask("POST", path, object, send={"transition": {"id": way.id}})

    def replies(self, ref: str, since: datetime | None = None) -> tuple[Reply, ...]:
        """See `TicketSystem.replies`. What was edited is said by who edited it last, and then."""
        self._checked(ref)
        comments: list[_Comment] = []
        total = 1
        while len(comments) < min(total, MAX_COMMENTS):
            params = {"startAt": str(len(comments)), "maxResults": "100"}
            page = self._ask("GET", f"{self._api.api}issue/{ref}/comment", _Comments, params=params)
            comments, total = comments + page.comments, page.total
            if not page.comments:
                break
        us = self._myself()
        found = [self._reply(one) for one in comments]
        return tuple(one for one in found if one.by and one.by != us and (since is None or one.at >= since))

    def _reply(self, comment: "_Comment") -> Reply:
        by = comment.updateAuthor or comment.author or User()
        try:
            at = moment(comment.updated or comment.created)
        except ValueError as error:
            raise TicketError(f"{self._site.url}: a comment has a time we do not understand: {error}") from error
        return Reply(clean(comment.id), at, clean(by.id), lines(self._api.text(comment.body)))

    def _tickets(
        self, issue: Issue, logs: Logs, named: Collection[str], start: datetime, end: datetime
    ) -> Sequence[Ticket]:
        """The tickets of an issue, under each name that was asked for; none where nothing of it meets the interval."""
        entries, cut = logs.get(issue.id, ([], "its change log was not shown"))
        names = {issue.key, *(item.fromString or "" for one in entries for item in one.items if item.field == "Key")}
        reading = Reading(self._fields, self._settings.approvals, self._approved, self._api.names)
        url = f"{self._site.url}browse/{issue.key}"
        try:
            found = jira_history.read(issue, Log(entries, cut, self._decisions(issue.key)), reading, url)
        except ValueError as error:
            found = [Ticket(issue.key, self.name, url=url, incomplete=f"it cannot be read: {clean(error)}")]
        asked = names & {*named}
        if not asked and not any(_meets(ticket, start, end) for ticket in found):
            return []
        return [replace(ticket, ref=ref) for ref in sorted(asked | {issue.key}) for ticket in found]

    def _decisions(self, key: str) -> list[Approval]:
        if self._settings.approvals != "service-desk":
            return []
        found: list[Approval] = []
        while True:
            params = {"start": str(len(found)), "limit": "50"}
            path = f"rest/servicedeskapi/request/{key}/approval"
            headers = {"X-ExperimentalApi": "opt-in"}
            try:
                page = self._site.ask("GET", path, _Decisions, params=params, headers=headers)
            except RefusedError as error:
                if error.status == 404:
                    return found  # no request of a service desk: nobody was asked
                raise
            found += page.values
            if page.isLastPage or not page.values:
                return found

    def _near(self, start: datetime, end: datetime) -> str:
        """JQL for issues touched since the start, or unfinished and planned for the interval."""
        # Jira reads dates in the time zone of its user; a day on either side covers them all.
        since, until = (f"{at:%Y-%m-%d}" for at in (start - timedelta(days=1), end + timedelta(days=2)))
        planned = ["statusCategory != Done"]
        for name, test in (("start", f'<= "{until}"'), ("end", f'>= "{since}"')):
            if number := re.fullmatch(r"customfield_([0-9]+)", self._fields.get(name, "")):
                planned.append(f"(cf[{number[1]}] {test} OR cf[{number[1]}] IS EMPTY)")
        return f'(updated >= "{since}" OR ({" AND ".join(planned)}))'

    def _issue(self, key: str, fields: str) -> Issue | None:
        """The issue as it is now; None where there is none of that key."""
        try:
            return self._ask("GET", f"{self._api.api}issue/{key}", Issue, params={"fields": fields})
        except RefusedError as error:
            if error.status == 404:
                return None
            raise

    def _myself(self) -> str:
        """Our own id. Raises `TicketError` for credentials that are not, or no longer, good."""
        return self._site.ask("GET", f"{self._api.api}myself", User).id

    def _ask(self, method: str, path: str, answer: type[T], **asked: Any) -> T:
        """As `Site.ask`; what is not there for a stranger may be there for us."""
        try:
            return self._site.ask(method, path, answer, **asked)
        except RefusedError as error:
            if error.status == 404:
                self._myself()
            raise

    def _checked(self, ref: str) -> None:
        if not _KEY.fullmatch(ref) or ref.rpartition("-")[0] != self._settings.project:
            raise TicketError(f"'{clean(ref, 40)}' is no issue of project {self._settings.project}", permanent=True)


class _Created(msgspec.Struct):
    key: str


class _Comment(msgspec.Struct):
    id: str
    created: str
    body: Any = None
    author: User | None = None
    updateAuthor: User | None = None  # noqa: N815 - Jira's names
    updated: str | None = None


class _Comments(msgspec.Struct):
    comments: list[_Comment]
    total: int


class _Transition(msgspec.Struct):
    id: str
    name: str
    to: dict[str, Any] = {}


class _Transitions(msgspec.Struct):
    transitions: list[_Transition]


class _Decisions(msgspec.Struct):
    values: list[Approval]
    isLastPage: bool = True  # noqa: N815 - Jira's names


def _remember(kept: dict[str, str], name: str, value: str) -> None:
    """Keep the last `REMEMBERED` of them."""
    kept[name] = value
    if len(kept) > REMEMBERED:
        del kept[next(iter(kept))]


def _body(case: Case) -> str:
    """The first message; where it is too long, the case's own body is what is cut."""
    head = len(body(replace(case, body="")))
    return body(case, max(MOST - head - 100, 0))[:MOST]


def _label(word: str) -> str:
    """The label of a key: labels take no blanks."""
    return f"{LABEL}-{quote(word, safe='')}"[:250]


def _labels(issue: Issue) -> set[str]:
    labels = issue.fields.get("labels")
    return {str(label) for label in labels} if isinstance(labels, list) else set()


def _is_case(issue: Issue, us: str) -> bool:
    return LABEL in _labels(issue) and user_of(issue.fields.get("creator")).id == us


def _is_done(issue: Issue) -> bool:
    status = issue.fields.get("status")
    category = status.get("statusCategory") if isinstance(status, dict) else None
    return isinstance(category, dict) and category.get("key") == "done"


def _meets(ticket: Ticket, start: datetime, end: datetime) -> bool:
    """Whether a ticket's window or history meets the interval."""
    planned = (ticket.start is None or ticket.start <= end) and (ticket.end is None or ticket.end >= start)
    return planned or any(start <= event.at <= end for event in ticket.history)
