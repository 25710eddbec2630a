"""Files from web servers that are not trusted: over TLS alone, bounded in size and time, redirects counted.

Hides httpx2, and that a token goes to its own host and nowhere else.
"""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from agent.clean import clean
from agent.declared.module_sources.address import SourceError

if TYPE_CHECKING:
    import httpx2

MAX_ANSWER = 8_000_000
"""Bytes of an answer that is read at once: a list of versions."""
MAX_ARCHIVE = 100_000_000
"""Bytes of an archive, packed."""
_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Web:
    """How web servers are reached."""

    trust: ssl.SSLContext | None = None
    """Other authorities than the machine's."""
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Host → token for it."""
    seconds: float = 120.0
    """For one file."""

    def get(self, url: str) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers by their lower-case names, and body. Raises `SourceError`."""
        with self._asked(url) as answer:
            return answer.status_code, dict(answer.headers), b"".join(_read(answer, MAX_ANSWER, self.seconds))

    def download(self, url: str, place: Path, checksum: str) -> None:
        """A file's content, as its checksum (`sha256:…` or bare) says it is. Raises `SourceError`."""
        algorithm, wanted = _checksum(checksum)
        digest = hashlib.new(algorithm, usedforsecurity=False)
        with self._asked(url) as answer, place.open("wb") as file:
            if answer.status_code != 200:
                raise SourceError(f"{shown(url)} answers {answer.status_code}: {_MEANINGS.get(answer.status_code, '')}")
            for chunk in _read(answer, MAX_ARCHIVE, self.seconds):
                digest.update(chunk)
                file.write(chunk)
        if wanted and digest.hexdigest() != wanted:
            raise SourceError(f"{shown(url)} is not what its checksum says: it was changed, or the checksum is wrong")

    @contextmanager
    def _asked(self, url: str) -> Iterator[httpx2.Response]:
        """The answer after redirects."""
        import httpx2  # most modules come from no web server, and every scan is a process of its own

        verify = self.trust if self.trust is not None else True
        # Compressed answers could be small on the wire and endless in memory.
        headers = {"Accept-Encoding": "identity", "User-Agent": "driftwarden"}
        try:
            with httpx2.Client(verify=verify, timeout=20.0, headers=headers, follow_redirects=False) as client:
                for _ in range(_REDIRECTS):
                    parts = urlsplit(url)
                    if parts.scheme != "https" or not parts.hostname:
                        raise SourceError(f"{shown(url)} is not an https:// address")
                    token = self.tokens.get(parts.netloc.rpartition("@")[2].lower())
                    with client.stream(
                        "GET", url, headers={"Authorization": f"Bearer {token}"} if token else {}
                    ) as answer:
                        location = answer.headers.get("Location")
                        if not (answer.is_redirect and location):
                            yield answer
                            return
                    url = urljoin(url, location)
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise SourceError(f"{shown(url)} does not answer: {clean(type(error).__name__)}") from None
        raise SourceError(f"{shown(url)} redirects more than {_REDIRECTS} times")


_MEANINGS = {401: "give a token for it", 403: "give a token that may read it", 404: "there is no such file"}


def shown(url: str) -> str:
    """An address as messages show it: without credentials and query, which may be signed."""
    parts = urlsplit(url)
    return clean(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}", 200)


def tokens(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Host → token from variables such as `TF_TOKEN_app_terraform_io`, as Terraform names them
    (https://developer.hashicorp.com/terraform/cli/config/config-file#environment-variable-credentials).
    """
    named = {
        name.removeprefix("TF_TOKEN_"): value for name, value in environment.items() if name.startswith("TF_TOKEN_")
    }
    return {name.replace("__", "-").replace("_", ".").lower(): value for name, value in named.items() if value}


def _read(answer: httpx2.Response, most: int, seconds: float) -> Iterator[bytes]:
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise SourceError(f"{shown(str(answer.url))} answers compressed, which was not asked for")
    until, total = time.monotonic() + seconds, 0
    for chunk in answer.iter_raw(1 << 16):
        total += len(chunk)
        if total > most:
            raise SourceError(f"{shown(str(answer.url))} has more than {most:,} bytes")
        if time.monotonic() > until:
            raise SourceError(f"{shown(str(answer.url))} had not answered in full after {seconds:g} s")
        yield chunk


def _checksum(text: str) -> tuple[str, str]:
    """Algorithm and digest; bare digests tell their algorithm by their length."""
    algorithm, found, digest = text.rpartition(":")
    digest = digest.lower()
    lengths = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
    if not digest:
        return "sha256", ""
    known = lengths.get(len(digest))
    if known is None or (found and algorithm != known) or set(digest) - set("0123456789abcdef"):
        raise SourceError("the source's checksum is none of md5, sha1, sha256, sha512: run `terraform init`")
    return known, digest
