"""Signatures by real `ssh-keygen`: whose count, when, over what; and that no line of a file lets a stranger in."""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent import signing
from agent.signing import SigningError, sign, usual_key, verify

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
SAID = b'{"at":"2026-11-27T03:00:00Z","driftwarden":"breakglass.open"}'


def made(folder: Path, name: str, kind: str = "ed25519", passphrase: str = "") -> Path:
    """A new key pair; the file of its private half."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", name, "-f", str(folder / name)], check=True)
    return folder / name


def public(key: Path) -> str:
    return " ".join(key.with_suffix(".pub").read_text().split()[:2])


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of dana's key, mallory's, and a certificate authority's."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("dana", "mallory", "ca"):
        made(folder, name)
    return folder


@pytest.fixture(scope="session")
def signature(keys: Path) -> str:
    """Dana's over `SAID`."""
    return sign(SAID, keys / "dana")


@pytest.fixture
def signers(tmp_path: Path, keys: Path) -> Callable[[str], Path]:
    """Writes an `allowed_signers` file; DANA and MALLORY in it become their public keys."""

    def write(text: str) -> Path:
        path = tmp_path / "allowed_signers"
        for name in ("dana", "mallory", "ca"):
            text = text.replace(name.upper(), public(keys / name))
        path.write_text(text)
        return path

    return write


Signers = Callable[[str], Path]


def test_a_signature_names_its_signer(signature: str, signers: Signers) -> None:
    assert signature.startswith("-----BEGIN SSH SIGNATURE-----")
    assert verify(SAID, signature, signers("# people\n\nmallory MALLORY\ndana@example.org DANA\n"), NOW) == (
        "dana@example.org"
    )
    assert verify(SAID, signature, signers('dana,"dana smith" DANA'), NOW) == "dana,dana smith"


