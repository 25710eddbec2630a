"""The two Jiras, Cloud and Data Center, asked the same questions.

Hides their different searches, pages, change logs and texts. Shapes are those of
https://developer.atlassian.com/cloud/jira/platform/rest/v3/ (Cloud; version 2 where text shall come as Jira's markup,
as its change log has it) and https://developer.atlassian.com/server/jira/platform/rest/ (Data Center, version 2).
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from agent.tickets import TicketError
from agent.tickets.http import Site
from agent.tickets.jira_history import Entry, Issue

PAGE = 100
"""Issues, or keys, in one request."""
RECONCILED = 50
"""Issues that Cloud's search reads afresh, past its index, in one request."""
MOST = 5000
"""Change tickets in one look-up; their logs take some 50 MB."""

Logs = Mapping[str, tuple[list[Entry], str]]
"""Id of an issue → its change log, and why that is not whole."""


class _Found(msgspec.Struct):
    issues: list[Issue]
    nextPageToken: str | None = None  # noqa: N815 - Jira's names
    names: dict[str, str] = {}
    total: int = -1


class _Fetched(msgspec.Struct):
    issues: list[Issue]
    issueErrors: list[Any] = []  # noqa: N815 - Jira's names


class _Histories(msgspec.Struct):
    issueId: str | int  # noqa: N815 - Jira's names
    changeHistories: list[Entry]  # noqa: N815 - Jira's names


class _Changes(msgspec.Struct):
    issueChangeLogs: list[_Histories]  # noqa: N815 - Jira's names
    nextPageToken: str | None = None  # noqa: N815 - Jira's names


class Cloud:
    """https://NAME.atlassian.net"""

    api = "rest/api/3/"

    def __init__(self, site: Site, fields: Collection[str]) -> None:
        """`fields` are read of each issue."""
        self._site = site
        self._fields = sorted(fields)
        self.names: Mapping[str, str] = {}
        """Cloud's change log has ids of fields; their names are not needed."""

    def matching(self, jql: str, reread: Sequence[int] = ()) -> list[Issue]:
        """Every issue that matches; those with the ids `reread` are not taken from the index, which lags behind.

        Raises `TicketError`.
        """
        found: dict[str, Issue] = {}
        token: str | None = ""
        tokens = set()
        while token is not None:
            tokens.add(token)
            asked: dict[str, object] = {"jql": jql, "fields": self._fields, "maxResults": PAGE}
            asked |= {"nextPageToken": token} if token else {}
            asked |= {"reconcileIssues": reread} if reread else {}
            page = self._site.ask("POST", "rest/api/2/search/jql", _Found, send=asked)
            found |= {issue.id: issue for issue in page.issues}
            token = _following(page.nextPageToken, tokens, self._site.url)
            _bounded(len(found))
        return list(found.values())

    def named(self, keys: Sequence[str], jql: str) -> list[Issue]:
        """Of the issues with these keys those that match; a key that nothing has is passed over.

        By their keys first: a search refuses a key that does not exist. Raises `TicketError`.
        """
        ids: list[int] = []
        for batch in _batches(keys, PAGE):
            asked = {"issueIdsOrKeys": batch, "fields": ["created"]}
            fetched = self._site.ask("POST", "rest/api/2/issue/bulkfetch", _Fetched, send=asked)
            if fetched.issueErrors:
                raise TicketError(
                    f"{self._site.url}: could not fetch {len(fetched.issueErrors)} of the issues asked for"
                )
            ids += [int(issue.id) for issue in fetched.issues if issue.id.isdecimal()]
        found: list[Issue] = []
        for some in _batches(ids, RECONCILED):
            found += self.matching(f"({jql}) AND id IN ({','.join(map(str, some))})", some)
        return found

    def logs(self, issues: Sequence[Issue]) -> Logs:
        """The change logs of issues, oldest entry first. Raises `TicketError`."""
        found: dict[str, tuple[list[Entry], str]] = {issue.id: ([], "") for issue in issues}
        for batch in _batches([issue.id for issue in issues], PAGE):
            token: str | None = ""
            tokens = set()
            while token is not None:
                tokens.add(token)
                asked: dict[str, object] = {"issueIdsOrKeys": batch, "maxResults": 1000}
                asked |= {"nextPageToken": token} if token else {}
                page = self._site.ask("POST", "rest/api/2/changelog/bulkfetch", _Changes, send=asked)
                for log in page.issueChangeLogs:
                    if str(log.issueId) in found:
                        found[str(log.issueId)][0].extend(log.changeHistories)
                token = _following(page.nextPageToken, tokens, self._site.url)
        return found

    def document(self, text: str) -> object:
        """Text that is shown as it stands, and nothing in it obeyed.

        https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
        """
        shown = [{"type": "text", "text": text}] if text else []
        return {"type": "doc", "version": 1, "content": [{"type": "codeBlock", "content": shown}]}

    def text(self, document: object) -> str:
        """What a person reads in a document, a paragraph to a line."""
        return _plain(document, 0).strip("\n")


