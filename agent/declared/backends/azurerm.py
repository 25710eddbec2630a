"""State in Azure Blob Storage; hides its signatures, leases, versions and where credentials come from.

A location is `azurerm://account/container/blob` (https://developer.hashicorp.com/terraform/language/backend/azurerm).
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit
from xml.etree import ElementTree

from agent.declared import partial
from agent.declared.backends import DEFAULT_WORKSPACE, Access, Fetched, Version, holder
from agent.declared.regular import secret_text
from agent.declared.state import StateError
from agent.declared.web import Web

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

ENVIRONMENT = {
    "access_key": ("ARM_ACCESS_KEY",),
    "sas_token": ("ARM_SAS_TOKEN",),
    "tenant_id": ("ARM_TENANT_ID",),
    "client_id": ("ARM_CLIENT_ID",),
    "client_secret": ("ARM_CLIENT_SECRET",),
    "client_id_file_path": ("ARM_CLIENT_ID_FILE_PATH",),
    "client_secret_file_path": ("ARM_CLIENT_SECRET_FILE_PATH",),
    "client_certificate_path": ("ARM_CLIENT_CERTIFICATE_PATH",),
    "client_certificate_password": ("ARM_CLIENT_CERTIFICATE_PASSWORD",),
    "use_msi": ("ARM_USE_MSI",),
    "use_oidc": ("ARM_USE_OIDC",),
    "oidc_token": ("ARM_OIDC_TOKEN",),
    "oidc_token_file_path": ("ARM_OIDC_TOKEN_FILE_PATH",),
    "environment": ("ARM_ENVIRONMENT",),
}
OURS = ("blob_endpoint",)
_CLOUDS = {
    "public": ("core.windows.net", "login.microsoftonline.com"),
    "usgovernment": ("core.usgovcloudapi.net", "login.microsoftonline.us"),
    "china": ("core.chinacloudapi.cn", "login.chinacloudapi.cn"),
}
"""Suffix of storage, and who gives tokens."""
_API = "2021-12-02"
_PAGES = 1_000
_TOLD = {
    400: "the request was refused as it stands: correct the location or the credentials",
    401: "does not accept our credentials: set ARM_ACCESS_KEY, ARM_SAS_TOKEN, or ARM_CLIENT_ID and its secret",
    403: "access denied: allow Storage Blob Data Reader on its container, or correct the key or SAS token",
    404: "there is no such blob or container: apply the stack, or correct the location",
}


def location(settings: Mapping[str, Any], workspace: str) -> str:
    """`azurerm://account/container/blob`."""
    names = ("storage_account_name", "container_name", "key")
    missing = [name for name in names if not settings.get(name)]
    if missing:
        raise StateError(f'the `backend "azurerm"` block does not name its {missing[0]}: set it in `backend_config`')
    suffix = "" if workspace == DEFAULT_WORKSPACE else f"env:{workspace}"
    return f"azurerm://{'/'.join(str(settings[name]) for name in names)}{suffix}"


def read(location: str, access: Access, version: str) -> Fetched:
    """The blob's content and lease, or that of a version or snapshot of it."""
    kind, _, id_ = version.partition(":")
    if version and (kind not in ("version", "snapshot") or not id_):
        raise StateError(f"{location}: a version is written version:… or snapshot:…")
    query = {{"version": "versionid"}.get(kind, kind): id_} if version else {}
    with Web(location, access) as web:
        answer = _Blobs(web, location, access).get(query, access.limit)
    told = answer.headers
    leased = told.get("x-ms-lease-status") == "locked" or told.get("x-ms-lease-state") in ("leased", "breaking")
    number = told.get("x-ms-version-id", "")
    return Fetched(
        answer.body,
        version=version or (f"version:{number}" if number else ""),
        modified=parsedate_to_datetime(told["last-modified"]).astimezone(UTC) if "last-modified" in told else None,
        locked=_holder(told.get("x-ms-meta-terraformlockid", "")) if leased else "",
    )


def _holder(metadata: str) -> str:
    try:
        return holder(b64decode(metadata))
    except ValueError:
        return "somebody"


def history(location: str, access: Access) -> Iterator[Version]:
    """The blob's versions and snapshots; an account without versioning keeps what is there now."""
    found: list[tuple[str, Version]] = []
    with Web(location, access) as web:
        blobs = _Blobs(web, location, access)
        query = {"restype": "container", "comp": "list", "prefix": blobs.blob, "include": "snapshots,versions"}
        for _ in range(_PAGES):
            tree = blobs.listed(query)
            found += [_version(each) for each in tree.iter("Blob") if each.findtext("Name") == blobs.blob]
            query["marker"] = tree.findtext("NextMarker") or ""
            if not query["marker"]:
                break
    yield from (version for _, version in sorted(found, key=lambda each: each[0], reverse=True))


def _version(blob: ElementTree.Element) -> tuple[str, Version]:
    """A version or snapshot, and the moment it is named after."""
    number, snapshot = blob.findtext("VersionId") or "", blob.findtext("Snapshot") or ""
    modified = blob.findtext("Properties/Last-Modified") or ""
    size = blob.findtext("Properties/Content-Length") or ""
    id_ = f"snapshot:{snapshot}" if snapshot else f"version:{number}" if number else ""
    when = parsedate_to_datetime(modified).astimezone(UTC) if modified else None
    return snapshot or number or "9", Version(id_, when, int(size) if size.isdecimal() else None)


