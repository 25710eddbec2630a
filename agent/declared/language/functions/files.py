"""Functions over files and paths; the templates that stand in files.

Hides what keeps a configuration that nobody trusts from reading this machine: only regular files below
`Place.confined_to`, wherever links lead, of a largest size. What Terraform would read and we do not raises `TooMuch`,
which `try` does not swallow: the value cannot be told. The machine that applies is another one, so what depends on its
folders is unknown: `abspath` of a relative path, `pathexpand` of `~`.
"""

from __future__ import annotations

import base64
import hashlib
import os
import posixpath
import re
import stat
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

from agent.declared.language.confined import Confined
from agent.declared.language.conversion import convert
from agent.declared.language.error import EvaluationError, TooMuch
from agent.declared.language.functions import Function, Parameter, Place
from agent.declared.language.types import BOOL, DYNAMIC, STRING, SetOf
from agent.declared.language.values import Map, Null, Object, Set, Unknown, Value, whys

MAX_BYTES = 16_000_000
"""Of a file whose content becomes a value."""
MAX_HASHED = 256_000_000
"""Of a file that is only hashed: an archive with code, for example."""

_IDENTIFIER = re.compile(r"[^\W\d][\w-]*")


def _opened(place: Place, path: str) -> BinaryIO:
    """A file, open. Raises `EvaluationError` where there is none that Terraform could read."""
    real = Confined(place.directory, place.confined_to).real(path)
    if ".git" in real.parts:
        raise TooMuch("files of Git itself are not read: they may hold credentials")
    if real.parts[-2:] == (".terraform", "terraform.tfstate"):
        raise TooMuch("what `terraform init` noted of the backend is not read: it may hold credentials")
    try:
        # Not through a link put there meanwhile; and without waiting for a pipe's other end.
        handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        raise EvaluationError("the file cannot be read") from None
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        raise EvaluationError("a folder is no file") if stat.S_ISDIR(mode) else TooMuch("only regular files are read")
    return os.fdopen(handle, "rb")


def _content(place: Place, path: str) -> bytes:
    with _opened(place, path) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise TooMuch(f"the file has more than {MAX_BYTES:,} bytes")
    return content


def _text(place: Place, path: str) -> str:
    try:
        return unicodedata.normalize("NFC", _content(place, path).decode())
    except UnicodeDecodeError:
        raise EvaluationError("the file is not UTF-8; `filebase64` reads any") from None


def _filebase64(place: Place, path: str) -> Value:
    return base64.b64encode(_content(place, path)).decode()


def _fileexists(place: Place, path: str) -> Value:
    if not path:
        raise EvaluationError("a folder is no file")
    try:
        with _opened(place, path):
            return True
    except TooMuch:
        raise
    except EvaluationError:
        return _missing(place.directory / path)


