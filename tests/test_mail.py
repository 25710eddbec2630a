"""E-mail goes out over TLS that is checked, to a real SMTP server; what it refuses is told, and the password never."""

import asyncio
import datetime as dt
import email
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.mail import Letter, MailError, message, send
from agent.tables import SmtpConfig

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
PASSWORD = "canary-9d2e-hunter2"
LETTER = Letter(
    ("lead@acme.example",),
    "driftwarden week 2026-W47",
    "# Week\n\nüber alles",
    "<p>Week</p>",
    "weekly-2026-W47-0123456789ab",
    dt.datetime(2026, 11, 23, 7, 0, tzinfo=dt.UTC),
)


def certificates(folder: Path) -> tuple[Path, Path]:
    """(the authority's certificate, certificate and key of `localhost` signed by it)"""
    now = dt.datetime.now(dt.UTC)

    def signed(name: str, issuer: str, key: Any, by: Any, *, authority: bool) -> x509.Certificate:
        subject, from_ = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, one)]) for one in (name, issuer))
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        builder = x509.CertificateBuilder(from_, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(authority, None), critical=True)
        return (builder if authority else builder.add_extension(names, critical=False)).sign(by, hashes.SHA256())

    root, leaf = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = signed("Test CA", "Test CA", root, root, authority=True)
    server = signed("localhost", "Test CA", leaf, root, authority=False)
    pem = serialization.Encoding.PEM
    plain = leaf.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "ca.pem").write_bytes(authority.public_bytes(pem))
    (folder / "server.pem").write_bytes(server.public_bytes(pem) + plain)
    return folder / "ca.pem", folder / "server.pem"


@dataclass
class Postbox:
    """What a server took, and how it answers."""

    taken: list[tuple[list[str], bytes]] = field(default_factory=list)
    refuses: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()
    """Refused for now."""
    data_answer: str = ""
    logins: int = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802  aiosmtpd's name
        if address in self.refuses:
            return "550 5.1.1 no such mailbox"
        if address in self.later:
            return "450 4.2.1 greylisted, try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  aiosmtpd's name
        if self.data_answer:
            return self.data_answer
        self.taken.append((list(envelope.rcpt_tos), envelope.content))
        return "250 taken"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.logins += 1
        right = isinstance(data, LoginPassword) and data.password.decode() == PASSWORD
        # A rude server: it repeats what it was told.
        return AuthResult(
            success=right, handled=False, message=None if right else f"535 5.7.8 wrong: {data.password.decode()}"
        )


class Post:
    """SMTP servers on ports of their own, in one thread."""

    def __init__(self, server_pem: Path) -> None:
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(server_pem)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def open(self, box: Postbox, security: str, *, offers_tls: bool = True, auth: bool = False) -> int:
        """Port of a server that speaks that way."""
        context = self.context

        def smtp() -> SMTP:
            more: dict[str, Any] = {"loop": self.loop, "hostname": "localhost"}
            if security == "starttls" and offers_tls:
                more |= {"tls_context": context, "require_starttls": True}
            if auth:
                more |= {"authenticator": box.authenticate, "auth_required": True, "auth_require_tls": False}
            return SMTP(box, **more)

        tls = context if security == "tls" else None
        opening = self.loop.create_server(smtp, "localhost", 0, ssl=tls, family=socket.AF_INET)
        server = asyncio.run_coroutine_threadsafe(opening, self.loop).result(10)
        return int(server.sockets[0].getsockname()[1])

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Post]]:
    authority, server = certificates(tmp_path_factory.mktemp("tls"))
    post = Post(server)
    yield authority, post
    post.close()


