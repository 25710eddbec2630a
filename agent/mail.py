"""E-mail: one message made of plain text and HTML, handed to one SMTP server.

Hides TLS and its certificates, logging in, and the many ways in which a server says no. No error text holds the
password, and nothing of a subject or an address reaches the headers as anything but text.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import smtplib
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from agent.clean import clean
from agent.tables import SmtpConfig

TIMEOUT = 30.0
"""Seconds that a server may be silent."""
_LONGEST_SUBJECT = 200


class MailError(Exception):
    """The message was not taken; says what is wrong and what would be right."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent
        """Whether it will be so again until somebody changes something."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What is to be said to whom."""

    to: tuple[str, ...]
    subject: str
    text: str
    html: str
    name: str
    """The same for every attempt to send it, and of no other letter: the message's id is made of it."""
    at: datetime


def sender(smtp: SmtpConfig) -> str:
    """The address that e-mail comes from: as configured, else `driftwarden@` and this machine's name."""
    return smtp.sender or f"driftwarden@{socket.getfqdn()}"


def message(smtp: SmtpConfig, letter: Letter) -> EmailMessage:
    """The letter as a message, the same bytes each time: its id and its boundary are made of what it says.

    Raises MailError for an address that is none.
    """
    if not letter.to:
        raise MailError("nobody to send it to: name addresses in [report] to", permanent=True)
    origin = _address(sender(smtp), "[smtp] sender")
    made = EmailMessage(policy=SMTP)
    made["From"] = origin
    made["To"] = tuple(_address(one, "[report] to") for one in letter.to)
    made["Subject"] = clean(letter.subject, _LONGEST_SUBJECT)
    made["Date"] = format_datetime(letter.at)
    mark = hashlib.sha256(f"{letter.name}\n{letter.text}\n{letter.html}".encode("utf-8", "replace")).hexdigest()
    identifier = hashlib.sha256(letter.name.encode("utf-8", "replace")).hexdigest()[:32]
    made["Message-ID"] = f"<{identifier}@{origin.domain}>"
    # RFC 3834: no vacation notice is to answer it.
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(_encodable(letter.text), cte="quoted-printable")
    made.add_alternative(_encodable(letter.html), subtype="html", cte="quoted-printable")
    made.set_boundary(f"driftwarden-{mark[:40]}")
    return made


def send(smtp: SmtpConfig, made: EmailMessage, only: Sequence[str] = ()) -> Mapping[str, str]:
    """Hands a message to the server of `[smtp]`; gives the recipients it refused, each with what it said. `only`: for
    these alone of those it is addressed to, all of whom may be refused; empty: for all.

    Raises MailError where it was not taken at all: the server cannot be reached, its certificate is not trusted, it
    offers no TLS where TLS is asked for, does not let us in, or refuses everybody.
    """
    _allowed(smtp)
    where = f"{smtp.host}:{smtp.port}"
    try:
        with _connected(smtp) as client:
            if smtp.user:
                client.login(smtp.user, smtp.password)
            try:
                refused = client.send_message(made, to_addrs=list(only) or None)
            except smtplib.SMTPRecipientsRefused as error:
                if not only:
                    raise
                refused = error.recipients
    except (smtplib.SMTPException, OSError) as error:
        said, permanent = _reason(error, smtp)
        raise MailError(f"e-mail by {where}: {_without_password(said, smtp)}", permanent=permanent) from None
    return {_without_password(one, smtp): _without_password(_answer(*said), smtp) for one, said in refused.items()}


def for_now(refused: Mapping[str, str]) -> tuple[str, ...]:
    """The recipients that `send` gave as refused and that the server may take later: it answered 4xx."""
    return tuple(sorted(one for one, said in refused.items() if said.startswith("4")))


