"""HTTP with servers that keep states; every failure is a `StateError`.

Hides time and size limits, TLS, redirects (bounded, without credentials beyond the first server) and which answers are
failures. Errors say the state's location and never an address or an answer: both may hold secrets.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx2
import msgspec

from agent.clean import clean
from agent.declared.backends import Access
from agent.declared.state import NoStateError, StateError, refuse_size

MAX_ANSWER = 16_000_000
"""Bytes of an answer that is no state; a page of a hundred versions takes about 0.5 MB."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    body: bytes = field(repr=False)


class Web:
    """A client for one state; use it in a `with` statement.

    `location` is how errors call the state. `authorities` is a file or PEM text of the certificates to trust instead of
    the system's, `certificate` PEM text of our own certificate with its key.
    """

    def __init__(self, location: str, access: Access, *, authorities: str = "", certificate: str = "") -> None:
        self.location = location
        self.access = access
        self._client = httpx2.Client(
            verify=_trust(location, access.environment, authorities, certificate),
            timeout=access.timeout,
            follow_redirects=False,
        )

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        params: Mapping[str, str] | None = None,
        limit: int = MAX_ANSWER,
        redirects: int = 0,
        missing: bool = False,
        told: Mapping[int, str] | None = None,
    ) -> Answer:
        """The successful answer to a GET, at most `limit` bytes.

        So many `redirects` are followed, without `headers` where another server is named. `missing`: a 404 is an answer
        as well. `told` is what to say of a status. Raises `StateError`; for a 404 `NoStateError`.
        """
        sent = {"Accept-Encoding": "identity", **(headers or {})}  # what is compressed could be endless in memory
        if not all(value.isascii() and value.isprintable() for value in sent.values()):
            raise StateError(f"{self.location}: the credentials have characters that HTTP cannot carry: correct them")
        answer = self._answer(url, sent, params, limit)
        if redirects and answer.status in (301, 302, 303, 307, 308) and "location" in answer.headers:
            target = urljoin(url, answer.headers["location"])
            if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
                raise StateError(f"{self.location}: redirects away from https, which is not followed")
            kept = headers if same_server(url, target) else None
            return self.get(target, kept, limit=limit, redirects=redirects - 1, missing=missing, told=told)
        self._judge(answer, missing, told or {})
        return answer

    def json(self, url: str, type_: type[T], headers: Mapping[str, str] | None = None, **options: Any) -> T:
        """The answer to `get` as JSON of a type."""
        answer = self.get(url, headers, **options)
        try:
            return msgspec.json.decode(answer.body, type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            kind = "HTML" if answer.body.lstrip()[:1] == b"<" else "something else"
            raise StateError(
                f"{self.location}: answered {kind} where its interface has JSON: is it the server?"
            ) from None

    def _answer(self, url: str, headers: Mapping[str, str], params: Mapping[str, str] | None, limit: int) -> Answer:
        try:
            with self._client.stream("GET", url, headers=headers, params=params) as response:
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise StateError(f"{self.location}: answered compressed, which was not asked for")
                body = self._body(response, limit)
                names = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, names, body)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise StateError(f"{self.location}: cannot connect: {clean(str(error) or 'too slow', 200)}") from None
        except httpx2.TimeoutException:
            raise StateError(f"{self.location}: did not answer within {self.access.timeout:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError, ValueError) as error:
            raise StateError(f"{self.location}: cannot be asked: {type(error).__name__}") from None

    def _body(self, response: httpx2.Response, limit: int) -> bytes:
        if response.status_code >= 300:  # no more than what an error says
            limit = MAX_ANSWER
        length = response.headers.get("Content-Length", "")
        refuse_size(int(length) if length.isdecimal() else 0, self.location, limit)
        return gathered(response.iter_raw(), self.location, limit, self.access.patience)

    def _judge(self, answer: Answer, missing: bool, told: Mapping[int, str]) -> None:
        status = answer.status
        if 200 <= status < 300 or (missing and status == 404):
            return
        if status in told:
            error = NoStateError if status == 404 else StateError
            raise error(f"{self.location}: {told[status]}")
        if status == 404:
            raise NoStateError(f"{self.location}: there is no state: apply the stack, or correct the location")
        raise StateError(f"{self.location}: {_WHY.get(status) or _why(status)}")


_WHY = {
    401: "does not accept our credentials: correct them",
    403: "access denied: allow our credentials to read it",
    429: "too many requests: scan again later",
}


def _why(status: int) -> str:
    if 300 <= status < 400:
        return f"redirects (status {status}), which is not followed: give the address it answers at"
    return f"answered status {status}" + (": the server fails, scan again later" if status >= 500 else "")


def gathered(
    chunks: Any, location: str, limit: int, patience: float, clock: Callable[[], float] = time.monotonic
) -> bytes:
    """What arrives in pieces, joined. Raises `StateError` for more than `limit` bytes, or `patience` seconds."""
    parts: list[bytes] = []
    size, until = 0, clock() + patience
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise StateError(f"{location} has more than {limit:,} bytes, which are not read: split the stack")
        if clock() > until:
            raise StateError(f"{location}: had not arrived in full after {patience:g} s")
        parts.append(chunk)
    return b"".join(parts)


def same_server(one: str, other: str) -> bool:
    """Whether two addresses are of one server, so that one's credentials may go to the other."""
    return [_server(one)] == [_server(other)]


def _server(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _trust(location: str, environment: Mapping[str, str], authorities: str, certificate: str) -> ssl.SSLContext | bool:
    """What TLS believes: given certificates, else the variables that Terraform obeys as well, else the system's."""
    file, folder = environment.get("SSL_CERT_FILE") or None, environment.get("SSL_CERT_DIR") or None
    if not (authorities or certificate or file or folder):
        return True
    try:
        if "-----BEGIN" in authorities:
            context = ssl.create_default_context(cadata=authorities)
        else:
            context = ssl.create_default_context(cafile=authorities or file, capath=None if authorities else folder)
        if certificate:
            _present(context, certificate)
    except (OSError, ValueError):
        raise StateError(f"{location}: its certificates for TLS cannot be read: correct the files or the PEM") from None
    return context


def _present(context: ssl.SSLContext, certificate: str) -> None:
    """Python takes our certificate and key from files only; this file is in memory: a key does not go to disk."""
    descriptor = os.memfd_create("certificate")
    try:
        os.write(descriptor, certificate.encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
