"""JSON over HTTP with one server that is not trusted to be quick, small or polite; every failure is a `TicketError`.

Hides time and size limits, refused redirects, pages, throttling in its dialects, and which failures may pass by
themselves.
"""

import math
import re
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Generic, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx2
import msgspec

from agent.clean import clean
from agent.tickets import TicketError

MAX_ANSWER = 16_000_000
"""Bytes; a thousand issues with every field take about 1 MB."""
MAX_WAIT = 3600.0
"""Seconds a server may ask us to stay away; a larger wish is taken for a mistake."""
MAY_PASS = frozenset({408, 412, 425, 429})
"""Refusals below 500 that another attempt may not meet (RFC 9110, RFC 8470, RFC 6585)."""
MINUTE = 60.0
"""Seconds to stay away where a server that is asked too much does not say how long."""

T = TypeVar("T")


class RefusedError(TicketError):
    """The server answered, and not with what was asked for; `status` is its HTTP status."""

    def __init__(self, message: str, status: int, *, throttled: bool = False) -> None:
        super().__init__(message, permanent=status < 500 and status not in MAY_PASS and not throttled)
        self.status = status


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of an answer."""

    answer: T
    next: str | None
    """Path of the page after it, for `Site.ask_page`; None: this is the last."""


class Site:
    """A server's address, our credentials there, and the patience we have with it."""

    def __init__(
        self, url: str, auth: tuple[str, str] | None, headers: Mapping[str, str], timeout: float = 20.0
    ) -> None:
        """`auth` is user and password; None where `headers` hold a token. `timeout` in seconds, for a whole answer.

        Raises `TicketError` for an address that is none.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TicketError(f"'{clean(url)}' is not an http:// or https:// address", permanent=True)
        if parts.username or parts.password:
            raise TicketError(f"credentials do not belong into the address of {parts.hostname}", permanent=True)
        self.url = url.rstrip("/") + "/"
        self._timeout = timeout
        self._silent_until = 0.0
        self._credentials = "user and password" if auth else "token"
        self._welcome = False
        # Compressed answers could be small on the wire and endless in memory.
        fixed = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
        self._client = httpx2.Client(
            auth=auth, headers=fixed, timeout=timeout, follow_redirects=False, verify=_trusted()
        )

    def ask(
        self,
        method: str,
        path: str,
        answer: type[T],
        *,
        params: Mapping[str, str | Sequence[str]] | None = None,
        send: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """The JSON answer to a request on `path` below the address, checked against its type; nothing counts as null.

        Raises `TicketError`, as `RefusedError` where the server answered.
        """
        return self._ask(method, path, answer, params, send, headers)[0]

    def ask_page(
        self,
        method: str,
        path: str,
        answer: type[T],
        *,
        params: Mapping[str, str | Sequence[str]] | None = None,
        send: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Page[T]:
        """As `ask`, with the page after it as the `Link` header names it (RFC 8288), on this site only.

        Raises `TicketError`.
        """
        known, got = self._ask(method, path, answer, params, send, headers)
        return Page(known, self._next(got))

    def leave(self, seconds: float) -> None:
        """Ask nothing for so long, for a server that says in words of its own that we ask too much."""
        self._silent_until = time.monotonic() + _bounded(seconds)

    def _ask(
        self,
        method: str,
        path: str,
        answer: type[T],
        params: Mapping[str, str | Sequence[str]] | None,
        send: Mapping[str, object] | None,
        headers: Mapping[str, str] | None,
    ) -> tuple[T, httpx2.Response]:
        wait = self._silent_until - time.monotonic()
        if wait > 0:
            raise TicketError(f"{self.url}: asked us to wait for {math.ceil(wait)} s more")
        url = self.url + path
        content = None if send is None else msgspec.json.encode(send)
        sent = {**({"Content-Type": "application/json"} if content else {}), **(headers or {})}
        try:
            with self._client.stream(method, url, params=params, headers=sent, content=content) as got:
                raw = self._read(got)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            why = clean(str(error) or type(error).__name__)
            raise TicketError(f"{self.url}: did not answer: {why}") from error
        self._judge(got, raw)
        self._welcome = True
        try:
            return msgspec.json.decode(raw or b"null", type=answer), got
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise TicketError(f"{url}: answered what we do not understand: {clean(str(error))}") from error

    def _read(self, response: httpx2.Response) -> bytes:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise TicketError(f"{self.url}: answered compressed, which we did not ask for")
        until = time.monotonic() + self._timeout
        raw = bytearray()
        for chunk in response.iter_raw():
            raw += chunk
            if len(raw) > MAX_ANSWER:
                raise TicketError(f"{self.url}: answered more than {MAX_ANSWER:,} bytes")
            if time.monotonic() > until:
                raise TicketError(f"{self.url}: had not answered in full after {self._timeout:g} s")
        return bytes(raw)

    def _judge(self, response: httpx2.Response, raw: bytes) -> None:
        """Raises `RefusedError` for anything but success."""
        status = response.status_code
        if 200 <= status < 300:
            return
        if 300 <= status < 400:
            target = clean(response.headers.get("Location", "elsewhere"), 200)
            raise RefusedError(f"{self.url}: redirects to {target}; configure the address it answers at", status)
        wait = _throttled(response, raw)
        if wait is not None:
            self.leave(wait)
            why = f"{self.url}: too many requests; it asks us to wait for {math.ceil(wait)} s"
            raise RefusedError(why, status, throttled=True)
        if status == 401:
            # A token may end between two requests; who reads this then looks for its date, not for a typing error.
            now = "no longer accepts" if self._welcome else "does not accept"
            ended = ", which it took a moment ago: expired or revoked" if self._welcome else ""
            raise RefusedError(f"{self.url}: {now} our {self._credentials}{ended}", status)
        why = clean(raw[:1000].decode("utf-8", "replace").strip(), 300)
        raise RefusedError(f"{self.url}: answered {status}: {why or response.reason_phrase}", status)

    def _next(self, response: httpx2.Response) -> str | None:
        """The next page's path below our address. Raises `TicketError` where it lies elsewhere: our token stays."""
        found = _NEXT.search(response.headers.get("Link", ""))
        if not found:
            return None
        target: str = urljoin(str(response.url), found[1])
        if not target.startswith(self.url):
            raise TicketError(f"{self.url}: has its next page at {clean(target, 200)}, which is another site")
        return target.removeprefix(self.url)


