"""What stands at either end of the socket: the file, who a user is, what is signed, where a daemon is looked for."""

import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from doorway import HELD, UIDS, Asked
from hypothesis import given, settings
from hypothesis import strategies as st
from night import CASE, DIRECTORY, NOW, documented, opened, reviewed

from agent.cli import main
from agent.cli._perform import perform
from agent.config import Config, load
from agent.control import ControlError, client
from agent.control.draft import checked
from agent.control.errand import Errand, carried_out
from agent.control.frames import FrameError, Request, Signed, answer, encoded, request
from agent.control.listening import LONGEST_PATH, listen
from agent.control.peer import Peer
from agent.declare import Accepted, Refused, in_force, peer, written
from agent.declare.served import as_before, served
from agent.declare.speakers import NOBODY
from agent.signing import sign
from agent.store import Store, connect
from agent.tables import DaemonConfig

# --- who a Unix user is --------------------------------------------------------------------------------------

MAPPED = {"uid:1001": "dana", "priya": "kim", "uid:1003": "erik", "both": "kim", "gone": ""}


def who(user: str, uid: int) -> str:
    return peer(user, uid, MAPPED, DIRECTORY, NOW, "here").person


@pytest.mark.parametrize(
    ("user", "uid", "person"),
    [
        ("x", 1001, "dana"),
        ("priya", 1002, "kim"),
        ("erik", 1009, "erik"),
        ("x", 1003, "erik"),
    ],
)
def test_a_user_is_a_person(user: str, uid: int, person: str) -> None:
    assert who(user, uid) == person


@pytest.mark.parametrize(
    ("user", "uid", "why"),
    [
        ("x", 1010, 'for example "uid:1010" = "dana"'),
        ("Dana", 1010, "you are nobody here (Dana, uid 1010)"),  # another user than dana
        ("dana", 999, "you are nobody here (dana, uid 999)"),  # a service that happens to be called so
        ("dana", 61184, "you are nobody here"),  # a service for as long as it runs
        ("dana", NOBODY, "whoever the kernel cannot name"),
        ("both", 1003, "says you (both, uid 1003) are erik and kim: cannot tell"),
        ("dana.k", 1010, "you are nobody here (dana.k, uid 1010)"),  # so the ticket system calls her
        ("twin.a", 1010, "you are nobody here"),
        ("gone", 1010, "you are nobody here"),
        ("", 1010, "you are nobody here (no name, uid 1010)"),
        ("\x1b[2J", 1010, "(⟨U+001B⟩[2J, uid 1010)"),
    ],
)
def test_a_user_is_nobody(user: str, uid: int, why: str) -> None:
    with pytest.raises(Refused) as refused:
        who(user, uid)
    assert why in str(refused.value)


def test_what_is_kept_of_a_speaker() -> None:
    proof = peer("dana", 1001, MAPPED, DIRECTORY, NOW, "host, pid 7").proof
    assert (proof.how, proof.principal, proof.evidence) == ("socket", "dana", "host, pid 7")
    assert peer("", 1001, MAPPED, DIRECTORY, NOW, "").principal == "uid:1001"


# --- who somebody is takes two people to change ---------------------------------------------------------------


def force(folder: Path, store: Store, people: dict[str, str], days: int) -> tuple[dict[str, str], tuple[str, ...]]:
    """Who speaks at the socket, and what waits, with these people in the file after so many days."""
    config = load(folder / "driftwarden.toml")
    config = msgspec.structs.replace(config, daemon=msgspec.structs.replace(config.daemon, people=people))
    with in_force(config, store, datetime.now(UTC) + timedelta(days=days)) as found:
        return found.config.daemon.people, found.looser


