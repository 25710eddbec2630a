"""`status` as the daemon answers it itself: to the same people, and in the same words, as a child would."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from doorway import STRANGER, UIDS

from agent.cli._perform import perform
from agent.config import Config, load
from agent.control import Control, client
from agent.control.client import _asked
from agent.control.errand import Errand
from agent.control.frames import Answer, Parameter, Request, Signed, encoded
from agent.control.glance import Glance
from agent.control.peer import Peer
from agent.store import connect

EVERYBODY = {**UIDS, "root": 0, "stranger": STRANGER, "self": os.geteuid()}
VITALS: dict[str, Any] = {
    **{"role": "leader", "started_at": "2026-11-27T09:00:00Z", "running": [], "waiting": [], "due": {}},
    **{"reload_error": "", "polled": "", "stored": 0.0, "events": 0, "event_lag": None, "version": "1"},
}


@pytest.fixture
def config(folder: Path) -> Config:
    return load(folder / "driftwarden.toml")


def glance(config: Config, who: int, **parameters: Parameter) -> Answer | None:
    """What the daemon says, or that it does not."""
    with connect(config.store_url()) as store:
        return Glance(store).answer(Request("status", parameters), peer(who), config, VITALS)


def child(config: Config, who: int, **parameters: Parameter) -> Answer:
    """What a child says, carried out in this process."""
    given = str(config.path(config.origin))
    return perform(Errand(given, None, peer(who), Request("status", parameters), VITALS, 60))


def peer(uid: int) -> Peer:
    return Peer(4711, uid, uid, "", f"host, pid 4711, uid {uid}")


def timeless(answer: Answer) -> Any:
    """Without what is counted in seconds."""
    told = json.loads(answer.stdout) if answer.stdout else {}
    cases = [{**one, "oldest_seconds": 0} for one in told.pop("cases", {}).get("by_severity", ())]
    outbox = {**told.pop("outbox", {}), "oldest_seconds": 0}
    told = {name: one for name, one in told.items() if name not in ("at", "attention")}
    return msgspec.structs.replace(answer, stdout=""), told, cases, outbox


@pytest.mark.parametrize("who", sorted(EVERYBODY))
def test_it_says_what_a_child_would_to_the_same_people(config: Config, who: str) -> None:
    uid = EVERYBODY[who]
    mine = glance(config, uid, output="json")
    assert mine is not None
    assert ('"cases"' in mine.stdout, mine.nobody) == (who != "stranger", who == "stranger")
    assert timeless(mine) == timeless(child(config, uid, output="json"))


def test_it_is_shown_as_wide_as_the_terminal_is(config: Config) -> None:
    shown = glance(config, UIDS["vera"])
    assert shown is not None
    heads = ("Daemon: leader", "Checked", "Cases", "Trail", "Outbox")
    assert all(head in shown.stdout for head in heads)
    assert (shown.exit, shown.by) == (child(config, UIDS["vera"]).exit, "vera")


def test_who_is_taken_out_of_the_identity_map_is_nobody_at_once(config: Config, folder: Path) -> None:
    with connect(config.store_url()) as store:
        one = Glance(store)
        request = Request("status")

        def said() -> Answer:
            answer = one.answer(request, peer(UIDS["vera"]), config, VITALS)
            assert answer is not None
            return answer

        assert said().by == "vera"
        file = folder / "identities.yaml"
        file.write_text(file.read_text().replace("- {id: vera}", "- {id: vera, valid_until: 2020-01-01}"))
        assert said().nobody
        file.unlink()
        assert (said().exit, "identities.yaml" in said().stderr) == (2, True)


def test_what_it_does_not_know_by_itself_is_left_to_a_child(config: Config) -> None:
    center = msgspec.structs.replace(
        config, identities=msgspec.structs.replace(config.identities, identity_center="d-1")
    )
    assert glance(center, UIDS["vera"]) is None
    assert glance(config, UIDS["vera"], output="yaml") is None
    with connect(config.store_url()) as store:
        for odd in (Request("status", draft=True), Request("status", signed=Signed({}, "")), Request("cases list")):
            assert Glance(store).answer(odd, peer(0), config, VITALS) is None


def test_the_daemon_needs_no_process_for_it(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: Request) -> Any:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr("agent.control.server.begin", refused)
    with connect(config.store_url()) as store:
        control = Control(config, store, lambda _what, _arguments: VITALS)
        control.start()
        try:
            path = config.path(config.daemon.socket)
            assert "Daemon: leader" in client.ask(path, Request("status")).stdout
            assert _asked(path, encoded(Request("cases list"))).busy
        finally:
            control.stop()
