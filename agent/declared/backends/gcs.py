"""State in Google Cloud Storage; hides its JSON interface, generations and where credentials come from.

A location is `gcs://bucket/object` (https://developer.hashicorp.com/terraform/language/backend/gcs).
"""

from __future__ import annotations

import hashlib
import importlib
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from posixpath import join
from typing import Any
from urllib.parse import quote

import msgspec

from agent.declared.backends import Access, Fetched, Version, holder
from agent.declared.regular import secret_text
from agent.declared.state import StateError
from agent.declared.web import Web

ENVIRONMENT = {
    "credentials": ("GOOGLE_BACKEND_CREDENTIALS", "GOOGLE_CREDENTIALS"),
    "access_token": ("GOOGLE_OAUTH_ACCESS_TOKEN",),
    "impersonate_service_account": ("GOOGLE_BACKEND_IMPERSONATE_SERVICE_ACCOUNT", "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT"),
    "encryption_key": ("GOOGLE_ENCRYPTION_KEY",),
    "storage_custom_endpoint": ("GOOGLE_BACKEND_STORAGE_CUSTOM_ENDPOINT", "GOOGLE_STORAGE_CUSTOM_ENDPOINT"),
}
OURS = ("storage_custom_endpoint",)
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
_PAGES = 1_000
_TOLD = {
    401: "does not accept our credentials: give others as `credentials` or GOOGLE_CREDENTIALS",
    403: "access denied: allow storage.objects.get, and storage.objects.list for its history",
    404: "there is no such object or bucket: apply the stack, or correct the location",
}


def location(settings: Mapping[str, Any], workspace: str) -> str:
    """`gcs://bucket/prefix/workspace.tfstate`."""
    bucket = settings.get("bucket")
    if not bucket:
        raise StateError('the `backend "gcs"` block does not name its bucket: set it in `backend_config`')
    return f"gcs://{bucket}/{join(str(settings.get('prefix') or '').lstrip('/'), f'{workspace}.tfstate')}"


def read(location: str, access: Access, version: str) -> Fetched:
    """The object's content, in one generation or the latest."""
    bucket, name = _parts(location)
    with Web(location, access) as web:
        headers = _headers(location, access)
        params = {"alt": "media"} | ({"generation": version} if version else {})
        answer = web.get(_url(access, bucket, name), headers, params=params, limit=access.limit, told=_TOLD)
        lock = web.get(
            _url(access, bucket, f"{name.removesuffix('.tfstate')}.tflock"),
            headers,
            params={"alt": "media"},
            missing=True,
            told=_TOLD,
        )
    return Fetched(
        answer.body,
        version=answer.headers.get("x-goog-generation", ""),
        modified=_date(answer.headers.get("last-modified", "")),
        locked="" if lock.status == 404 else holder(lock.body),
    )


def history(location: str, access: Access) -> Iterator[Version]:
    """The object's generations; a bucket without versioning keeps one."""
    bucket, name = _parts(location)
    params = {"versions": "true", "prefix": name, "fields": "items(name,generation,updated,size),nextPageToken"}
    found: list[Version] = []
    with Web(location, access) as web:
        headers = _headers(location, access)
        for _ in range(_PAGES):
            page = web.json(_url(access, bucket), _Page, headers, params=params, told=_TOLD)
            found += [
                Version(each.generation, each.updated, int(each.size)) for each in page.items if each.name == name
            ]
            if not page.nextPageToken:
                break
            params["pageToken"] = page.nextPageToken
    yield from sorted(found, key=lambda each: int(each.id), reverse=True)


class _Object(msgspec.Struct):
    name: str
    generation: str
    updated: datetime
    size: str = "0"


class _Page(msgspec.Struct):
    items: list[_Object] = []
    nextPageToken: str = ""  # noqa: N815 - Google's spelling


# Before threads are: where two decode a type for the first time at once, msgspec 0.22 crashes.
for _each in (_Object, _Page):
    msgspec.json.Decoder(_each)


