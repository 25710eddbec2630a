"""What became of the files that verdicts rest on: told once, under the name the configuration gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.conduct import policy_news
from agent.config import Config, load


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Rules behind a link, above the configuration, and by a detour; revoked keys; a linked file of the people."""
    (tmp_path / "shared").mkdir()
    home = tmp_path / "home"
    for folder in ("policies", "own", "..data"):
        (home / folder).mkdir(parents=True)
    (home / "linked").symlink_to("policies")
    (home / "..data" / "people.yaml").write_text("people: []\n")
    (home / "people.yaml").symlink_to("..data/people.yaml")
    for file in ("shared/a.yaml", "home/policies/b.yaml", "home/own/c.yaml"):
        (tmp_path / file).write_text("- x\n")
    (home / "signers").write_text("dana K1\n")
    (home / "signers.revoked").write_text("K1\n")
    (home / "driftwarden.toml").write_text(
        "[rules]\ndirs = ['linked', '../shared', 'policies/../own']\n"
        "[identities]\nfile = 'people.yaml'\n[authority]\nsigners = 'signers'\n"
    )
    return load(home / "driftwarden.toml")


def test_nothing_changed_is_no_news(config: Config) -> None:
    first = policy_news(config, {}, ())
    assert (first.told.changes, first.events) == ((), ())
    known = {file.path: file.sha256 for file in first.files}
    assert {"linked/b.yaml", "people.yaml", "signers.revoked"} < known.keys()
    assert len(known) == 7
    again = policy_news(config, known, ())
    assert (again.told.changes, again.files, again.events) == ((), (), ())


def test_changes_are_told_under_the_same_names(config: Config) -> None:
    known = {file.path: file.sha256 for file in policy_news(config, {}, ()).files}
    config.path("signers.revoked").unlink()
    config.path("policies/b.yaml").write_text("- y\n")
    found = policy_news(config, known, ())
    assert [(one.path, one.what) for one in found.told.changes] == [
        ("linked/b.yaml", "changed"),
        ("signers.revoked", "removed"),
    ]
    assert [(kind, body["path"]) for kind, body in found.events] == [
        ("policy.changed", "linked/b.yaml"),
        ("policy.changed", "signers.revoked"),
    ]