class _Blobs:
    """One container, with our credentials for it."""

    def __init__(self, web: Web, location: str, access: Access) -> None:
        self.account, _, rest = location.removeprefix("azurerm://").partition("/")
        self.container, _, self.blob = rest.partition("/")
        if not self.account.isalnum() or not self.container or not self.blob:
            raise StateError(f"{location} names no blob: write azurerm://account/container/blob")
        self.web, self.location, self.access, self.settings = web, location, access, access.settings
        suffix, self.authority = _cloud(self.settings)
        own = str(self.settings.get("blob_endpoint") or "").rstrip("/")
        """Not one of Terraform's settings: for Azure Stack and emulators, where no suffix leads to the account."""
        self.endpoint = own or f"https://{self.account}.blob.{suffix}"

    def get(self, query: Mapping[str, str], limit: int) -> Any:
        return self._ask(f"{self.container}/{quote(self.blob)}", query, limit)

    def listed(self, query: Mapping[str, str]) -> ElementTree.Element:
        body = self._ask(self.container, {name: value for name, value in query.items() if value}, 16_000_000).body
        try:
            if b"<!DOCTYPE" in body:  # the service writes none, and entities can be endless
                raise ElementTree.ParseError
            return ElementTree.fromstring(body)  # noqa: S314 - bounded, and without entities
        except ElementTree.ParseError:
            raise StateError(f"{self.location}: answered what the service does not: is it Azure?") from None

    def _ask(self, path: str, query: Mapping[str, str], limit: int) -> Any:
        url = f"{self.endpoint}/{path}"
        headers = {"x-ms-version": _API, "x-ms-date": format_datetime(datetime.now(UTC), usegmt=True)}
        key, sas = str(self.settings.get("access_key") or ""), str(self.settings.get("sas_token") or "")
        if key:
            headers["Authorization"] = f"SharedKey {self.account}:{self._signature(url, query, headers, key)}"
        elif sas:
            query = {**dict(parse_qsl(sas.lstrip("?"), keep_blank_values=True)), **query}
        else:
            headers["Authorization"] = f"Bearer {_token(self.location, self.access, self.authority)}"
        return self.web.get(url, headers, params=query, limit=limit, told=_TOLD)

    def _signature(self, url: str, query: Mapping[str, str], headers: Mapping[str, str], key: str) -> str:
        """https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key, for a GET without a body."""
        named = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith("x-ms-"))
        resource = f"/{self.account}{urlsplit(url).path}"
        resource += "".join(f"\n{name.lower()}:{query[name]}" for name in sorted(query))
        signed = f"GET\n{chr(10) * 11}{named}{resource}"
        try:
            digest = hmac.new(b64decode(key, validate=True), signed.encode(), hashlib.sha256).digest()
        except ValueError:
            raise StateError(f"{self.location}: the access key is not base64: correct ARM_ACCESS_KEY") from None
        return b64encode(digest).decode()


def _cloud(settings: Mapping[str, Any]) -> tuple[str, str]:
    name = str(settings.get("environment") or "public").lower()
    if name not in _CLOUDS:
        raise StateError(f"the azurerm backend's `environment` is none of {', '.join(_CLOUDS)}")
    return _CLOUDS[name]


def _token(location: str, access: Access, authority: str) -> str:
    try:
        import azure.identity
        from azure.core.exceptions import ClientAuthenticationError
    except ImportError:
        raise StateError(
            f"{location}: needs Azure's library: pip install driftwarden[azure], or set ARM_ACCESS_KEY or ARM_SAS_TOKEN"
        ) from None
    try:
        return _credential(location, access, authority).get_token("https://storage.azure.com/.default").token
    except (ClientAuthenticationError, azure.identity.CredentialUnavailableError, ValueError, OSError) as error:
        # Not its text: it may quote what it could not use.
        why = "check ARM_TENANT_ID, ARM_CLIENT_ID and what proves them"
        raise StateError(f"{location}: Azure gives us no token ({type(error).__name__}): {why}") from None


def _credential(location: str, access: Access, authority: str) -> TokenCredential:
    """The credentials that the settings describe, in Terraform's order; last the ones of `az login`."""
    from azure import identity

    given = access.settings

    def told(name: str) -> str:
        if given.get(name):
            return str(given[name])
        path = given.get(f"{name}_file_path")
        return secret_text(access.directory / str(path)).strip() if path else ""

    tenant, client, secret = told("tenant_id"), told("client_id"), told("client_secret")
    certificate = str(given.get("client_certificate_path") or "")
    if certificate and tenant and client:
        password = given.get("client_certificate_password")
        path = str(access.directory / certificate)
        return identity.CertificateCredential(tenant, client, path, password=password, authority=authority)
    if secret and tenant and client:
        return identity.ClientSecretCredential(tenant, client, secret, authority=authority)
    if partial.flag(given.get("use_oidc")):
        assertion = told("oidc_token")
        if not (assertion and tenant and client):
            raise StateError(f"{location}: use_oidc needs ARM_TENANT_ID, ARM_CLIENT_ID and a token")
        return identity.ClientAssertionCredential(tenant, client, lambda: assertion, authority=authority)
    if partial.flag(given.get("use_msi")):
        return identity.ManagedIdentityCredential(client_id=client or None)
    return identity.AzureCliCredential(tenant_id=tenant)
