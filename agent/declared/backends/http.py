"""State behind one HTTP address; hides its credentials and which answers mean that there is no state.

The server may have a lock, but no way to ask for it (https://developer.hashicorp.com/terraform/language/backend/http).
"""

from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from agent.declared.backends import DEFAULT_WORKSPACE, Access, Fetched
from agent.declared.state import NoStateError, StateError
from agent.declared.web import Web

ENVIRONMENT = {
    "address": ("TF_HTTP_ADDRESS",),
    "username": ("TF_HTTP_USERNAME",),
    "password": ("TF_HTTP_PASSWORD",),
    "client_ca_certificate_pem": ("TF_HTTP_CLIENT_CA_CERTIFICATE_PEM",),
    "client_certificate_pem": ("TF_HTTP_CLIENT_CERTIFICATE_PEM",),
    "client_private_key_pem": ("TF_HTTP_CLIENT_PRIVATE_KEY_PEM",),
}


def location(settings: Mapping[str, Any], workspace: str) -> str:
    """The address, without its query and user, which may hold secrets."""
    if workspace != DEFAULT_WORKSPACE:
        raise StateError("the http backend has no workspaces: select `default`")
    address = str(settings.get("address") or "")
    if not address:
        raise StateError('the `backend "http"` block does not name its address: set it in `backend_config`')
    return _shown(address)


def _shown(address: str) -> str:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https"):
        raise StateError("the http backend's `address` is not an http:// or https:// address")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}"


def read(location: str, access: Access, version: str) -> Fetched:
    """What a GET answers; it has no versions."""
    shown, settings = _shown(location), access.settings
    if "@" in urlsplit(location).netloc or "?" in location:
        raise StateError(f"{shown}: a location has no user and no query: give the whole as the backend's `address`")
    if version:
        raise StateError(f"{shown} has no versions")
    address = str(settings.get("address") or "")
    if not address or _shown(address) != shown:
        address = location
    parts = urlsplit(address)
    user = settings.get("username") or unquote(parts.username or "")
    password = settings.get("password") or unquote(parts.password or "")
    headers = {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"} if user else {}
    own = [str(settings.get(f"client_{each}_pem") or "") for each in ("certificate", "private_key")]
    authorities = str(settings.get("client_ca_certificate_pem") or "")
    with Web(location, access, authorities=authorities, certificate="\n".join(own) if all(own) else "") as web:
        url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        answer = web.get(url, headers, limit=access.limit)
    if answer.status == 204 or not answer.body:
        raise NoStateError(f"{location}: there is no state: apply the stack, or correct the location")
    return Fetched(
        answer.body,
        modified=_date(answer.headers.get("last-modified", "")),
        unseen="the http backend cannot be asked for its lock",
    )


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return None
