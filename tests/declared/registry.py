"""A module registry and a web server over TLS on this machine, with state: what is published can be asked for.

Hides certificates, and the protocol (https://developer.hashicorp.com/terraform/internals/module-registry-protocol).
"""

import datetime
import http.server
import io
import ipaddress
import json
import ssl
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TarMode = Literal["w", "w:gz", "w:bz2", "w:xz"]


class Registry:
    """What is published, and who asked for what."""

    def __init__(self) -> None:
        self.modules: dict[str, dict[str, str]] = {}
        """`acme/queue/aws` → version → where its package is."""
        self.files: dict[str, bytes] = {}
        """Path → content."""
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        """Path → status, headers and body, before anything else."""
        self.asked: list[str] = []
        self.authorised: list[str] = []
        """Values of the Authorization header, one a request."""
        self.port = 0
        self.authorities = Path()
        """The certificate of its authority, PEM."""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"https://{self.host}"

    def publish(self, name: str, version: str, files: Mapping[str, str]) -> None:
        """A module version whose package is an archive here."""
        path = f"/archives/{name}/{version}.tar.gz"
        self.files[path] = archive(files)
        self.modules.setdefault(name, {})[version] = self.url + path

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers, body."""
        if path in self.answers:
            return self.answers[path]
        if path == "/.well-known/terraform.json":
            return 200, {"Content-Type": "application/json"}, b'{"modules.v1": "/v1/modules/"}'
        if path in self.files:
            return 200, {"Content-Type": "application/octet-stream"}, self.files[path]
        name, _, last = path.removeprefix("/v1/modules/").rpartition("/")
        versions = self.modules.get(name)
        if last == "versions" and versions is not None:
            told = {"modules": [{"versions": [{"version": one} for one in versions]}]}
            return 200, {"Content-Type": "application/json"}, json.dumps(told).encode()
        name, _, version = name.rpartition("/")
        if last == "download" and version in self.modules.get(name, {}):
            return 204, {"X-Terraform-Get": self.modules[name][version]}, b""
        return 404, {}, b"not here"


@contextmanager
def serving(folder: Path) -> Iterator[Registry]:
    """A registry that listens while inside; `folder` gets its certificates."""
    registry = Registry()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            registry.asked.append(self.path)
            registry.authorised.append(self.headers.get("Authorization", ""))
            parts = urlsplit(self.path)
            known = self.path if self.path in registry.answers else parts.path
            status, headers, body = registry.answer(known)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    certificate, key, registry.authorities = _certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        registry.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield registry
        server.shutdown()


def archive(files: Mapping[str, str], mode: TarMode = "w:gz") -> bytes:
    """A tar archive of files by path."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as tar:
        for name, text in files.items():
            data = text.encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def _certificates(folder: Path) -> tuple[Path, Path, Path]:
    """A certificate for 127.0.0.1, its key, and the authority that signed it."""
    now = datetime.datetime.now(datetime.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("test authority", "127.0.0.1")]

    def signed(number: int) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[number])
            .issuer_name(names[0])
            .public_key(keys[number].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=number == 0, path_length=None), critical=True)
        )
        if number == 1:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
            )
        return builder.sign(keys[0], hashes.SHA256())

    paths = folder / "server.pem", folder / "server.key", folder / "authority.pem"
    paths[0].write_bytes(signed(1).public_bytes(serialization.Encoding.PEM))
    paths[2].write_bytes(signed(0).public_bytes(serialization.Encoding.PEM))
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(keys[1].private_bytes(pem, pkcs8, serialization.NoEncryption()))
    return paths
