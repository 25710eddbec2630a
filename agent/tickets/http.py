"""JSON over HTTP with one server that is not trusted to be quick, small or polite; every failure is a `TicketError`.

Hides time and size limits, refused redirects, throttling, and which failures may pass by themselves.
"""

import math
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import urlsplit

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

T = TypeVar("T")


class RefusedError(TicketError):
    """The server answered, and not with what was asked for."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, permanent=status < 500 and status not in MAY_PASS)
        self.status = status


class Site:
    """A server's address, our credentials there, and the patience we have with it."""

    def __init__(self, url: str, auth: tuple[str, str], headers: Mapping[str, str], timeout: float = 20.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TicketError(f"'{clean(url)}' is not an http:// or https:// address", permanent=True)
        if parts.username or parts.password:
            raise TicketError(f"credentials do not belong into the address of {parts.hostname}", permanent=True)
        self.url = url.rstrip("/") + "/"
        self._timeout = timeout
        self._silent_until = 0.0
        # Compressed answers could be small on the wire and endless in memory.
        fixed = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
        self._client = httpx2.Client(auth=auth, headers=fixed, timeout=timeout, follow_redirects=False)

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
        """The JSON answer to a request on `path` below the address, checked against its type.

        Raises `TicketError`, as `RefusedError` where the server answered.
        """
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
        try:
            return msgspec.json.decode(raw, type=answer)
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
        if status == 429:
            wait = _seconds(response.headers.get("Retry-After", ""))
            self._silent_until = time.monotonic() + wait
            raise RefusedError(f"{self.url}: too many requests; it asks us to wait for {math.ceil(wait)} s", status)
        if status == 401:
            raise RefusedError(f"{self.url}: does not accept our user and password", status)
        why = clean(raw[:1000].decode("utf-8", "replace").strip(), 300)
        raise RefusedError(f"{self.url}: answered {status}: {why or response.reason_phrase}", status)


def _seconds(retry_after: str) -> float:
    """`Retry-After` as seconds from now, from 0 to `MAX_WAIT`; a minute where it says nothing (RFC 9110, 10.2.3)."""
    try:
        wait = float(retry_after) if retry_after.isdigit() else _until(parsedate_to_datetime(retry_after))
    except ValueError:
        wait = 60.0
    return min(max(wait, 0.0), MAX_WAIT)


def _until(at: datetime) -> float:
    return (at.astimezone(UTC) - datetime.now(UTC)).total_seconds()
