"""Signed statements, by real keys: at the command line, and as files that are picked up later."""

import json
import shutil
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from night import CASE, DIRECTORY, HOUR, MINUTE, NOW, call, documented, opened, reviewed, seen

from agent.config import AuthorityConfig
from agent.declare import (
    SUFFIX,
    Accepted,
    Ground,
    Refused,
    Statement,
    case_key,
    find,
    grant_of,
    nonce,
    pick_up,
    say,
    take,
    write,
    written,
)
from agent.declare import signed as signed_module
from agent.model import Document, Opening
from agent.signing import sign
from agent.store import Store


@pytest.fixture
def ground(store: Store, keys: Path) -> Ground:
    """What is judged by: kim and erik are approvers."""
    authority = AuthorityConfig(roles={"approver": ("kim", "erik")}, signers="allowed_signers")
    return Ground(store, "shop", authority, DIRECTORY, keys / "allowed_signers")


def fields(statement: Statement) -> dict[str, Any]:
    return dict(json.loads(written(statement)))


def held(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_bytes()))


# --- at the command line -------------------------------------------------------------------------------------


def test_who_says_it_comes_from_the_signature_alone(ground: Ground, keys: Path) -> None:
    (window,) = say(ground, opened(), keys / "dana.k", NOW + MINUTE)
    assert (window.by.person, window.by.principal, window.by.how) == ("dana", "dana.k", "signature")
    assert (window.by.said_at, window.by.received_at) == (NOW, NOW + MINUTE)
    assert window.by.evidence.startswith("-----BEGIN SSH SIGNATURE-----")
    kept = ground.store.declarations.statement(window.id)
    assert json.loads(kept)["driftwarden"] == "breakglass.open"
    # What is kept can be checked again with nothing but ssh-keygen.
    (keys / "kept.sig").write_text(window.by.evidence)
    command = [
        "ssh-keygen",
        "-Y",
        "verify",
        "-n",
        "driftwarden",
        "-I",
        "dana.k",
        "-f",
        "allowed_signers",
        "-s",
        "kept.sig",
    ]
    subprocess.run(command, input=kept.encode(), cwd=keys, check=True, capture_output=True)


def test_a_strangers_key(ground: Ground, keys: Path) -> None:
    with pytest.raises(Refused, match="no line of it is of the key that signed"):
        say(ground, opened(), keys / "mallory", NOW)
    with pytest.raises(Refused, match="no such key"):
        say(ground, opened(), keys / "none", NOW)


def test_without_a_file_of_signers_nobody_counts(ground: Ground, keys: Path) -> None:
    alone = Ground(ground.store, "shop", ground.authority, DIRECTORY)
    with pytest.raises(Refused, match=r"nobody's signature counts: \[authority\] signers"):
        say(alone, opened(), keys / "dana", NOW)


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (NOW + 6 * MINUTE, "in the future; is the clock right"),
        (NOW - 6 * MINUTE, "it was signed 6 min ago; sign it anew"),
        (NOW - 3 * HOUR, "it was signed 3 h ago"),
    ],
)
def test_a_statement_is_said_now(ground: Ground, keys: Path, at: datetime, says: str) -> None:
    with pytest.raises(Refused, match=says):
        say(ground, opened(at=at), keys / "dana", NOW)


def test_a_clock_that_is_a_little_fast_does_not_date_it_into_the_future(ground: Ground, keys: Path) -> None:
    (window,) = say(ground, opened(at=NOW + 2 * MINUTE), keys / "dana", NOW)
    assert window.by.said_at == NOW


