"""Base64, character encodings, URLs, CSV and RSA.

Hides which characters each encoding has to Go (https://pkg.go.dev/golang.org/x/text/encoding/ianaindex) and how strict
Go reads base64 and CSV.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from agent.declared.language.charsets import decoded, encoded, known
from agent.declared.language.error import EvaluationError
from agent.declared.language.functions import Function, Parameter
from agent.declared.language.functions.text import bounded, nfc
from agent.declared.language.types import DYNAMIC, STRING, ObjectOf
from agent.declared.language.values import List, Object, Unknown, Value

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
"""Standard base64, padded, without line breaks."""


def _bytes(text: str, name: str) -> bytes:
    """Go's standard base64: padded, line breaks anywhere."""
    joined = text.replace("\n", "").replace("\r", "")
    if not BASE64.fullmatch(joined):
        raise EvaluationError(f"`{name}` is no base64")
    return b64decode(joined)


def _text(content: bytes, name: str) -> str:
    try:
        return nfc(content.decode())
    except UnicodeDecodeError:
        raise EvaluationError(f"what `{name}` stands for is no text in UTF-8") from None


def _base64(content: bytes) -> str:
    bounded(len(content) * 4 // 3)
    return b64encode(content).decode()


def _base64gzip(text: str) -> Value:
    bounded(len(text))
    return Unknown("base64gzip(): the bytes depend on the compressor that Terraform is built with", STRING)


def _textencodebase64(text: str, encoding: str) -> Value:
    content = encoded(text, known(encoding))
    return _base64(content) if isinstance(content, bytes) else content


def _textdecodebase64(source: str, encoding: str) -> Value:
    text = decoded(_bytes(source, "source"), known(encoding))
    return nfc(text) if isinstance(text, str) else text


def _urlencode(text: str) -> str:
    bounded(len(text) * 3)
    return quote_plus(text)


# --- CSV -----------------------------------------------------------------------------------------------------


def _csvdecode(text: str) -> Value:
    records = _records(text)
    header = [nfc(each) for each in next(records, [])]
    if not header:
        raise EvaluationError("the text has no header line")
    if len(set(header)) < len(header):
        raise EvaluationError("the header line names a column twice")
    rows = []
    for line, record in enumerate(records, 2):
        if len(record) != len(header):
            raise EvaluationError(f"record {line} has {len(record)} fields, the header {len(header)}")
        rows.append(Object(dict(zip(header, map(nfc, record), strict=True))))
    return List(rows, ObjectOf.of(dict.fromkeys(header, STRING)))


_QUOTED = re.compile(r'"((?:[^"]|"")*)"(,|\n|\Z)')
_PLAIN = re.compile(r'([^",\n]*)(,|\n|\Z)')


def _records(text: str) -> Iterator[Sequence[str]]:
    """The records of RFC 4180 as Go's `encoding/csv` reads them; empty lines are none."""
    text = text.replace("\r\n", "\n").removesuffix("\r")
    position, number = 0, 1
    while position < len(text):
        if text[position] == "\n":
            position += 1
            continue
        fields, following = [], ","
        while following == ",":
            field = (_QUOTED if text[position : position + 1] == '"' else _PLAIN).match(text, position)
            if field is None:
                raise EvaluationError(
                    f'record {number} has a quote (") out of place: it encloses a field, inside it is ""'
                )
            fields.append(field[1].replace('""', '"'))
            following, position = field[2], field.end()
        yield fields
        number += 1


# --- RSA -----------------------------------------------------------------------------------------------------

LONGEST_KEY = 100_000
"""Characters of a private key."""


def _rsadecrypt(ciphertext: str, key: str) -> str:
    private = _private_key(key)
    numbers = private.private_numbers()
    modulus = numbers.public_numbers.n
    size = (modulus.bit_length() + 7) // 8
    encrypted = int.from_bytes(_bytes(ciphertext, "ciphertext"), "big")
    # The library answers a wrong padding with random bytes, on purpose; Terraform refuses, so the padding is read here.
    padded = pow(encrypted, numbers.d, modulus).to_bytes(size, "big") if encrypted < modulus else b""
    end = padded.find(b"\0", 2)
    if padded[:2] != b"\0\2" or end < 10:
        raise EvaluationError("`ciphertext` was not encrypted for this key with PKCS #1 v1.5")
    return _text(padded[end + 1 :], "ciphertext")


def _private_key(key: str) -> RSAPrivateKey:
    if len(key) > LONGEST_KEY:
        raise EvaluationError(f"`privatekey` has {len(key):,} characters, at most {LONGEST_KEY:,} are read")
    # Imported here: 3 MB for one function that hardly anybody calls.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    load = load_ssh_private_key if "BEGIN OPENSSH PRIVATE KEY" in key else load_pem_private_key
    try:
        private = load(key.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise EvaluationError("`privatekey` is no private key in PEM form without a password") from None
    if not isinstance(private, RSAPrivateKey):
        raise EvaluationError("`privatekey` is no RSA key")
    return private


def _texts(*names: str) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, STRING) for name in names)


FUNCTIONS: Mapping[str, Function] = {
    "base64decode": Function(_texts("str"), lambda text: _text(_bytes(text, "str"), "str"), STRING),
    "base64encode": Function(_texts("str"), lambda text: _base64(text.encode()), STRING),
    "base64gzip": Function(_texts("str"), _base64gzip, STRING),
    "csvdecode": Function(_texts("str"), _csvdecode, DYNAMIC),
    "rsadecrypt": Function(_texts("ciphertext", "privatekey"), _rsadecrypt, STRING),
    "textdecodebase64": Function(_texts("source", "encoding"), _textdecodebase64, STRING),
    "textencodebase64": Function(_texts("string", "encoding"), _textencodebase64, STRING),
    "urlencode": Function(_texts("str"), _urlencode, STRING),
}