def _parts(location: str) -> tuple[str, str]:
    bucket, _, name = location.removeprefix("gcs://").partition("/")
    if not bucket or not name:
        raise StateError(f"{location} names no object: write gcs://bucket/prefix/default.tfstate")
    return bucket, name


def _url(access: Access, bucket: str, name: str = "") -> str:
    """Of an object, or of a bucket's list. A custom endpoint ends where the bucket's name begins."""
    endpoint = str(access.settings.get("storage_custom_endpoint") or "https://storage.googleapis.com/storage/v1/b")
    if not endpoint.startswith(("https://", "http://")):
        raise StateError("the gcs backend's `storage_custom_endpoint` is not an address: write https://…/storage/v1/b")
    objects = f"{endpoint.rstrip('/')}/{quote(bucket, safe='')}/o"
    return f"{objects}/{quote(name, safe='')}" if name else objects


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return None


def _headers(location: str, access: Access) -> Mapping[str, str]:
    headers = {"Authorization": f"Bearer {_token(location, access)}"}
    given = str(access.settings.get("encryption_key") or "")
    if not given:
        return headers
    key = _key(given) or _key(_text(access.directory / given))
    if not key:
        raise StateError(f"{location}: `encryption_key` is neither 32 bytes in base64 nor a file of them")
    return headers | {
        "x-goog-encryption-algorithm": "AES256",
        "x-goog-encryption-key": b64encode(key).decode(),
        "x-goog-encryption-key-sha256": b64encode(hashlib.sha256(key).digest()).decode(),
    }


def _key(text: str) -> bytes:
    try:
        key = b64decode(text.strip(), validate=True)
    except ValueError:
        return b""
    return key if len(key) == 32 else b""


def _text(path: Path) -> str:
    try:
        return secret_text(path)
    except (OSError, ValueError):
        return ""


def _token(location: str, access: Access) -> str:
    """An access token: as given, else of the credentials given, else of Google's default ones."""
    if access.settings.get("access_token"):
        return str(access.settings["access_token"])
    try:
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.requests import Request
    except ImportError:
        raise StateError(f"{location}: needs Google's library: pip install driftwarden[gcs]") from None
    google: Any = importlib.import_module("google.auth")  # its functions have no types
    target = access.settings.get("impersonate_service_account")
    scopes = ["https://www.googleapis.com/auth/cloud-platform"] if target else [_SCOPE]
    try:
        given = str(access.settings.get("credentials") or "")
        if given:
            credentials = _loaded(_account(given, location, access), scopes)
        else:
            credentials, _ = google.default(scopes=scopes)
        if target:
            delegates = list(access.settings.get("impersonate_service_account_delegates") or ())
            impersonated: Any = importlib.import_module("google.auth.impersonated_credentials")
            credentials = impersonated.Credentials(credentials, str(target), [_SCOPE], delegates)
        credentials.refresh(Request())
    except (GoogleAuthError, ValueError) as error:
        # Not its text: it may quote what it could not read.
        raise StateError(f"{location}: Google gives us no token ({type(error).__name__}): check credentials") from None
    return str(credentials.token)


def _loaded(account: Mapping[str, Any], scopes: list[str]) -> Any:
    """By the loader of its kind: the general one believes whatever kind is written."""
    if account["type"] == "service_account":
        kind: Any = importlib.import_module("google.oauth2.service_account")
        return kind.Credentials.from_service_account_info(account, scopes=scopes)
    kind = importlib.import_module("google.oauth2.credentials")
    return kind.Credentials.from_authorized_user_info(account, scopes=scopes)


def _account(given: str, location: str, access: Access) -> dict[str, Any]:
    """Credentials, as JSON or in a file.

    Of the kinds that hold a key only: others name addresses and programs to ask, and a repository may have
    written them.
    """
    text = given if given.lstrip()[:1] == "{" else _text(access.directory / given)
    try:
        account = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        raise StateError(f"{location}: `credentials` is neither JSON nor a file of it") from None
    if account.get("type") not in ("service_account", "authorized_user"):
        raise StateError(
            f"{location}: `credentials` is no service account's key: others come from GOOGLE_APPLICATION_CREDENTIALS"
        )
    return account