def _missing(path: Path) -> Value:
    """False where there is nothing, not even a folder. Raises `EvaluationError` elsewhere."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        raise EvaluationError("the path cannot be looked up") from None
    raise EvaluationError("what is there is no file")


def _hashing(algorithm: str, *, as_base64: bool = False) -> Callable[[Place, str], Value]:
    def hashed(place: Place, path: str) -> Value:
        digest = hashlib.new(algorithm, usedforsecurity=False)
        left = MAX_HASHED
        with _opened(place, path) as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
                left -= len(chunk)
                if left < 0:
                    raise TooMuch(f"the file has more than {MAX_HASHED:,} bytes")
        return base64.b64encode(digest.digest()).decode() if as_base64 else digest.hexdigest()

    return hashed


# --- templates ---------------------------------------------------------------------------------------------------


def _templatefile(place: Place, path: Value, variables: Value) -> Value:
    if isinstance(path, Unknown) or isinstance(variables, Unknown):
        return Unknown((*whys(path), *(variables.why if isinstance(variables, Unknown) else ())))
    result = _rendered(place, _text(place, str(path)), str(path), variables)
    if isinstance(result, Null):
        raise EvaluationError("the template's result is null")
    return result


def _templatestring(place: Place, template: Value, variables: Value) -> Value:
    if isinstance(template, Unknown) or isinstance(variables, Unknown):
        return Unknown((*whys(template), *(variables.why if isinstance(variables, Unknown) else ())), STRING)
    return convert(_rendered(place, str(template), "<templatestring argument>", variables), STRING)


def _rendered(place: Place, text: str, name: str, variables: Value) -> Value:
    if place.render is None:
        raise EvaluationError("a template cannot render another template")
    if not isinstance(variables, Map | Object):
        raise EvaluationError("the variables must be a map or an object")
    if not all(map(_IDENTIFIER.fullmatch, variables.items)):
        raise EvaluationError("the name of a variable must begin with a letter, and have no spaces")
    found = place.render(text, name, variables.items)
    if isinstance(found, Null):
        raise EvaluationError("the template gives null")
    return found


# --- paths -------------------------------------------------------------------------------------------------------


def _clean(path: str) -> str:
    """The shortest path that says the same; `//` at the beginning means nothing to Go."""
    return posixpath.normpath(re.sub(r"^/+", "/", path) or ".")


def _basename(path: str) -> Value:
    return path.rstrip("/").rpartition("/")[2] or ("/" if path else ".")


def _dirname(path: str) -> Value:
    folder, slash, _ = path.rpartition("/")
    return _clean(folder + slash)


def _abspath(path: str) -> Value:
    if path.startswith("/"):
        return _clean(path)
    return Unknown("abspath(): depends on the folder Terraform runs in", STRING)


def _pathexpand(path: str) -> Value:
    if not path.startswith("~"):
        return path
    if path[1:2] not in ("", "/"):
        raise EvaluationError("the home folder of another user cannot be told")
    return Unknown("pathexpand(): depends on who runs Terraform", STRING)


def _fileset(place: Place, path: str, pattern: str) -> Value:
    if path.startswith("~"):
        raise TooMuch("the path begins in a home folder, and nobody knows whose")
    if re.search(r"(?<!\\)\{[^}]*(?<!\\)\{", pattern):
        return Unknown("fileset(): braces within braces", SetOf(STRING))
    files, folder = Confined(place.directory, place.confined_to), _clean(path)
    names = dict.fromkeys(files.matching(_clean(f"{folder}/{pattern}")))
    regular = [each for each in names if _is_regular(files, each)]
    return Set((unicodedata.normalize("NFC", posixpath.relpath(each, folder)) for each in regular), STRING)


def _is_regular(files: Confined, name: str) -> bool:
    try:
        return files.real(name).is_file()
    except TooMuch:
        raise
    except EvaluationError:
        raise EvaluationError("a file that matches is a link to nothing") from None


_PATH = Parameter("path", STRING)


def _reading(call: Callable[[Place, str], Value]) -> Function:
    return Function((_PATH,), call, STRING, placed=True)


FUNCTIONS: Mapping[str, Function] = {
    "abspath": Function((_PATH,), _abspath, STRING),
    "basename": Function((_PATH,), _basename, STRING),
    "dirname": Function((_PATH,), _dirname, STRING),
    "file": _reading(_text),
    "filebase64": _reading(_filebase64),
    "filebase64sha256": _reading(_hashing("sha256", as_base64=True)),
    "filebase64sha512": _reading(_hashing("sha512", as_base64=True)),
    "fileexists": Function((_PATH,), _fileexists, BOOL, placed=True),
    "filemd5": _reading(_hashing("md5")),
    "fileset": Function((_PATH, Parameter("pattern", STRING)), _fileset, SetOf(STRING), placed=True),
    "filesha1": _reading(_hashing("sha1")),
    "filesha256": _reading(_hashing("sha256")),
    "filesha512": _reading(_hashing("sha512")),
    "pathexpand": Function((_PATH,), _pathexpand, STRING),
    "templatefile": Function((_PATH, Parameter("vars")), _templatefile, DYNAMIC, partial=True, placed=True),
    "templatestring": Function(
        (Parameter("template", STRING), Parameter("vars")), _templatestring, STRING, partial=True, placed=True
    ),
}
