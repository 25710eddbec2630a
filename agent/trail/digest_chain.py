"""One digest file: whether CloudTrail wrote it, what it says of log files, and whether it follows the one before.

Hides gunzip with a bound, the text that is signed, and the two encodings of a public key. A digest is believed for its
RSA signature alone: no matter where the signature was found, nobody but CloudTrail can make one.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-custom-validation.html
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec import field

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

LARGEST = 32 << 20
"""Bytes of a digest after gunzip: an hour with some sixty thousand log files."""
ALGORITHM = "SHA256withRSA"
_STEP = 1 << 20  # bytes of plain content in memory at a time
_MAX_MEMBERS = 64  # gzip members in one file: real ones have one
_GZIP = b"\x1f\x8b"


class UnreadableError(Exception):
    """Why content is not what CloudTrail writes; the message goes into the gap."""


class LogFile(msgspec.Struct, frozen=True):
    """One log file, as a digest lists it."""

    bucket: str = field(name="s3Bucket")
    key: str = field(name="s3Object")
    sha256: str = field(name="hashValue")
    """Of the plain content, hex."""
    algorithm: str = field(default="SHA-256", name="hashAlgorithm")


class Digest(msgspec.Struct, frozen=True):
    """What a digest file says. A starting digest has no previous one: all of that is None."""

    account: str = field(name="awsAccountId")
    start: str = field(name="digestStartTime")
    end: str = field(name="digestEndTime")
    """As printed: so it was signed."""
    bucket: str = field(name="digestS3Bucket")
    key: str = field(name="digestS3Object")
    fingerprint: str = field(name="digestPublicKeyFingerprint")
    algorithm: str = field(name="digestSignatureAlgorithm")
    log_files: list[LogFile] = field(name="logFiles")
    previous_bucket: str | None = field(default=None, name="previousDigestS3Bucket")
    previous_key: str | None = field(default=None, name="previousDigestS3Object")
    previous_sha256: str | None = field(default=None, name="previousDigestHashValue")
    previous_signature: str | None = field(default=None, name="previousDigestSignature")

    @property
    def begins(self) -> bool:
        """It starts a chain: logging or validation was switched on."""
        return self.previous_key is None and self.previous_sha256 is None and self.previous_signature is None


_DIGEST = msgspec.json.Decoder(Digest)


@dataclass(frozen=True, slots=True)
class Link:
    """A digest that was verified, as the next one must name it."""

    key: str
    sha256: str
    signature: str
    end: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """A digest file as it lay in the bucket, not yet believed."""

    digest: Digest
    start: datetime
    end: datetime
    sha256: str
    """Of the plain content, hex."""
    signature: str
    """Of its metadata, hex; empty: there is none."""


def opened(data: bytes, bucket: str, key: str, signature: str) -> Found:
    """The digest file at this place; raises `UnreadableError` where it is none, or belongs elsewhere."""
    plain = b"".join(inflated([data], LARGEST))
    try:
        digest = _DIGEST.decode(plain)
        start, end = _utc(digest.start), _utc(digest.end)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, OverflowError) as error:
        raise UnreadableError(f"no digest: {type(error).__name__}") from error
    if (digest.bucket, digest.key) != (bucket, key):
        raise UnreadableError(f"it was written as s3://{digest.bucket[:63]}/{digest.key[:300]}")
    if digest.algorithm != ALGORITHM:
        raise UnreadableError(f"signed with {digest.algorithm[:40]}, not {ALGORITHM}")
    return Found(digest, start, end, hashlib.sha256(plain).hexdigest(), signature)


def proof(found: Found, key: bytes, after: Found | None) -> str | None:
    """The signature that proves CloudTrail wrote the digest, under this public key (DER); None: none does.

    It stands in the digest's own metadata, and again in the digest `after` it.
    """
    # Imported here: whoever validates no digests needs none of it.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        public = load_der_public_key(key)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(public, RSAPublicKey):
        return None
    digest = found.digest
    named = after.digest.previous_signature if after is not None and after.digest.previous_key == digest.key else None
    previous = "null" if digest.previous_signature is None else digest.previous_signature
    signed = f"{digest.end}\n{digest.bucket}/{digest.key}\n{found.sha256}\n{previous}".encode("utf-8", "replace")
    return next((one for one in (found.signature, named) if one and _verifies(public, one, signed)), None)


def _verifies(public: RSAPublicKey, signature: str, signed: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        public.verify(bytes.fromhex(signature), signed, padding.PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def follows(digest: Digest, last: Link) -> bool:
    """Whether the digest names exactly this one as the one before it."""
    named = (digest.previous_key, (digest.previous_sha256 or "").lower(), (digest.previous_signature or "").lower())
    return named == (last.key, last.sha256.lower(), last.signature.lower())


def sha256(parts: Iterable[bytes], limit: int) -> str:
    """Of the plain content of a log file that comes in parts, hex; raises `UnreadableError` past `limit` bytes."""
    counted = hashlib.sha256()
    for plain in inflated(parts, limit):
        counted.update(plain)
    return counted.hexdigest()


def inflated(parts: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Content that may be gzip, plain, a bounded piece at a time; raises `UnreadableError`."""
    waiting = iter(parts)
    head = b""
    while len(head) < len(_GZIP) and (part := next(waiting, None)) is not None:
        head += part
    pieces = _gunzipped(head, waiting) if head.startswith(_GZIP) else _each(head, waiting)
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise UnreadableError(f"more than {limit >> 20} MB")
        yield piece


def _each(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def _gunzipped(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    member, members, at_start = zlib.decompressobj(wbits=31), 1, False
    data: bytes | None = head
    while data is not None:
        while data:
            if at_start and not (data := data.lstrip(b"\0")):
                break
            at_start = False
            try:
                yield member.decompress(data, _STEP)
            except zlib.error as error:
                raise UnreadableError("broken gzip") from error
            data = member.unused_data if member.eof else member.unconsumed_tail
            if member.eof:
                member, members, at_start = zlib.decompressobj(wbits=31), members + 1, True
                if members > _MAX_MEMBERS:
                    raise UnreadableError(f"more than {_MAX_MEMBERS} gzip members")
        data = next(rest, None)
    if not at_start:
        raise UnreadableError("gzip ends early")


def _utc(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