@pytest.mark.parametrize("change", [{"until": "2026-11-27T14:00:00Z"}, {"roles": ["*"]}, {"nonce": "0" * 16}])
def test_an_altered_statement(ground: Ground, keys: Path, change: dict[str, Any]) -> None:
    said = opened()
    signature = sign(written(said), keys / "dana")
    with pytest.raises(Refused, match="incorrect signature"):
        take(ground, fields(said) | change, signature, NOW)
    assert take(ground, fields(said), signature, NOW)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"driftwarden": "breakglass.close"}, "no statement of driftwarden's: Invalid value 'breakglass.close'"),
        ({"principal": "kim"}, "unknown field `principal`"),
        ({"at": "2026-11-27T03:00:00"}, "no statement"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "another millennium"),
        ({"until": "9999-12-31T23:59:59-14:00"}, "another millennium"),
        ({"at": None}, "no statement"),
        ({"incident": 7.5}, "a float has no canonical form"),
        ({"incident": "x" * 501}, "no statement"),
        ({"reason": "x" * 20_001}, "no statement"),
        ({"actors": ["x"] * 101}, "no statement"),
        ({"nonce": ""}, "no statement"),
        ({"estate": "staging"}, "it is for the estate 'staging', and this is 'shop'"),
    ],
)
def test_what_is_no_statement_of_ours(ground: Ground, keys: Path, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(Refused, match=says):
        take(ground, fields(opened()) | wrong, "", NOW)


def test_two_people_by_two_keys_and_not_one(ground: Ground, keys: Path) -> None:
    seen(ground.store, call(), held=True)
    said = [Accepted(at=NOW, estate="shop", nonce=nonce(), what=(f"hold {CASE}",)) for _ in range(4)]
    say(ground, said[0], keys / "kim", NOW)
    # One person, whatever names their keys have.
    with (keys / "allowed_signers").open("a") as file:
        file.write(f"kim@example.org {(keys / 'mallory.pub').read_text()}")
    try:
        with pytest.raises(Refused, match="it takes another"):
            say(ground, said[1], keys / "mallory", NOW)
    finally:
        lines = (keys / "allowed_signers").read_text().splitlines(keepends=True)
        (keys / "allowed_signers").write_text("".join(lines[:-1]))
    say(ground, said[2], keys / "erik", NOW)
    with pytest.raises(Refused, match="dana has no role approver"):
        say(ground, said[3], keys / "dana", NOW)


# --- files ---------------------------------------------------------------------------------------------------


def test_the_night_without_network(ground: Ground, keys: Path, tmp_path: Path) -> None:
    """Opened on one machine, documented on another, picked up hours later, in whatever order the files come."""
    folder = tmp_path / "offline"
    opening = write(folder, opened(roles=("arn:aws:iam::*:role/BreakGlass",)), keys / "dana")
    grant = grant_of(opening.name.removesuffix(SUFFIX))
    at = NOW + 3 * HOUR
    account = write(folder, documented(at=at, case=grant), keys / "dana.k")
    assert opening.parent == account.parent == folder
    now = NOW + 9 * HOUR
    picked = pick_up(folder, ground, now)
    assert [(one.state, one.why) for one in picked] == [("taken", "")] * 2
    window, document = (one.declared[0] for one in picked)
    assert isinstance(window, Opening)
    assert isinstance(document, Document)
    assert (window.offline, window.by.said_at, window.by.received_at) == (True, NOW, now)
    assert (document.offline, document.by.said_at, document.case) == (True, at, case_key(grant))
    assert window.by.person == document.by.person == "dana"
    assert sorted(path.name for path in (folder / "taken").iterdir()) == sorted([opening.name, account.name])
    assert pick_up(folder, ground, now) == ()
    # And nobody reviews themselves, by whatever key.
    seen(ground.store, call(), grant=grant, at=now)
    with pytest.raises(Refused, match="dana acted in case"):
        say(ground, reviewed(at=now), keys / "dana.k", now)
    say(ground, reviewed(at=now), keys / "kim", now)
    assert find(ground.store, grant).accepted


def test_a_file_that_comes_again_says_nothing_new(ground: Ground, keys: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "a", opened(), keys / "dana")
    copy = shutil.copy(file, tmp_path / "copy")
    pick_up(tmp_path / "a", ground, NOW + HOUR)
    events = ground.store.ledger.events()
    shutil.move(copy, file)
    (again,) = pick_up(tmp_path / "a", ground, NOW + 3 * HOUR)
    assert (again.state, again.declared) == ("taken", ground.store.declarations.listed())
    assert ground.store.ledger.events() == events


def test_a_file_that_comes_too_late_counts_from_its_arrival(ground: Ground, keys: Path, tmp_path: Path) -> None:
    seen(ground.store, call())
    write(tmp_path, documented(), keys / "dana")
    write(tmp_path, opened(), keys / "dana")
    now = NOW + 25 * HOUR
    window, account = pick_up(tmp_path, ground, now)
    assert (window.state, "the window ended 2026-11-27 05:00 UTC" in window.why) == ("refused", True)
    (document,) = account.declared
    assert document.by.said_at == document.by.received_at == now
    (event,) = ground.store.ledger.events()[-1:]
    assert event.body["note"] == (
        "signed 2026-11-27T03:00:00Z, more than 24h before it arrived: it counts from its arrival"
    )


def test_files_that_arrive_together_were_not_said_together(ground: Ground, keys: Path, tmp_path: Path) -> None:
    seen(ground.store, call())
    for hours in (3, 1, 2):
        write(tmp_path, documented(at=NOW + hours * HOUR, told=f"kim, after {hours} h"), keys / "dana")
    assert [one.state for one in pick_up(tmp_path, ground, NOW + 9 * HOUR)] == ["taken"] * 3
    document = find(ground.store, CASE).document
    assert document is not None
    assert document.told == "kim, after 3 h"


def test_reviews_and_acceptances_are_given_where_the_case_is(ground: Ground, keys: Path, tmp_path: Path) -> None:
    seen(ground.store, call(), grant="")
    write(tmp_path, reviewed(), keys / "kim")
    write(tmp_path, Accepted(at=NOW, estate="shop", nonce=nonce(), what=(f"hold {CASE}",)), keys / "kim")
    picked = pick_up(tmp_path, ground, NOW)
    assert [one.why.partition(":")[0] for one in picked] == ["only openings and documents come as files"] * 2


def test_a_key_must_have_been_valid_when_it_signed(ground: Ground, keys: Path, tmp_path: Path) -> None:
    local = (NOW + HOUR).astimezone()
    public = (keys / "dana.pub").read_text()
    signers = tmp_path / "allowed_signers"
    signers.write_text(f'dana valid-before="{local:%Y%m%d%H%M}" {public}')
    then = Ground(ground.store, "shop", ground.authority, DIRECTORY, signers)
    write(tmp_path / "a", opened(), keys / "dana")
    write(tmp_path / "a", opened(at=NOW + 2 * HOUR, until=NOW + 4 * HOUR), keys / "dana")
    good, late = pick_up(tmp_path / "a", then, NOW + 3 * HOUR)
    assert (good.state, late.state) == ("taken", "refused")
    assert "key has expired" in late.why
    # Dated back, it is no use a day later.
    write(tmp_path / "b", opened(), keys / "dana")
    (backdated,) = pick_up(tmp_path / "b", then, NOW + 30 * HOUR)
    assert "key has expired" in backdated.why


def test_what_is_about_an_unknown_case_waits_a_week(ground: Ground, keys: Path, tmp_path: Path) -> None:
    file = write(tmp_path, documented(case="BG-00112233aabb"), keys / "dana")
    (waits,) = pick_up(tmp_path, ground, NOW + HOUR)
    assert (waits.state, waits.file, file.exists()) == ("waiting", file, True)
    assert "no case 'BG-00112233aabb'" in waits.why
    (gone,) = pick_up(tmp_path, ground, NOW + timedelta(days=8))
    assert (gone.state, gone.file.parent.name, file.exists()) == ("refused", "refused", False)
    assert (tmp_path / "refused" / f"{file.name}.why").read_text() == f"{gone.why}\n"


def nested(depth: int) -> bytes:
    return b'{"statement":' + b"[" * depth + b"]" * depth + b',"signature":""}'


HOSTILE = {
    "empty": b"",
    "text": b"hello\0\xff",
    "number": b"7",
    "list": b"[]",
    "no-signature": b'{"statement":{}}',
    "more": b'{"statement":{},"signature":"","who":"kim"}',
    "wrong": b'{"statement":{"driftwarden":["accept"],"at":{}},"signature":""}',
    "deep": nested(100_000),
    "deep-inside": b'{"statement":{"a":' + b"[" * 900 + b"]" * 900 + b'},"signature":""}',
    "large": b'{"statement":{},"signature":"' + b"x" * 600_000 + b'"}',
    "surrogate": b'{"statement":{"driftwarden":"accept","at":"2026-11-27T03:00:00Z","estate":"shop",'
    b'"nonce":"0123456789abcdef","what":["hold \\ud800"]},"signature":"\\ud800"}',
    "$(reboot)": b'{"statement":{"driftwarden":"accept"},"signature":"-oProxyCommand=reboot"}',
}


def test_hostile_files_are_refused_one_by_one(ground: Ground, keys: Path, tmp_path: Path) -> None:
    for name, data in HOSTILE.items():
        (tmp_path / f"{name}{SUFFIX}").write_bytes(data)
    (tmp_path / f"link{SUFFIX}").symlink_to("/etc/passwd")
    (tmp_path / f"folder{SUFFIX}").mkdir()
    (tmp_path / "README.txt").write_text("signed files go here")
    good = write(tmp_path, opened(), keys / "dana")
    picked = {one.file.name.removesuffix(SUFFIX): one for one in pick_up(tmp_path, ground, NOW)}
    assert {name: one.state for name, one in picked.items()} == {
        **dict.fromkeys(HOSTILE, "refused"),
        good.name.removesuffix(SUFFIX): "taken",
    }
    assert all(one.why and "\n" not in one.why and len(one.why) < 500 for one in picked.values() if not one.declared)
    assert len(list((tmp_path / "refused").iterdir())) == 2 * len(HOSTILE)
    assert len(ground.store.ledger.events()) == 1


def test_somebody_elses_file_signed_again_is_refused(ground: Ground, keys: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "a", opened(), keys / "dana")
    pick_up(tmp_path / "a", ground, NOW)
    stolen = held(tmp_path / "a" / "taken" / file.name)["statement"]
    signature = sign(written(msgspec.convert(stolen, Statement)), keys / "kim")
    (tmp_path / "a" / file.name).write_bytes(msgspec.json.encode({"statement": stolen, "signature": signature}))
    (again,) = pick_up(tmp_path / "a", ground, NOW)
    assert (again.state, again.why) == ("refused", "dana declared this, word for word, before")


def test_no_folder_and_a_folder_that_cannot_be_written_to(
    ground: Ground, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pick_up(tmp_path / "none", ground, NOW) == ()
    (tmp_path / "file").touch()
    (one,) = pick_up(tmp_path / "file", ground, NOW)
    assert (one.file, one.state, one.why) == (tmp_path / "file", "unread", "cannot be listed: Not a directory")
    with pytest.raises(Refused, match=r"exists|Not a directory"):
        write(tmp_path / "file", opened(), keys / "dana")
    file = write(tmp_path / "a", opened(), keys / "dana")
    assert file.stat().st_mode & 0o777 == 0o644
    (tmp_path / "a" / "taken").touch()  # as where nothing can be made there
    for _ in range(2):
        (one,) = pick_up(tmp_path / "a", ground, NOW)
        assert (one.state, one.file) == ("taken", file)
    assert len(ground.store.ledger.events()) == 1


def test_so_many_files_at_once(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed_module, "MOST_FILES", 3)
    for number in range(5):
        (tmp_path / f"{number}{SUFFIX}").touch()
        (tmp_path / f"0{number}.txt").touch()  # takes nobody's place
    *three, rest = pick_up(tmp_path, ground, NOW)
    assert [one.state for one in three] == ["refused"] * 3
    assert (rest.file, rest.state) == (tmp_path, "unread")
    assert rest.why == "2 more signed files were not read: a scan reads 3"
    assert [len(pick_up(tmp_path, ground, NOW)) for _ in range(2)] == [2, 0]


def test_a_file_that_cannot_be_read_stays_and_is_told(
    ground: Ground, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (write(tmp_path, opened(), keys / "dana") for _ in range(2))
    listed = signed_module._files

    def then(folder: Path) -> tuple[list[Path], str]:
        found = listed(folder)
        first.rename(tmp_path / "kept")  # as another scan takes it
        second.rename(tmp_path / "held")
        second.mkdir()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(signed_module, "_files", then)
        (one,) = pick_up(tmp_path, ground, NOW)
    assert (one.file, one.state, one.why) == (second, "unread", "cannot be read: Is a directory")
    assert not (tmp_path / "refused").exists()
    second.rmdir()
    (tmp_path / "held").rename(second)
    assert [one.state for one in pick_up(tmp_path, ground, NOW)] == ["taken"]
