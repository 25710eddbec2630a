"""Roundup trackers over REST: change tickets in a class `change`, cases as issues (https://roundup-tracker.org).

Hides Roundup's spelling, its etags and once-only tokens, and how a case is found again. `docs/tickets.md` says what a
tracker needs.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from agent.clean import clean
from agent.model import Case, Tickets
from agent.tickets import Reply, Table, TicketError
from agent.tickets.http import RefusedError, Site
from agent.tickets.roundup_journal import LATER, Change, Entry, Name, User, tickets, time
from agent.tickets.text import body, lines, marker

FINISHED = ("closed", "rejected")
"""Statuses of a change from which no authority comes."""
BATCH = 100
"""Ids in one request, so that its address stays under 2,000 characters."""
CASE, NOTE = "driftwarden case", "driftwarden note"
"""How the summaries of our messages begin. After `CASE` stand the keys a case is found by, and nothing others wrote."""
TRIES = 3
"""For an issue that somebody else edits at the same time."""

T = TypeVar("T")


class _Data(msgspec.Struct, Generic[T]):
    data: T


class _Collection(msgspec.Struct, Generic[T]):
    collection: list[T]


class _Item(msgspec.Struct, Generic[T]):
    attributes: T
    etag: str = msgspec.field(name="@etag")


class _Id(msgspec.Struct):
    id: str


class _Link(msgspec.Struct):
    link: str


class _Message(msgspec.Struct):
    id: str
    summary: str | None


class _Content(msgspec.Struct):
    content: str | None


class _Written(msgspec.Struct):
    id: str
    creator: User
    """Whom the tracker knew; `author` is what they said."""
    creation: str
    content: str | None
    messageid: str | None


class _Issue(msgspec.Struct):
    id: str
    status: Name | None


class _Thread(msgspec.Struct):
    messages: list[_Id]
    status: Name | None


class Settings(Table, frozen=True):
    """A Roundup tracker."""

    url: str
    user: str
    password: str


def open_system(settings: Settings, base: Path) -> "Roundup":  # noqa: ARG001 - the contract's
    """The tracker of a configuration. Raises `TicketError` for an address that is none."""
    return Roundup(settings.url, settings.user, settings.password)


class Roundup:
    """One tracker, as one of its users."""

    name = "roundup"

    def __init__(self, url: str, user: str, password: str, *, closed: str = "resolved", timeout: float = 20.0) -> None:
        """`closed` is the status of a closed issue; `timeout` in seconds. Raises `TicketError` for a bad address."""
        parts = urlsplit(url)
        # Roundup's guard against forged requests: https://www.roundup-tracker.org/docs/rest.html
        guard = {
            "X-Requested-With": "rest",
            "Origin": f"{parts.scheme}://{parts.netloc}",
            "Referer": f"{url.rstrip('/')}/",
        }
        self._site = Site(url, (user, password), guard, timeout)
        self._user = user
        self._closed = closed
        self._lacking: set[str] = set()

    def lookup(self, refs: Collection[str], start: datetime, end: datetime) -> Tickets:
        """See `TicketSystem.lookup`. References look like `change12`; others belong to other systems.

        A ticket whose terms were edited after they were agreed to comes once for each set of terms.
        """
        try:
            changes = self._changes(refs, start, end)
            journals = self._journals("change", list(changes))
            has = [name for name in LATER if name not in self._lacking]
            found = [
                ticket
                for number, change in changes.items()
                for ticket in tickets(
                    change, journals.get(number, []), self.name, f"{self._site.url}change{number}", has
                )
            ]
        except (TicketError, ValueError) as error:
            return Tickets(unanswered=(f"{self.name}: {error}",))
        return Tickets(tuple(found))

    def find(self, case: Case) -> str | None:
        """See `TicketSystem.find`. Only what our own user filed is ours: anybody may write our words into an issue."""
        for word in map(_word, (case.key, *case.findings)):
            asked = {"summary": word, "creator": self._user, "@fields": "summary"}
            messages = self._ask("GET", "data/msg", _Data[_Collection[_Message]], params=asked)
            filed = [one.id for one in messages.collection if word in _keys(one.summary or "")]
            if not filed:
                continue
            newest = sorted(filed, key=int)[-BATCH:]
            asked = {"messages": ",".join(newest), "creator": self._user, "@fields": "status", "@verbose": "2"}
            issues = self._ask("GET", "data/issue", _Data[_Collection[_Issue]], params=asked)
            ours = [int(one.id) for one in issues.collection if not self._is_closed(one.status)]
            if ours:
                return f"issue{min(ours)}"
        return None

    def open(self, case: Case) -> str:
        """See `TicketSystem.open`."""
        words = " ".join(map(_word, (case.key, *case.findings)))
        message = self._message(body(case), f"{CASE} {words}")
        # No brackets at the end of a title: the mail gateway obeys `[status=resolved]` in the subject of a reply.
        title = f"{clean(case.title, 150)} ({marker(case.key)})"
        token = self._ask("POST", "data/issue/@poe", _Data[_Link], send={}).link.rsplit("/", 1)[-1]
        path = f"data/issue/@poe/{quote(token, safe='')}"
        return f"issue{self._ask('POST', path, _Data[_Id], send={'title': title, 'messages': [message]}).id}"

    def update(self, ref: str, note: str) -> None:
        """See `TicketSystem.update`. A note that repeats the last one is its second delivery, and changes nothing."""
        said = lines(note)
        messages = self._thread(ref).attributes.messages
        if messages:
            last = max(int(message.id) for message in messages)
            asked = {"@fields": "content", "@verbose": "3"}
            known = self._ask("GET", f"data/msg/{last}", _Data[_Item[_Content]], params=asked).attributes.content
            if known and known.strip() == said.strip():
                return
        self._say(ref, said, None)

    def close(self, ref: str, reason: str) -> None:
        """See `TicketSystem.close`."""
        if not self._is_closed(self._thread(ref).attributes.status):
            self._say(ref, lines(reason), self._closed)

    def replies(self, ref: str, since: datetime | None = None) -> tuple[Reply, ...]:
        """See `TicketSystem.replies`.

        Left out are messages that came by mail, whose sender can be forged, and those that somebody else put there.
        """
        numbers = [message.id for message in self._thread(ref).attributes.messages]
        found = []
        for batch in _batches(numbers):
            asked = {"id": batch, "@fields": "creator,creation,content,messageid", "@verbose": "3"}
            messages = self._ask("GET", "data/msg", _Data[_Collection[_Written]], params=asked).collection
            theirs = [one for one in messages if one.creator.username != self._user]
            journals = self._journals("msg", [one.id for one in theirs])
            if theirs and "final" not in journals:
                why = "lets people rewrite each other's messages; see detectors/message_final.py in docs/tickets.md"
                raise TicketError(f"{self._site.url}: {why}", permanent=True)
            found += [
                Reply(one.id, time(one.creation), one.creator.username, lines(one.content or ""))
                for one in theirs
                if _is_own(one, journals.get(one.id, []), ref)
            ]
        kept = [reply for reply in found if since is None or reply.at >= since]
        return tuple(sorted(kept, key=lambda reply: (reply.at, int(reply.id))))

    def _ask(
        self,
        method: str,
        path: str,
        answer: type[_Data[T]],
        *,
        params: Mapping[str, str | Sequence[str]] | None = None,
        send: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        return self._site.ask(method, f"rest/{path}", answer, params=params, send=send, headers=headers).data

    def _changes(self, refs: Collection[str], start: datetime, end: datetime) -> dict[str, Change]:
        """By number: changes named in `refs`, touched since the start, or unfinished and planned for the interval."""
        statuses = self._ask("GET", "data/change_status", _Data[_Collection[Name]], params={"@fields": "name"})
        unfinished = ["-1", *(status.id for status in statuses.collection if status.name not in FINISHED)]
        # Roundup reads dates in the time zone of its user; a day on either side covers them all.
        since, until = (f"{at:%Y-%m-%d}" for at in (start - timedelta(days=1), end + timedelta(days=1)))
        # `-` is "not set", and a range open to one side ends in a semicolon.
        planned = {"window_start": f"-,;{until}", "window_end": f"-,{since};", "status": ",".join(unfinished)}
        named = [ref.removeprefix("change") for ref in sorted(refs) if re.fullmatch(r"change[1-9][0-9]{0,8}", ref)]
        searches: list[Mapping[str, str | Sequence[str]]] = [{"activity": f"{since};"}, planned]
        searches += [{"id": batch} for batch in _batches(named)]
        found: dict[str, Change] = {}
        for search in searches:
            found |= {change.id: change for change in self._search(search)}
        return dict(sorted(found.items(), key=lambda item: int(item[0])))

    def _search(self, search: Mapping[str, str | Sequence[str]]) -> list[Change]:
        """Changes with every property that the tracker has: it refuses to show one that it has not, and names it."""
        while True:
            fields = ",".join(name for name in Change.__struct_fields__ if name not in self._lacking)
            params = {**search, "@fields": fields, "@verbose": "2"}
            try:
                return self._ask("GET", "data/change", _Data[_Collection[Change]], params=params).collection
            except RefusedError as error:
                named = re.search(r"Unknown property: (\w+)", str(error))
                if error.status != 400 or named is None or named[1] not in LATER or named[1] in self._lacking:
                    raise
                self._lacking.add(named[1])

    def _journals(self, klass: str, numbers: Sequence[str]) -> dict[str, list[Entry]]:
        found: dict[str, list[Entry]] = {}
        for batch in _batches(numbers):
            params = {"id": ",".join(batch)}
            journals = self._ask("GET", f"journal/{klass}", _Data[dict[str, list[Entry]]], params=params)
            found.update(journals)
        return found

    def _thread(self, ref: str) -> _Item[_Thread]:
        if not re.fullmatch(r"issue[1-9][0-9]{0,8}", ref):
            raise TicketError(f"'{clean(ref, 40)}' is no issue of {self._site.url}", permanent=True)
        asked = {"@fields": "messages,status", "@verbose": "2"}
        return self._ask("GET", f"data/issue/{ref.removeprefix('issue')}", _Data[_Item[_Thread]], params=asked)

    def _message(self, content: str, summary: str) -> str:
        """Id of a new message. Its summary is what a search may look into; the content is not."""
        said = {"content": content, "summary": summary, "type": "text/plain", "author": self._user, "date": "."}
        return self._ask("POST", "data/msg", _Data[_Id], send=said).id

    def _say(self, ref: str, text: str, status: str | None) -> None:
        """Add a message to an issue and set its status; None keeps it, where the tracker would reopen a closed one."""
        message = self._message(text, NOTE)
        for attempt in range(1, TRIES + 1):
            thread = self._thread(ref)
            was = thread.attributes
            send: dict[str, object] = {"messages": [*(one.id for one in was.messages), message]}
            send["status"] = status or (was.status.name if was.status else None)
            path = f"data/issue/{ref.removeprefix('issue')}"
            try:
                self._ask("PUT", path, _Data[_Id], send=send, headers={"If-Match": thread.etag})
            except RefusedError as error:
                if error.status != 412 or attempt == TRIES:
                    raise
            else:
                return

    def _is_closed(self, status: Name | None) -> bool:
        return status is not None and status.name == self._closed


def _word(text: str) -> str:
    """A key as one word of a summary."""
    return quote(text, safe="")


def _keys(summary: str) -> list[str]:
    return summary.removeprefix(CASE).split() if summary.startswith(f"{CASE} ") else []


def _is_own(message: _Written, journal: Sequence[Entry], ref: str) -> bool:
    """Whether a message came from its creator, logged in, and is in this issue because they put it there."""
    creator = message.creator.username
    begun = [entry.by for entry in journal if entry.action == "create"]
    placed = [entry.by for entry in journal if entry.action == "link" and entry.before.get("to", ref) == ref]
    # Mail has the id from the start; a message that is sent on to others by mail gets one later.
    mailed = message.messageid and not any("messageid" in entry.before for entry in journal)
    return begun == [creator] and set(placed) == {creator} and not mailed


def _batches(items: Sequence[str]) -> list[Sequence[str]]:
    return [items[at : at + BATCH] for at in range(0, len(items), BATCH)]