def test_the_public_half_asks_the_agent(
    keys: Path, signers: Signers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a key on hardware does."""
    alone = tmp_path / "dana.pub"
    alone.write_text(public(keys / "dana"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(SigningError, match="ssh-keygen did not sign"):
        sign(SAID, alone)
    with tempfile.TemporaryDirectory() as folder:  # a socket's path may have 107 characters
        socket = f"{folder}/agent"
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
        try:
            while not Path(socket).exists():
                assert agent.poll() is None
                time.sleep(0.01)
            monkeypatch.setenv("SSH_AUTH_SOCK", socket)
            subprocess.run(["ssh-add", "-q", str(keys / "dana")], check=True)
            assert verify(SAID, sign(SAID, alone), signers("dana DANA\n"), NOW) == "dana"
        finally:
            agent.terminate()
            agent.wait()


ALTERED: list[tuple[bytes, Callable[[str], str]]] = [
    (SAID.replace(b"open", b"opes"), str),
    (SAID + b"\n", str),
    (b"", str),
    (SAID, lambda text: ""),
    (SAID, lambda text: "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"),
    (SAID, lambda text: text.replace("A", "B")),
    (SAID, lambda text: f"é\ud800\0{text}"),
]


@pytest.mark.parametrize(("said", "changed"), ALTERED)
def test_altered_text_and_broken_signatures_do_not_count(
    said: bytes, changed: Callable[[str], str], signature: str, signers: Signers
) -> None:
    with pytest.raises(SigningError) as caught:
        verify(said, changed(signature), signers("dana DANA\n"), NOW)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no line of it is of the key that signed"),
        ("mallory MALLORY\n", "no line of it is of the key that signed"),
        ('dana valid-before="20261127T0259Z" DANA\n', "no line of it"),
        ('dana valid-before="202611270200" DANA\n', r"allowed_signers:1: key has expired: verify time 2026-11-27T"),
        ('dana valid-after="202611290000" DANA\n', r"allowed_signers:1: key is not yet valid"),
        ('dana namespaces="git,file" DANA\n', 'not permitted for use in signature namespace "driftwarden"'),
        ("* DANA\n", r"'\*' is a pattern and names no one person"),
        ("*@example.org DANA\n", r"'\*@example.org' is a pattern"),
        ("dan? DANA\n", r"'dan\?' is a pattern"),
        ("!mallory,* DANA\n", "'!mallory' is a pattern"),
        ("dana,* DANA\n", r"'\*' is a pattern"),
        ("dana cert-authority DANA\n", "no line of it"),
        ("dana no-such-option DANA\n", "unknown key option"),
        ('dana namespaces="driftwarden DANA\n', "no line of it|quote"),
        ("DANA\n", "no line of it"),
        ("--help DANA\n", "'--help' is no name of a person"),
        ("da\u202ena DANA\n", "is no name of a person"),
        ("x" * 1_100_000, "1,048,576 is the most"),
    ],
)
def test_lines_that_let_nobody_in(text: str, says: str, signature: str, signers: Signers) -> None:
    with pytest.raises(SigningError, match=says):
        verify(SAID, signature, signers(text), NOW)


def test_a_bad_line_does_not_shut_out_a_good_one(signature: str, signers: Signers) -> None:
    text = 'garbage\ndana no-such-option MALLORY\n\0\n"unclosed MALLORY\nmallory MALLORY\ndana DANA\n'
    assert verify(SAID, signature, signers(text), NOW) == "dana"


def test_a_key_counts_while_it_is_valid(signature: str, signers: Signers) -> None:
    local = NOW.astimezone()
    window = f'valid-after="{local:%Y%m%d%H%M}",valid-before="{local + timedelta(hours=1):%Y%m%d%H%M}"'
    allowed = signers(f"dana {window} DANA\n")
    assert verify(SAID, signature, allowed, NOW + timedelta(minutes=30)) == "dana"
    for at in (NOW - timedelta(seconds=1), NOW + timedelta(minutes=61)):
        with pytest.raises(SigningError, match="no line of it is of the key"):
            verify(SAID, signature, allowed, at)


def test_a_certificate_names_who_the_authority_says(keys: Path, signers: Signers, tmp_path: Path) -> None:
    key = made(tmp_path, "erik")
    subprocess.run(["ssh-keygen", "-q", "-s", str(keys / "ca"), "-I", "1", "-n", "erik", f"{key}.pub"], check=True)
    signature = sign(SAID, tmp_path / "erik-cert.pub")
    now = datetime.now(UTC)
    assert verify(SAID, signature, signers("* cert-authority CA\n"), now) == "erik"
    for text in ("dana cert-authority CA\n", "* CA\n", "* cert-authority MALLORY\n"):
        with pytest.raises(SigningError):
            verify(SAID, signature, signers(text), now)


def test_a_revoked_key_does_not_count(signature: str, signers: Signers, keys: Path) -> None:
    allowed = signers("dana DANA\n")
    revoked = allowed.with_name("allowed_signers.revoked")
    revoked.write_text(public(keys / "mallory"))
    assert verify(SAID, signature, allowed, NOW) == "dana"
    revoked.write_text(public(keys / "dana"))
    with pytest.raises(SigningError, match=r"allowed_signers\.revoked: the key of dana is revoked"):
        verify(SAID, signature, allowed, NOW)
    revoked.unlink()
    revoked.symlink_to("nowhere")
    with pytest.raises(SigningError, match="no such file"):
        verify(SAID, signature, allowed, NOW)


def test_a_signature_for_something_else_is_none_of_ours(keys: Path, signers: Signers) -> None:
    made_for_git = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-n", "git", "-f", str(keys / "dana")], input=SAID, capture_output=True, check=True
    )
    with pytest.raises(SigningError, match="namespace"):
        verify(SAID, made_for_git.stdout.decode(), signers("dana DANA\n"), NOW)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: None])
def test_what_is_no_file_is_refused_and_does_not_hang(
    make: Callable[[Path], None], signature: str, tmp_path: Path
) -> None:
    make(tmp_path / "allowed_signers")
    with pytest.raises(SigningError, match="no such file; "):
        verify(SAID, signature, tmp_path / "allowed_signers", NOW)


def test_nothing_is_left_behind(
    signature: str, signers: Signers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    verify(SAID, signature, signers("dana DANA\n"), NOW)
    with pytest.raises(SigningError):
        verify(SAID, signature, signers("mallory MALLORY\n"), NOW)
    assert list(place.iterdir()) == []


def test_what_is_too_long_is_not_even_asked_about(signature: str, signers: Signers, keys: Path) -> None:
    allowed = signers("dana DANA\n")
    with pytest.raises(SigningError, match="the statement has 262,145 bytes"):
        sign(b"x" * 262_145, keys / "dana")
    with pytest.raises(SigningError, match="the statement has"):
        verify(b"x" * 262_145, signature, allowed, NOW)
    with pytest.raises(SigningError, match="the signature has"):
        verify(SAID, "x" * 40_000, allowed, NOW)


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="no such key; name one with --key"):
        sign(SAID, tmp_path / "id_ed25519")
    with pytest.raises(SigningError, match=r"no key in .*name one with --key"):
        usual_key(tmp_path)
    (tmp_path / "id_rsa").touch()
    (tmp_path / "id_ed25519").touch()
    assert usual_key(tmp_path).name == "id_ed25519"
    with pytest.raises(SigningError, match="ssh-keygen did not sign: "):
        sign(SAID, usual_key(tmp_path))


def test_without_ssh_keygen(signature: str, signers: Signers, keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = signers("dana DANA\n")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SigningError, match="ssh-keygen is not on this machine: install OpenSSH"):
        verify(SAID, signature, allowed, NOW)
    with pytest.raises(SigningError, match="ssh-keygen is not on this machine"):
        sign(SAID, keys / "dana")


def test_an_ssh_keygen_that_never_ends(
    signature: str, signers: Signers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    allowed = signers("dana DANA\n")
    slow = tmp_path / "bin" / "ssh-keygen"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(signing, "_VERIFY_SECONDS", 0.2)
    with pytest.raises(SigningError, match="ssh-keygen did not answer within 0 s"):
        verify(SAID, signature, allowed, NOW)