class DataCenter:
    """A Jira of one's own."""

    api = "rest/api/2/"

    def __init__(self, site: Site, fields: Collection[str]) -> None:
        """`fields` are read of each issue."""
        self._site = site
        self._fields = sorted(fields)
        self.names: Mapping[str, str] = {}
        """Id → name of the fields, of the last search: the change log has names only."""

    def matching(self, jql: str) -> list[Issue]:
        """Every issue that matches, with its change log. Raises `TicketError`."""
        found: dict[str, Issue] = {}
        at, total = 0, 1
        while at < total:
            # Unchecked, so that a key that does not exist is passed over.
            asked = {"jql": f"{jql} ORDER BY id ASC", "startAt": at, "maxResults": PAGE, "fields": self._fields}
            asked |= {"validateQuery": False, "expand": ["changelog", "names"]}
            page = self._site.ask("POST", "rest/api/2/search", _Found, send=asked)
            if page.total < 0 or (at and page.total < total) or (not page.issues and at < page.total):
                raise TicketError(f"{self._site.url}: its answer changed while it was read")
            self.names = {**self.names, **page.names}
            found |= {issue.id: issue for issue in page.issues}
            at, total = at + len(page.issues), page.total
            _bounded(total)
        return list(found.values())

    def named(self, keys: Sequence[str], jql: str) -> list[Issue]:
        """Of the issues with these keys those that match. Raises `TicketError`."""
        found: list[Issue] = []
        for batch in _batches(keys, PAGE):
            found += self.matching(f"({jql}) AND key IN ({','.join(batch)})")
        return found

    def logs(self, issues: Sequence[Issue]) -> Logs:
        """The change logs that came with the issues."""
        found: dict[str, tuple[list[Entry], str]] = {}
        for issue in issues:
            log = issue.changelog
            if log is None:
                found[issue.id] = ([], "its change log was not shown")
            elif len(log.histories) < log.total:
                missing = log.total - len(log.histories)
                found[issue.id] = (log.histories, f"{missing} entries of its change log were not shown")
            else:
                found[issue.id] = (log.histories, "")
        return found

    def document(self, text: str) -> object:
        """Text that is shown as it stands: no markup, and a mention reaches nobody.

        https://jira.atlassian.com/secure/WikiRendererHelpAction.jspa?section=advanced
        """
        tame = re.sub(r"\{(?=noformat)", "{ ", text, flags=re.IGNORECASE).replace("[~", "[ ~")
        return f"{{noformat}}\n{tame}\n{{noformat}}"

    def text(self, document: object) -> str:
        """What a person reads in a text, without the macros around it."""
        return re.sub(r"\{(?:noformat|code)(?::[^}\n]{0,200})?\}\n?", "", str(document or "")).strip("\r\n")


_LINES = frozenset({"paragraph", "heading", "codeBlock", "hardBreak", "rule", "mediaSingle", "tableRow"})
"""Nodes of a document after which a line ends."""
_SHOWN = {"mention": "text", "emoji": "shortName", "inlineCard": "url", "date": "timestamp", "status": "text"}
"""Nodes that are shown by one of their attributes."""
_DEEP = 50


def _plain(node: object, depth: int) -> str:
    if not isinstance(node, dict) or depth > _DEEP:
        return ""
    kind = node.get("type")
    attributes = node.get("attrs")
    said = str(node.get("text") or "")
    if kind in _SHOWN and isinstance(attributes, dict):
        said = str(attributes.get(_SHOWN[kind]) or "")
    inside = node.get("content")
    said += "".join(_plain(one, depth + 1) for one in inside) if isinstance(inside, list) else ""
    return said + "\n" if kind in _LINES else said


def _following(token: str | None, seen: Collection[str], url: str) -> str | None:
    """The token of the next page. Raises `TicketError` for one that would go round in circles."""
    if token and token in seen:
        raise TicketError(f"{url}: its pages go round in circles")
    return token or None


def _bounded(count: int) -> None:
    if count > MOST:
        raise TicketError(f"more than {MOST:,} change tickets match; narrow `changes`", permanent=True)


def _batches(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [items[at : at + size] for at in range(0, len(items), size)]