@cache
def _trusted() -> ssl.SSLContext:
    """Whose certificates are believed; loading them takes 60 ms."""
    return httpx2.create_ssl_context()


_NEXT = re.compile(r'<([^<>]{1,4000})>\s*;\s*rel="?next\b')


def _throttled(response: httpx2.Response, raw: bytes) -> float | None:
    """Seconds to stay away, where the refusal is about how much we ask; None where it is about what.

    GitHub says 403 as well as 429, with `Retry-After`, or nothing left until `X-RateLimit-Reset`, or in words only
    (https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#rate-limit-errors).
    """
    status, headers = response.status_code, response.headers
    if status not in (403, 429):
        return None
    if "Retry-After" in headers:
        return _seconds(headers["Retry-After"])
    reset = headers.get("X-RateLimit-Reset") or headers.get("RateLimit-Reset") or ""
    spent = "0" in (headers.get("X-RateLimit-Remaining"), headers.get("RateLimit-Remaining"))
    if spent and re.fullmatch(r"[0-9]{1,12}", reset):
        return _bounded(int(reset) - datetime.now(UTC).timestamp())
    return MINUTE if status == 429 or spent or b"rate limit" in raw[:2000].lower() else None


def _seconds(retry_after: str) -> float:
    """`Retry-After` as seconds from now, from 0 to `MAX_WAIT`; a minute where it says nothing (RFC 9110, 10.2.3)."""
    try:
        wait = float(retry_after) if retry_after.isdigit() else _until(parsedate_to_datetime(retry_after))
    except ValueError:
        wait = MINUTE
    return _bounded(wait)


def _bounded(wait: float) -> float:
    return min(max(wait, 0.0), MAX_WAIT)


def _until(at: datetime) -> float:
    return (at.astimezone(UTC) - datetime.now(UTC)).total_seconds()
