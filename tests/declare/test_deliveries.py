"""What the ticket system refused: listed without doing harm, and tried again by whoever may say so."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from night import call, seen

from agent.cli import main
from agent.store import Store, connect

NOW = datetime.now(UTC) - timedelta(hours=1)
WORSE = "422: \x1b[2Jsummary \u202eis wrong\n" + "x" * 500


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["cases", *arguments])


@pytest.fixture
def store(tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with two openings that were refused, and one that waits."""
    (tmp_path / "driftwarden.toml").write_text('[authority]\nsigners = "allowed_signers"\n')
    shutil.copy(keys / "allowed_signers", tmp_path / "allowed_signers")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DRIFTWARDEN_SOCKET", "none")
    made = connect("sqlite:///driftwarden.db")
    for number in "123":
        seen(made, call(f"e{number}", at=NOW), at=NOW, deadline=NOW, key=f"{number * 6}0123456789")
    for entry in made.outbox.claim_some("filer", NOW, timedelta(minutes=1), 2):
        made.outbox.dead(entry, WORSE, NOW)
    return made


def test_they_are_listed_with_what_stopped_them_and_nothing_of_it_steers_a_terminal(store: Store) -> None:
    shown = typed("deliveries")
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert [line.split()[1:3] for line in lines if line.split()[0].isdecimal()] == [
        ["dead", "1111110123456789"],
        ["dead", "2222220123456789"],
        ["waiting", "3333330123456789"],
    ]
    assert not {"\x1b", "\u202e"} & set(shown.output)
    told = json.loads(typed("deliveries", "--output", "json").output)
    assert [(one["state"], one["action"], one["attempts"]) for one in told] == [
        *[("dead", "open", 1)] * 2,
        ("waiting", "open", 0),
    ]
    assert all(len(one["error"]) < 350 and not {"\x1b", "\u202e", "\n"} & set(one["error"]) for one in told)
    assert {one["id"] for one in told} == {one.id for one in store.outbox.unsent()}


def test_one_is_tried_again_then_all_and_what_is_not_dead_is_refused(store: Store) -> None:
    first, second, waiting = (one.id for one in store.outbox.unsent())
    for arguments, why in (((), "say --all"), (("--all", f"{first}"), "say --all"), ((f"{waiting}",), "no such")):
        refused = typed("retry", *arguments)
        assert (refused.exit_code, why in refused.stderr) == (2, True)
    assert typed("retry", f"{first}", f"{waiting}").exit_code == 2
    assert [one.state for one in store.outbox.unsent()] == ["dead", "dead", "waiting"], "all of them or none"
    assert "1 delivery is" in typed("retry", f"{first}").output
    assert [one.state for one in store.outbox.unsent()] == ["waiting", "dead", "waiting"]
    assert "1 delivery is" in typed("retry", "--all").output
    told = store.ledger.events()[-1]
    assert (told.kind, told.body["by"]) == ("case.revived", f"uid {os.geteuid()}, at the store")
    assert typed("retry", "--all").output == "Nothing was refused for good.\n"
    assert second in {one.id for one in store.outbox.claim_some("filer", datetime.now(UTC), timedelta(minutes=1), 9)}