def _allowed(smtp: SmtpConfig) -> None:
    """Raises MailError for what must not be tried."""
    if not smtp.host:
        raise MailError("no server: name one in [smtp] host", permanent=True)
    if smtp.security == "none" and smtp.user and not _is_local(smtp.host):
        why = 'would send the password in the clear: [smtp] security must be "starttls" or "tls" for another machine'
        raise MailError(f"e-mail by {smtp.host}:{smtp.port}: {why}", permanent=True)


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def _connected(smtp: SmtpConfig) -> smtplib.SMTP:
    """An open connection, secured as `[smtp] security` asks. Raises OSError, smtplib.SMTPException."""
    if smtp.security == "tls":
        return smtplib.SMTP_SSL(smtp.host, smtp.port, timeout=TIMEOUT, context=ssl.create_default_context())
    client = smtplib.SMTP(smtp.host, smtp.port, timeout=TIMEOUT)
    if smtp.security == "starttls":
        try:
            client.starttls(context=ssl.create_default_context())
        except (smtplib.SMTPException, OSError):
            client.close()
            raise
    return client


def _reason(error: smtplib.SMTPException | OSError, smtp: SmtpConfig) -> tuple[str, bool]:
    """What went wrong, in words, and whether trying again is of no use."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}; it must be for '{smtp.host}'", True
        case ssl.SSLError():
            hint = 'security = "tls" is for port 465, "starttls" for 587 and 25'
            return f"no TLS: {error.reason or error}; {hint}", True
        case smtplib.SMTPNotSupportedError():
            return _unsupported(error, smtp), True
        case smtplib.SMTPAuthenticationError():
            return f"it does not let '{smtp.user}' in ({error.smtp_code}): check [smtp] user and password", True
        case smtplib.SMTPRecipientsRefused():
            said = "; ".join(f"{one}: {_answer(*answer)}" for one, answer in sorted(error.recipients.items()))
            return f"it refuses every recipient: {said}", all(code >= 500 for code, _ in error.recipients.values())
        case smtplib.SMTPSenderRefused():
            said = _answer(error.smtp_code, error.smtp_error)
            return f"it refuses the sender {error.sender}: {said}", error.smtp_code >= 500
        case smtplib.SMTPResponseException():
            return f"it answers {_answer(error.smtp_code, error.smtp_error)}", error.smtp_code >= 500
        case smtplib.SMTPServerDisconnected():
            return "it hung up: check that [smtp] security and port belong together", False
        case smtplib.SMTPException():
            return str(error) or type(error).__name__, False
    return _unreachable(error), False


def _unreachable(error: OSError) -> str:
    match error:
        case socket.gaierror():
            return f"no such host: {error.strerror}"
        case TimeoutError():
            return f"no answer within {TIMEOUT:.0f} seconds"
    return f"cannot be reached: {error.strerror or error}"


def _unsupported(error: smtplib.SMTPNotSupportedError, smtp: SmtpConfig) -> str:
    if smtp.security == "starttls" and "STARTTLS" in str(error):
        return 'it does not offer STARTTLS, and nothing is sent without: [smtp] security = "tls", or another port'
    return f"it cannot do what is needed: {error}"


def _answer(code: int, text: bytes | str) -> str:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return f"{code} {said}"


def _without_password(text: str, smtp: SmtpConfig) -> str:
    """The text on one line; a server that repeats what it was told must not bring the password into a log."""
    secrets: Sequence[str] = ()
    if smtp.password:
        plain = f"\0{smtp.user}\0{smtp.password}"
        secrets = (smtp.password, *(base64.b64encode(one.encode()).decode() for one in (smtp.password, plain)))
    for secret in secrets:
        text = text.replace(secret, "(password)")
    return clean(text, 500)


def _address(text: str, where: str) -> Address:
    """An e-mail address. Raises MailError for anything else: it may have been made to smuggle a header in."""
    try:
        found = Address(addr_spec=text)
    except (HeaderParseError, ValueError, IndexError):
        found = Address()
    # What the parser repairs silently is not what was written.
    if not (found.username and found.domain) or found.addr_spec != text or clean(text) != text or " " in text:
        raise MailError(f"{where}: '{clean(text, 100)}' is no address; write name@example.org", permanent=True)
    return found


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