def test_who_speaks_at_the_socket_is_authority(folder: Path) -> None:
    file = folder / "driftwarden.toml"
    file.write_text(file.read_text().replace('admin = ["ada"]', 'admin = ["ada", "kim"]'))
    with connect(f"sqlite:///{folder}/driftwarden.db") as store:
        first = {"uid:1": "dana", "uid:2": "kim", "erik": "erik"}
        assert force(folder, store, first, 0) == (first, ())
        added = {**first, "uid:3": "erik"}
        assert force(folder, store, added, 1) == (first, ("daemon.people: uid:3 is now erik",))
        other = {**first, "uid:1": "kim"}
        assert force(folder, store, other, 2) == (first, ("daemon.people: uid:1 is now kim",))
        # Who is taken away is nobody at once, though it waits for two whether they become somebody else.
        less = {"uid:2": "kim", "erik": "erik"}
        waits = "daemon.people: uid:1 is no longer dana, and whoever its name says"
        assert force(folder, store, less, 3) == ({**first, "uid:1": ""}, (waits,))
        less = {"uid:1": "dana", "uid:2": "kim"}
        assert force(folder, store, less, 4) == (less, ())


def test_what_was_before_is_put_back_whole() -> None:
    config = Config(daemon=DaemonConfig(people={"a": "b"}))
    assert as_before(config, config.authority, served(config)) == config


# --- frames --------------------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(st.binary(max_size=400))
def test_no_bytes_but_a_request_are_one(data: bytes) -> None:
    for read in (request, answer):
        try:
            found = read(data)
        except FrameError as error:
            assert str(error).isprintable()
        else:
            assert msgspec.json.decode(encoded(found)) is not None


def test_a_request_comes_back() -> None:
    one = Request("cases accept", {"what": ["a", "b"], "held": True}, "shop", 80, True, signed=Signed({"a": [1]}, "s"))
    assert request(encoded(one)) == one
    with pytest.raises(FrameError, match="no characters"):
        encoded(Request("x", {"a": "\ud800"}))


# --- the file ------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "s"


def test_a_socket_that_nobody_listens_at_is_replaced(path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(path))
    for _ in range(2):
        listener, (_, inode) = listen(path)
        assert path.stat().st_ino == inode
        with pytest.raises(ControlError, match="another daemon listens at"):
            listen(path)
        listener.close()


def test_what_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(ControlError, match="is no socket; it is left alone"):
        listen(path)
    path.unlink()
    path.symlink_to("/dev/null")
    with pytest.raises(ControlError, match="is no socket"):
        listen(path)


def test_where_no_socket_can_be(path: Path) -> None:
    with pytest.raises(ControlError, match="its folder must be there"):
        listen(path / "none" / "s")
    longest = path.with_name("x" * 200)
    with pytest.raises(ControlError, match="name a shorter one, such as /run/driftwarden/"):
        listen(longest)
    assert len(str(longest)) > LONGEST_PATH
    assert list(path.parent.iterdir()) == []


# --- children ------------------------------------------------------------------------------------------------

ERRAND = Errand("none.toml", None, Peer(1, 1, 1, "", ""), Request("cases list"), None, 60)


@pytest.mark.parametrize(
    ("script", "seconds", "says"),
    [
        ("sleep 100", -5, "took longer than -5 s and was ended; what was kept by then is kept"),
        ("kill -ALRM $$", 60, "took too long and was ended"),
        ("echo hunter2 >&2; exit 1", 60, "cases list failed in the daemon; its log says why"),
        ("echo hunter2; exit 0", 60, "cases list failed in the daemon; its log says why"),
    ],
)
def test_a_child_that_does_not_answer(script: str, seconds: int, says: str) -> None:
    pipe = subprocess.PIPE
    child = subprocess.Popen(
        ["sh", "-c", f"cat >/dev/null; {script}"], stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    )
    given = carried_out(child, msgspec.structs.replace(ERRAND, seconds=seconds))
    assert (given.exit, given.stdout) == (2, "")
    assert says in given.stderr
    assert "hunter2" not in given.stderr
    assert child.returncode is not None
    assert child.returncode in (0, 1, -signal.SIGKILL, -signal.SIGALRM)


def test_a_daemon_that_no_longer_leads_writes_nothing(folder: Path) -> None:
    url = f"sqlite:///{folder}/driftwarden.db"
    with connect(url) as store:
        fence = store.leadership.take("old", NOW)
        store.leadership.take("new", NOW)
    uid = UIDS["dana"]
    made = Errand(
        str(folder / "driftwarden.toml"),
        fence,
        Peer(1, uid, uid, "", "here"),
        Request("breakglass open", {"incident": "INC-9"}),
        None,
        60,
    )
    refused = perform(made)
    assert (refused.exit, refused.stdout) == (2, "")
    assert f"under number {fence}" in refused.stderr
    with connect(url) as store:
        assert store.declarations.listed() == ()


