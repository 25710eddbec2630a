"""Azure Blob Storage as far as reading blobs, versions and leases goes; it checks signatures as the service does.

https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from fakes.server import Reply, Request

BEGAN = datetime(2026, 1, 2, tzinfo=UTC)
SIGNED = (
    *("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date"),
    *("if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"),
)


class Blobs:
    """The account `acme` with its key, a SAS token and a bearer token; one container, `states`."""

    def __init__(self, key: bytes, sas: str, bearer: str) -> None:
        self.key, self.sas, self.bearer = key, sas, bearer
        self.blobs: dict[str, list[bytes]] = {}
        self.leases: dict[str, str] = {}
        """Blob → what Terraform writes into its metadata."""

    def allowed(self, request: Request) -> bool:
        kind, _, proof = request.headers.get("authorization", "").partition(" ")
        if kind == "Bearer":
            return proof == self.bearer
        if kind == "SharedKey":
            return proof == f"acme:{self.signature(request)}"
        return dict(parse_qsl(self.sas)).items() <= request.query.items()

    def signature(self, request: Request) -> str:
        told = {name: value for name, value in request.headers.items() if (name, value) != ("content-length", "0")}
        lines = [request.method, *(told.get(name, "") for name in SIGNED)]
        lines += [f"{name}:{told[name].strip()}" for name in sorted(told) if name.startswith("x-ms-")]
        lines.append("/acme" + request.target.partition("?")[0])
        lines += [f"{name.lower()}:{request.query[name]}" for name in sorted(request.query, key=str.lower)]
        return b64encode(hmac.new(self.key, "\n".join(lines).encode(), hashlib.sha256).digest()).decode()

    def reply(self, request: Request) -> Reply:
        if not self.allowed(request):
            return 403, {}, b"<Error><Code>AuthenticationFailed</Code></Error>"
        assert request.headers["x-ms-version"] >= "2019-12-12"
        container, _, name = request.path.lstrip("/").partition("/")
        if container != "states":
            return 404, {}, b"<Error><Code>ContainerNotFound</Code></Error>"
        if request.query.get("comp") == "list":
            return self.listed(request)
        versions = self.blobs.get(name, [])
        number = int(request.query.get("versionid", f"v{len(versions)}")[1:])
        if not 0 < number <= len(versions):
            return 404, {}, b"<Error><Code>BlobNotFound</Code></Error>"
        leased = name in self.leases
        headers = {
            "x-ms-version-id": f"v{number}",
            "Last-Modified": format_datetime(BEGAN + timedelta(minutes=number), usegmt=True),
            "x-ms-lease-status": "locked" if leased else "unlocked",
            "x-ms-lease-state": "leased" if leased else "available",
        }
        if leased:
            headers["x-ms-meta-terraformlockid"] = b64encode(self.leases[name].encode()).decode()
        return 200, headers, versions[number - 1]

    def listed(self, request: Request) -> Reply:
        """Pages of two, oldest first."""
        assert request.query["include"] == "snapshots,versions"
        every = [
            f"<Blob><Name>{escape(name)}</Name><VersionId>v{number}</VersionId><Properties><Last-Modified>"
            f"{format_datetime(BEGAN + timedelta(minutes=number), usegmt=True)}</Last-Modified>"
            f"<Content-Length>{len(data)}</Content-Length></Properties></Blob>"
            for name, versions in sorted(self.blobs.items())
            if name.startswith(request.query["prefix"])
            for number, data in enumerate(versions, 1)
        ]
        begin = int(request.query.get("marker") or 0)
        after = str(begin + 2) if begin + 2 < len(every) else ""
        body = "".join(every[begin : begin + 2])
        text = f"<EnumerationResults><Blobs>{body}</Blobs><NextMarker>{after}</NextMarker></EnumerationResults>"
        return 200, {}, f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode()


def key(text: str) -> bytes:
    """An account's key from its base64."""
    return b64decode(text)
