"""State in Consul's key/value store; hides chunks, compression, sessions and how workspaces are told apart.

A location is `consul://host:port/path` (https://developer.hashicorp.com/terraform/language/backend/consul).
"""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from agent.declared import partial
from agent.declared.backends import DEFAULT_WORKSPACE, Access, Fetched, holder
from agent.declared.regular import secret_text
from agent.declared.state import NoStateError, StateError, refuse_size
from agent.declared.web import Web

ENVIRONMENT = {
    "address": ("CONSUL_HTTP_ADDR",),
    "access_token": ("CONSUL_HTTP_TOKEN",),
    "http_auth": ("CONSUL_HTTP_AUTH",),
    "ssl": ("CONSUL_HTTP_SSL",),
    "ca_file": ("CONSUL_CACERT",),
    "cert_file": ("CONSUL_CLIENT_CERT",),
    "key_file": ("CONSUL_CLIENT_KEY",),
}
_TOLD = {
    401: "does not accept our credentials: set CONSUL_HTTP_TOKEN or CONSUL_HTTP_AUTH",
    403: "access denied: allow our CONSUL_HTTP_TOKEN key_prefix read on it",
}
_AROUND = 64_000
"""Bytes around a value, which is in base64."""
_CHUNKS = 10_000
"""Most pieces of one state; Terraform makes one of each 512 KB."""


def location(settings: Mapping[str, Any], workspace: str) -> str:
    """`consul://host:port/path`."""
    path = str(settings.get("path") or "")
    if not path:
        raise StateError('the `backend "consul"` block does not name its path: set it in `backend_config`')
    suffix = "" if workspace == DEFAULT_WORKSPACE else f"-env:{workspace}"
    return f"consul://{_host(settings)[1]}/{path}{suffix}"


def _host(settings: Mapping[str, Any]) -> tuple[str, str]:
    """Scheme and host; a user that stands in the address is none of Consul's, and is dropped."""
    scheme, separator, host = str(settings.get("address") or "127.0.0.1:8500").rpartition("://")
    if separator and scheme not in ("http", "https"):
        raise StateError("the consul backend's `address` is read over http and https only")
    default = "https" if partial.flag(settings.get("ssl")) else "http"
    return scheme or str(settings.get("scheme") or default), host.rpartition("@")[2].strip("/")


def read(location: str, access: Access, version: str) -> Fetched:
    """The value at a path, its pieces joined; it has no versions."""
    if version:
        raise StateError(f"{location} has no versions")
    host, _, path = location.removeprefix("consul://").partition("/")
    if not host or not path:
        raise StateError(f"{location} names no key: write consul://host:port/path")
    authorities, own = str(access.settings.get("ca_file") or ""), _pem(location, access)
    with Web(location, access, authorities=authorities, certificate=own) as web:
        store = _Store(web, host, access)
        before = store.entry(path)
        if before is None:
            raise NoStateError(f"{location}: there is no state: apply the stack, or correct the location")
        data = store.joined(before)
        lock = store.entry(f"{path}/.lock")
        locked = lock is not None and bool(lock.session)
        info = store.entry(f"{path}/.lockinfo") if locked else None
    return Fetched(data, locked=(holder(info.bytes()) if info else "somebody") if locked else "")


class _Entry(msgspec.Struct, rename="pascal"):
    value: str | None = None
    session: str = ""

    def bytes(self) -> bytes:
        return b64decode(self.value or "", validate=True)


class _Index(msgspec.Struct, rename="kebab"):
    """What stands at the path of a state that is too large for one value."""

    current_hash: str
    chunks: list[str]


# Before threads are: where two decode a type for the first time at once, msgspec 0.22 crashes.
_ENTRIES, _INDEX = msgspec.json.Decoder(list[_Entry]), msgspec.json.Decoder(_Index)


class _Store:
    def __init__(self, web: Web, host: str, access: Access) -> None:
        settings = access.settings
        scheme, known = _host(settings)
        self.web, self.limit = web, access.limit
        self.url = f"{scheme if known == host else 'http'}://{host}/v1/kv/"
        self.params = {"consistent": ""} | ({"dc": str(settings["datacenter"])} if settings.get("datacenter") else {})
        self.headers = {}
        if settings.get("access_token"):
            self.headers["X-Consul-Token"] = str(settings["access_token"])
        if settings.get("http_auth"):
            self.headers["Authorization"] = f"Basic {b64encode(str(settings['http_auth']).encode()).decode()}"

    def entry(self, path: str) -> _Entry | None:
        """What is at a path."""
        url, limit = self.url + quote(path), self.limit * 4 // 3 + _AROUND
        answer = self.web.get(url, self.headers, params=self.params, limit=limit, missing=True, told=_TOLD)
        if answer.status == 404:
            return None
        try:
            (found,) = _ENTRIES.decode(answer.body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise StateError(f"{self.web.location}: answered what Consul does not: correct its `address`") from None
        return found

    def joined(self, entry: _Entry) -> bytes:
        """The state, which may lie in pieces and be compressed."""
        value = self._bytes(entry)
        index = self._index(value)
        if index is None:
            return self._unpacked(value)
        if len(index.chunks) > _CHUNKS:
            raise StateError(f"{self.web.location} has more than {_CHUNKS:,} pieces: split the stack")
        parts: list[bytes] = []
        for path in index.chunks:
            chunk = self.entry(path)
            if chunk is None:
                raise StateError(f"{self.web.location}: a piece of it went while it was read: scan again")
            parts.append(self._bytes(chunk))
            refuse_size(sum(map(len, parts)), self.web.location, self.limit)
        data = self._unpacked(b"".join(parts))
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != index.current_hash:
            raise StateError(f"{self.web.location}: its pieces do not make the state of its hash: scan again")
        return data

    def _index(self, value: bytes) -> _Index | None:
        if b'"current-hash"' not in value[:4096]:
            return None
        try:
            return _INDEX.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def _bytes(self, entry: _Entry) -> bytes:
        try:
            data = entry.bytes()
        except ValueError:
            raise StateError(f"{self.web.location}: answered a value that is not base64") from None
        refuse_size(len(data), self.web.location, self.limit)
        return data

    def _unpacked(self, value: bytes) -> bytes:
        if value[:2] != b"\x1f\x8b":
            return value
        unpacker = zlib.decompressobj(wbits=31)
        try:
            data = unpacker.decompress(value, self.limit + 1)
        except zlib.error:
            raise StateError(f"{self.web.location} is not whole: it cannot be decompressed") from None
        refuse_size(len(data), self.web.location, self.limit)
        return data


def _pem(location: str, access: Access) -> str:
    """Our own certificate and key; empty where none are configured."""
    files = [access.settings.get(name) for name in ("cert_file", "key_file")]
    if not all(files):
        return ""
    try:
        return "\n".join(secret_text(access.directory / str(file)) for file in files)
    except (OSError, ValueError):
        raise StateError(f"{location}: its `cert_file` or `key_file` cannot be read: correct the paths") from None
