"""Hashes, and identifiers that are hashes or dice.

Hides the encodings of digests; for what throws dice, says so instead of inventing a value.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from base64 import b64encode
from collections.abc import Callable, Mapping

from agent.declared.language.error import EvaluationError
from agent.declared.language.functions import Function, Parameter
from agent.declared.language.types import NUMBER, STRING

_NAMESPACES = {
    "dns": uuid.NAMESPACE_DNS,
    "url": uuid.NAMESPACE_URL,
    "oid": uuid.NAMESPACE_OID,
    "x500": uuid.NAMESPACE_X500,
}

_DASHED = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_UUID = re.compile(rf"(?i)(?:urn:uuid:)?{_DASHED}|\{{{_DASHED}\}}|[0-9a-f]{{32}}")


def _uuidv5(namespace: str, name: str) -> str:
    known = _NAMESPACES.get(namespace)
    if known is None and not _UUID.fullmatch(namespace):
        raise EvaluationError("`namespace` is to be `dns`, `url`, `oid`, `x500` or a UUID")
    return str(uuid.uuid5(known or uuid.UUID(namespace.lower()), name))


def _hexadecimal(algorithm: str) -> Callable[[str], str]:
    return lambda text: hashlib.new(algorithm, text.encode(), usedforsecurity=False).hexdigest()


def _base64(algorithm: str) -> Callable[[str], str]:
    return lambda text: b64encode(hashlib.new(algorithm, text.encode(), usedforsecurity=False).digest()).decode()


_TEXT = (Parameter("str", STRING),)

FUNCTIONS: Mapping[str, Function] = {
    **{name: Function(_TEXT, _hexadecimal(name), STRING) for name in ("md5", "sha1", "sha256", "sha512")},
    **{f"base64{name}": Function(_TEXT, _base64(name), STRING) for name in ("sha256", "sha512")},
    "bcrypt": Function(
        _TEXT, str, STRING, variadic=Parameter("cost", NUMBER), impure="salts its hash anew at each run"
    ),
    "uuid": Function((), str, STRING, impure="makes up a new one at each run"),
    "uuidv5": Function((Parameter("namespace", STRING), Parameter("name", STRING)), _uuidv5, STRING),
}