@pytest.fixture
def post(trusted: tuple[Path, Post], monkeypatch: pytest.MonkeyPatch) -> Post:
    """Servers whose certificates this machine trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted[0]))
    return trusted[1]


def by(port: int, security: str = "starttls", **more: Any) -> SmtpConfig:
    known: dict[str, Any] = {
        "host": "localhost",
        "port": port,
        "security": security,
        "sender": "driftwarden@acme.example",
    }
    return SmtpConfig(**(known | more))


@pytest.mark.parametrize("security", ["starttls", "tls", "none"])
def test_it_arrives(post: Post, security: str) -> None:
    box = Postbox()
    smtp = by(post.open(box, security, auth=True), security, user="drift", password=PASSWORD)
    assert send(smtp, message(smtp, LETTER)) == {}
    ((to, content),) = box.taken
    found = email.message_from_bytes(content, policy=policy.default)
    assert (to, found["Subject"], box.logins) == (["lead@acme.example"], LETTER.subject, 1)
    assert (found["From"], found["Auto-Submitted"]) == ("driftwarden@acme.example", "auto-generated")
    kinds = [part.get_content_type() for part in found.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
    plain, html = (found.get_body([kind]) for kind in ("plain", "html"))
    assert plain is not None and html is not None
    assert plain.get_content().replace("\r\n", "\n") == f"{LETTER.text}\n"
    assert html.get_content().strip() == LETTER.html


def test_sent_again_it_is_the_same_message() -> None:
    smtp = by(25)
    first, again = (message(smtp, LETTER) for _ in range(2))
    assert first.as_bytes() == again.as_bytes()
    other = message(smtp, Letter(**{**{n: getattr(LETTER, n) for n in Letter.__slots__}, "name": "weekly-2026-W48"}))
    assert other["Message-ID"] != first["Message-ID"]


def test_a_certificate_nobody_vouches_for_is_refused(trusted: tuple[Path, Post]) -> None:
    box = Postbox()
    for security in ("starttls", "tls"):
        smtp = by(trusted[1].open(box, security), security, user="drift", password=PASSWORD)
        with pytest.raises(MailError, match="certificate is not trusted") as failed:
            send(smtp, message(smtp, LETTER))
        assert failed.value.permanent
    assert (box.taken, box.logins) == ([], 0)


def test_a_certificate_of_another_name_is_refused(post: Post) -> None:
    box = Postbox()
    smtp = by(post.open(box, "starttls"), host="127.0.0.1")
    assert ipaddress.ip_address(smtp.host).is_loopback
    with pytest.raises(MailError, match=r"certificate is not trusted.*must be for '127\.0\.0\.1'"):
        send(smtp, message(smtp, LETTER))
    assert box.taken == []


def test_nothing_is_sent_where_starttls_was_taken_away(post: Post) -> None:
    box = Postbox()
    smtp = by(post.open(box, "starttls", offers_tls=False, auth=True), user="drift", password=PASSWORD)
    with pytest.raises(MailError, match="does not offer STARTTLS"):
        send(smtp, message(smtp, LETTER))
    assert (box.taken, box.logins) == ([], 0)


def test_a_password_is_not_sent_in_the_clear_to_another_machine() -> None:
    smtp = by(25, "none", host="mail.acme.example", user="drift", password=PASSWORD)
    with pytest.raises(MailError, match="in the clear") as failed:
        send(smtp, message(smtp, LETTER))
    assert PASSWORD not in str(failed.value)


def test_a_wrong_password_is_told_and_never_shown(post: Post) -> None:
    box = Postbox()
    wrong = "canary-wrong-77"
    smtp = by(post.open(box, "starttls", auth=True), user="drift", password=wrong)
    with pytest.raises(MailError, match=r"does not let 'drift' in \(535\)") as failed:
        send(smtp, message(smtp, LETTER))
    assert failed.value.permanent
    assert wrong not in str(failed.value)
    assert failed.value.__cause__ is None
    assert box.taken == []


def test_a_server_that_repeats_the_password_does_not_bring_it_out(post: Post) -> None:
    box = Postbox(data_answer=f"451 try later, {PASSWORD}")
    smtp = by(post.open(box, "starttls", auth=True), user="drift", password=PASSWORD)
    with pytest.raises(MailError, match=r"451 try later, \(password\)") as failed:
        send(smtp, message(smtp, LETTER))
    assert not failed.value.permanent


def test_refused_recipients_are_told(post: Post) -> None:
    box = Postbox(refuses=frozenset({"gone@acme.example"}))
    smtp = by(post.open(box, "starttls"))
    two = Letter(("gone@acme.example", "lead@acme.example"), "s", "t", "h", "n", LETTER.at)
    assert send(smtp, message(smtp, two)) == {"gone@acme.example": "550 5.1.1 no such mailbox"}
    assert [to for to, _ in box.taken] == [["lead@acme.example"]]
    nobody = Letter(("gone@acme.example",), "s", "t", "h", "n", LETTER.at)
    with pytest.raises(MailError, match=r"refuses every recipient: gone@acme\.example: 550") as failed:
        send(smtp, message(smtp, nobody))
    assert failed.value.permanent


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_that_is_down(security: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    smtp = by(port, security, user="drift", password=PASSWORD)
    with pytest.raises(MailError, match=f"localhost:{port}: cannot be reached: Connection refused") as failed:
        send(smtp, message(smtp, LETTER))
    assert not failed.value.permanent


def test_a_server_of_the_other_kind(post: Post) -> None:
    smtp = by(post.open(Postbox(), "starttls"), "tls")
    with pytest.raises(MailError, match="no TLS"):
        send(smtp, message(smtp, LETTER))


def test_a_server_that_hangs_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def slam() -> None:
            connection, _ = listening.accept()
            connection.close()

        thread = threading.Thread(target=slam, daemon=True)
        thread.start()
        smtp = by(listening.getsockname()[1])
        with pytest.raises(MailError, match=r"hung up|Connection reset"):
            send(smtp, message(smtp, LETTER))
        thread.join(10)


def test_no_server_and_nobody_to_send_to() -> None:
    with pytest.raises(MailError, match=r"\[smtp\] host"):
        send(SmtpConfig(), message(by(25), LETTER))
    with pytest.raises(MailError, match=r"\[report\] to"):
        message(by(25), Letter((), "s", "t", "h", "n", LETTER.at))


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example\nBcc: all@acme.example",
        "a@b.example, c@d.example",
        "Lead <a@b.example>",
        "nobody",
        "@b.example",
        "a b@c.example",
        "",
        "a@b.example\u202e",
    ],
    ids=["newline", "two", "named", "no-domain", "no-name", "space", "empty", "bidi"],
)
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(MailError, match="is no address"):
        message(by(25), Letter((address,), "s", "t", "h", "n", LETTER.at))
    with pytest.raises(MailError, match="is no address"):
        message(by(25, sender=address or "x"), LETTER)


def parsed(make: Callable[[], Any]) -> Any:
    return email.message_from_bytes(make().as_bytes(), policy=policy.default)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(max_size=200))
@example("week\r\nBcc: all@acme.example\r\n\r\nbody", "")
@example("=?utf-8?q?Bcc=3A?= x", "\r\n.\r\n--driftwarden")
@example("\ud800", "\ud800")
def test_what_others_wrote_stays_in_its_place(subject: str, text: str) -> None:
    """Whatever a subject or a text holds, the headers are those we set and the parts are two."""
    letter = Letter(("lead@acme.example",), subject, text, text, "n", LETTER.at)
    found = parsed(lambda: message(by(25), letter))
    assert [name for name in found if name not in ("Content-Type", "MIME-Version")] == [
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted")
    ]
    assert [part.get_content_type() for part in found.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert [one.addr_spec for one in found["To"].addresses] == ["lead@acme.example"]
