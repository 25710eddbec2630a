"""Signatures of people over what they say: SSH keys and `allowed_signers`, as Git uses them.

Hides `ssh-keygen`: how it is called, what of its answers is to be believed, and that the files it reads are copies of
ours, of bounded size, that nobody exchanges between two questions. Keys in an agent or on hardware work as those in a
file do.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from agent.clean import clean
from agent.config import reading

NAMESPACE = "driftwarden"
"""What signatures are for: one made for Git, or for anything else, is none of ours."""
USUAL_KEYS = ("id_ed25519", "id_ed25519_sk", "id_ecdsa", "id_ecdsa_sk", "id_rsa")
"""Files in `~/.ssh` that are looked for, in this order."""
LONGEST_STATEMENT = 256 * 1024
LONGEST_SIGNATURE = 32 * 1024
LONGEST_FILE = 1024 * 1024
"""Of `allowed_signers`, and of the list of revoked keys."""

_VERIFY_SECONDS = 10
_SIGN_SECONDS = 120  # a passphrase is typed, a hardware key is touched
_WILD = frozenset("*?!")
_KRL = b"SSHKRL\n"
"""How a key revocation list of ssh-keygen begins."""
_KEY = re.compile(r"(?:^|[ \t])((?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[A-Za-z0-9@.-]+)[ \t]+([A-Za-z0-9+/]+={0,2})(?=[ \t]|$)")


class SigningError(Exception):
    """Something was not signed, or a signature does not count; the message says why and what would be right."""


def usual_key(folder: Path) -> Path:
    """The first of the usual key files in a folder such as `~/.ssh`. Raises SigningError where there is none."""
    for name in USUAL_KEYS:
        if (folder / name).is_file():
            return folder / name
    raise SigningError(f"no key in {folder} ({', '.join(USUAL_KEYS)}); name one with --key")


def sign(statement: bytes, key: Path) -> str:
    """The armoured signature over a statement with a private key; a public one asks the agent for its private half.

    Asks for a passphrase on the terminal where the key has one. Raises SigningError.
    """
    _bounded(statement, LONGEST_STATEMENT, "the statement")
    if not key.is_file():
        raise SigningError(f"{key}: no such key; name one with --key")
    # What ssh-keygen says while it waits ("Confirm user presence") is for whoever is there to read it.
    seen = sys.stderr.isatty()
    done = _run(["-Y", "sign", "-n", NAMESPACE, "-f", str(key)], statement, _SIGN_SECONDS, shown=seen)
    if done.returncode or not done.stdout:
        raise SigningError(f"{key}: ssh-keygen did not sign{_reason(done.stderr)}")
    return done.stdout.decode("ascii", "replace")


def verify(statement: bytes, signature: str, signers: Path, at: datetime) -> str:
    """Who signed: the principals that `allowed_signers` gives the key at that time, joined with commas.

    A file named as `signers` with `.revoked` after it (keys, or a KRL of ssh-keygen) is honoured where there is one.
    Raises SigningError: nobody's key, not valid at the time, revoked, not over this text or not for us, a principal
    that names no one person; or the question could not be asked.
    """
    _bounded(statement, LONGEST_STATEMENT, "the statement")
    armoured = signature.encode("utf-8", "replace")
    _bounded(armoured, LONGEST_SIGNATURE, "the signature")
    revoked = signers.with_name(f"{signers.name}.revoked")
    with tempfile.TemporaryDirectory(prefix="driftwarden-") as folder:  # mode 0700
        allowed = _copy(signers, Path(folder) / "allowed_signers")
        sig = Path(folder) / "signature"
        _write(sig, armoured)
        asked = ["-s", str(sig), "-f", str(allowed), f"-Overify-time={at.astimezone():%Y%m%d%H%M%S}"]
        principals = _principals(asked, signers)
        question = ["-Y", "verify", "-n", NAMESPACE, "-I", principals[0], *asked]
        done = _run(question, statement, _VERIFY_SECONDS)
        if done.returncode:
            raise SigningError(f"{signers}: the signature does not count{_reason(done.stderr, allowed, signers)}")
        if reading(revoked).exists() or revoked.is_symlink():
            question += ["-r", str(_copy(revoked, Path(folder) / "revoked"))]
            if _run(question, statement, _VERIFY_SECONDS).returncode:
                raise SigningError(f"{revoked}: the key of {clean(principals[0], 100)} is revoked, or this is no list")
    return ",".join(principals)


def fingerprint(signature: str) -> str:
    """Of the public key in an armoured signature that counted, as `ssh-keygen -l` prints it."""
    lines = (line for line in signature.splitlines() if not line.startswith("-"))
    data = base64.b64decode("".join(lines))
    begins = len(b"SSHSIG") + 8  # its version and the key's length stand between
    key = data[begins : begins + int.from_bytes(data[begins - 4 : begins])]
    return f"SHA256:{base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip('=')}"


def check_files(signers: Path) -> None:
    """Whether an `allowed_signers` file, and the list of revoked keys beside it, are whole: a file that is being
    written while one looks breaks off within a key, or has none yet.

    Raises SigningError with the line, and what would be right.
    """
    if not sum(1 for _ in _keys(_content(signers), signers)):
        raise SigningError(f"{signers}: has no key, so that nobody could sign; a line is 'dana ssh-ed25519 AAAA…'")
    revoked = signers.with_name(f"{signers.name}.revoked")
    if not (reading(revoked).exists() or revoked.is_symlink()):
        return
    data = _content(revoked)
    if not data.startswith(_KRL):
        for _ in _keys(data, revoked):
            pass
        return
    with tempfile.TemporaryDirectory(prefix="driftwarden-") as folder:  # mode 0700
        copy = Path(folder) / "revoked"
        _write(copy, data)
        done = _run(["-Q", "-l", "-f", str(copy)], b"", _VERIFY_SECONDS)
    if done.returncode:
        raise SigningError(f"{revoked}: is no whole list of revoked keys{_reason(done.stderr, copy, revoked)}")


def _keys(data: bytes, place: Path) -> Iterator[str]:
    """The kind of each key of a file. Raises SigningError for a line that has none, or half of one."""
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        found = next((one for one in _KEY.finditer(text) if _is_whole(one[1], one[2])), None)
        if found is None:
            raise SigningError(f"{place}:{number}: no key, or half of one; a key is 'ssh-ed25519 AAAA…'")
        yield found[1]


def _is_whole(kind: str, blob: str) -> bool:
    """Whether base64 is a whole key of its kind: strings, each after its length, the first of them the kind."""
    try:
        data = base64.b64decode(blob, validate=True)
    except binascii.Error:
        return False
    strings, at = [], 0
    while at + 4 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        strings.append(data[at + 4 : at + 4 + length])
        at += 4 + length
        if "-cert-" in kind:  # it holds numbers too
            break
    return strings[:1] == [kind.encode()] and ((at == len(data) and len(strings) > 1) or "-cert-" in kind)


def _principals(asked: Sequence[str], signers: Path) -> list[str]:
    """Principals of the key that signed; at least one. Raises SigningError."""
    done = _run(["-Y", "find-principals", *asked], b"", _VERIFY_SECONDS)
    found = [line for line in done.stdout.decode("utf-8", "replace").splitlines() if line]
    if done.returncode or not found:
        why = _reason(done.stderr, Path(asked[3]), signers)
        raise SigningError(f"{signers}: no line of it is of the key that signed, at that time{why}")
    for principal in found:
        if _WILD & set(principal):
            said = clean(principal, 100)
            raise SigningError(f"{signers}: '{said}' is a pattern and names no one person; write the principal out")
        if clean(principal) != principal or principal.startswith("-"):
            raise SigningError(f"{signers}: '{clean(principal, 100)}' is no name of a person")
    return found


def _run(
    arguments: Sequence[str], given: bytes, seconds: float, *, shown: bool = False
) -> subprocess.CompletedProcess[bytes]:
    """Raises SigningError where ssh-keygen is missing or does not end."""
    binary = shutil.which("ssh-keygen")
    if binary is None:
        raise SigningError("ssh-keygen is not on this machine: install OpenSSH, 8.8 or later")
    try:
        return subprocess.run(
            [binary, *arguments],
            input=given,
            stdout=subprocess.PIPE,
            stderr=None if shown else subprocess.PIPE,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SigningError(f"ssh-keygen did not answer within {seconds:.0f} s") from None
    except OSError as error:
        raise SigningError(f"ssh-keygen: {error.strerror}") from None


def _bounded(data: bytes, longest: int, what: str) -> None:
    if len(data) > longest:
        raise SigningError(f"{what} has {len(data):,} bytes, and {longest:,} is the most")


def _copy(source: Path, target: Path) -> Path:
    _write(target, _content(source))
    return target


def _content(source: Path) -> bytes:
    """What a file of keys says; below the daemon, what it said when it was found right. Raises SigningError."""
    try:
        place = reading(source)
        if not place.is_file():
            raise SigningError(f"{source}: no such file; [authority] signers names an allowed_signers file")
        with place.open("rb") as stream:
            data = stream.read(LONGEST_FILE + 1)
    except OSError as error:
        raise SigningError(f"{source}: {error.strerror}") from None
    _bounded(data, LONGEST_FILE, str(source))
    return data


def _write(target: Path, data: bytes) -> None:
    target.touch(mode=0o600)
    target.write_bytes(data)


def _reason(said: bytes | None, copy: Path | None = None, original: Path | None = None) -> str:
    """What ssh-keygen gave as its reason, on one line, with the file's own name; empty where it gave none."""
    lines = [line for line in (said or b"").decode("utf-8", "replace").splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("No principal matched", "Signing data on"))]
    text = "; ".join(kept[:3])
    if copy is not None and original is not None:
        text = text.replace(str(copy), str(original))
    return f": {clean(text, 300)}" if text else ""