def test_an_old_configuration_says_what_is_wrong_with_it(folder: Path, asked: Asked) -> None:
    (folder / "identities.yaml").write_text("people: [{id: dana}, {id: dana, users: [x]}, {idd: 1}]")
    assert "identities.yaml:1: " in asked("dana", "cases list").stderr
    (folder / "driftwarden.toml").write_text("[estate]\nnam = 1\n")
    refused = asked("dana", "cases list")
    assert (refused.exit, refused.stdout) == (2, "")
    assert "driftwarden.toml:2: estate.nam: unknown field" in refused.stderr


# --- signed where the key is ----------------------------------------------------------------------------------


def fields(statement: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(written(statement))
    return found


OPEN = {"incident": "INC-7", "length": "2h"}
DOCUMENT = {"case": CASE, "why": "Checkout was down.", "incident": "INC-7", "done": "Opened port 443."}
DOCUMENT |= {"told": "kim, by phone", "way_back": "revert"}
REVIEW = {"case": CASE, "accepted": True, "reason": "I saw the calls."}


def accepts(*what: str) -> Accepted:
    return Accepted(at=NOW, estate="shop", nonce="0" * 16, what=what)


@pytest.mark.parametrize(
    ("statement", "kind", "typed"),
    [
        (opened(), "breakglass.open", OPEN),
        (documented(), "breakglass.document", DOCUMENT),
        (reviewed(), "case.review", REVIEW),
        (accepts("hold " + HELD), "accept", {"what": [HELD]}),
        (accepts("hold a", "hold b"), "accept", {"held": True}),
        (accepts("authority " + "a" * 64), "accept", {"what": ["authority " + "a" * 64]}),
    ],
    ids=["open", "document", "review", "hold", "every hold", "authority"],
)
def test_a_statement_that_was_typed_is_signed(statement: Any, kind: str, typed: dict[str, Any]) -> None:
    assert checked(fields(statement), kind, typed, "shop", NOW) == written(statement)


@pytest.mark.parametrize(
    ("statement", "kind", "typed", "why"),
    [
        (opened(until=NOW + timedelta(hours=3)), "breakglass.open", OPEN, "the end"),
        (opened(actors=("mallory",)), "breakglass.open", OPEN, "actors"),
        (opened(at=NOW - timedelta(hours=1), until=NOW + timedelta(hours=1)), "breakglass.open", OPEN, "is dated"),
        (documented(done="Nothing."), "breakglass.document", DOCUMENT, "done"),
        (documented(), "breakglass.document", {"case": CASE, "form": "none"}, "done"),
        (reviewed(accepted=False), "case.review", REVIEW, "the judgement"),
        (reviewed(case="b" * 16), "case.review", REVIEW, "case"),
        (reviewed(post_implementation=True), "case.review", REVIEW, "the review after the work"),
        (reviewed(), "breakglass.open", OPEN, "it is 'case.review'"),
        (accepts("hold a", "authority " + "a" * 64), "accept", {"what": [HELD], "held": True}, "what"),
        (accepts("hold a", "hold b"), "accept", {"what": [HELD]}, "what"),
        (accepts("hold a"), "accept", {"what": ["authority " + "a" * 64, HELD]}, "what"),
    ],
)
def test_another_statement_is_not_signed(statement: Any, kind: str, typed: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match="is not what you typed, and it is not signed") as refused:
        checked(fields(statement), kind, typed, "shop", NOW)
    assert why in str(refused.value)


def test_another_estate_is_not_signed() -> None:
    with pytest.raises(Refused, match="for the estate 'shop'"):
        checked(fields(opened()), "breakglass.open", OPEN, "bank", NOW)


def test_who_brings_what_is_signed_does_not_matter(asked: Asked, keys: Path) -> None:
    """A service brings what kim signed: it is kim who says it; what nobody signed it may not say itself."""
    draft = asked("probe", "cases accept", held=True, draft=True).draft
    assert draft is not None
    signature = sign(json.dumps(draft, sort_keys=True, separators=(",", ":")).encode(), keys / "kim")
    said = asked("probe", "cases accept", held=True, signed=Signed(draft, signature))
    assert said.stdout == f"hold {HELD}: accepted by kim (it takes 2 people)\n"
    assert asked("probe", "cases accept", held=True).exit == 2
    # Whoever signed is the same person at the socket.
    again = asked("kim", "cases accept", held=True)
    assert (again.exit, again.stdout) == (2, "")
    assert "it takes another" in again.stderr
    for operation in ("cases review", "cases list"):
        refused = asked("probe", operation, signed=Signed(draft, signature))
        assert refused.exit == 2
        assert "signed" in refused.stderr
    assert "nothing that could be signed" in asked("probe", "cases list", draft=True).stderr


# --- the client ----------------------------------------------------------------------------------------------


def test_where_a_daemon_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(client.VARIABLE, raising=False)
    file = tmp_path / "driftwarden.toml"
    assert client.place(None, file) == client.Place(client.USUAL)
    file.write_text('[tickets.jira]\ntoken = "${cred:nowhere}"\n')
    assert client.place(None, file).path == tmp_path / "driftwarden.sock"
    file.write_text('[estate]\nname = "bank"\n[daemon]\nsocket = "/run/dw/s"\n[report]\ndir = "pages"\n')
    assert client.place(None, file) == client.Place(Path("/run/dw/s"), False, "bank", tmp_path / "pages")
    assert client.place("x", file) == client.Place(Path("x"), True, "bank", tmp_path / "pages")
    assert client.place("none", file).path is None
    monkeypatch.setenv(client.VARIABLE, "/env")
    assert (client.place(None, file).path, client.place(None, file).named) == (Path("/env"), True)
    monkeypatch.setenv(client.VARIABLE, "none")
    assert client.place(None, file).path is None
    assert client.place("x", file).path == Path("x")
    monkeypatch.delenv(client.VARIABLE)
    for wrong in ('[daemon]\nsocket = ""\n', "[daemon", "\x00"):
        file.write_text(wrong)
        assert client.place(None, file).path is None
    file.write_text("daemon = 3\n")
    assert client.place(None, file).path == tmp_path / "driftwarden.sock"


def typed(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, words)
    return done.exit_code, done.stdout, done.stderr


def test_without_a_daemon_the_store_is_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.delenv(client.VARIABLE, raising=False)
    code, out, err = typed("cases", "list")
    assert (code, err) == (0, "")
    assert "SEC-1" in out
    # A daemon that was asked for by name must be there.
    code, out, err = typed("--socket", "control.sock", "cases", "list")
    assert (code, out, err) == (2, "", "driftwarden: no daemon answers: control.sock: no socket is there\n")


def test_a_daemon_that_is_gone_and_a_store_that_cannot_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.delenv(client.VARIABLE, raising=False)
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind("control.sock")
    assert typed("cases", "list")[0] == 0
    (folder / "driftwarden.db").unlink()
    (folder / "driftwarden.db").mkdir()
    code, out, err = typed("cases", "list")
    assert (code, out) == (2, "")
    first, second = err.splitlines()
    assert "driftwarden.db" in first
    assert second == "driftwarden: and no daemon answers at its socket: control.sock: Connection refused"


def test_what_does_not_cross_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    listener, _ = listen(folder / "control.sock")
    with closing(listener):
        code, out, err = typed("report", "weekly", "--send")
    assert (code, out) == (2, "")
    assert err == "driftwarden: --send does not go through the daemon's socket; `--socket none` asks no daemon\n"


@settings(max_examples=40)
@given(st.text(max_size=200), st.booleans())
def test_no_answer_steers_a_terminal(text: str, colour: bool) -> None:
    shown = client.harmless(f"{text}\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b[2J", colour=colour)
    if colour:
        shown = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert all(one.isprintable() or one in "\n\t" for one in shown)
