"""What a folder held is remembered and never believed longer than it is so; plain YAML reads back as it was."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.tickets import document, register_index
from agent.tickets.plain import written
from agent.tickets.register_index import Kept, Mentions

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ODD = st.sampled_from(["", "yes", "0x1f", "1e5", "12:30", "- a", "a: b", "a #b", " lead", "trail ", "0123456789abcdef"])
VALUES = TEXT | ODD | TEXT.map(lambda text: f"{text}\n") | st.from_regex(r"[a-z :'\n]{0,20}\n", fullmatch=True)


def plain(value: Any) -> Any:
    """Without the lines that values stand on."""
    if isinstance(value, document.Value):
        return plain(value.data)
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


@settings(max_examples=100, deadline=None)
@given(VALUES, st.lists(VALUES, max_size=3), VALUES)
def test_what_is_written_is_read_back(body: str, names: list[str], note: str) -> None:
    values = {"case": "00ff", "body": body, "rules": names, "history": [{"at": "2026-11-27T08:00:00Z", "note": note}]}
    text = written(values)
    assert plain(document.parse(text, Path("case.yaml"))) == values
    assert document.round_trip(text, Path("case.yaml")) == values


def old(file: Path) -> None:
    """As if it had been written a while ago."""
    at = time.time_ns() - 60_000_000_000
    os.utime(file, ns=(at, at))


def test_a_file_is_read_once_until_it_changes(tmp_path: Path) -> None:
    file, kept, reads = tmp_path / "a.yaml", Kept[str](), list[str]()

    def read() -> str:
        reads.append(file.read_text())
        return reads[-1]

    file.write_text("one")
    assert [kept.of(file, read) for _ in range(2)] == ["one", "one"]
    assert len(reads) == 2  # written just now: it may be written again within a tick
    old(file)
    assert [kept.of(file, read) for _ in range(3)] == ["one"] * 3
    assert len(reads) == 3
    file.write_text("two")
    assert kept.of(file, read) == "two"


def test_files_are_found_by_what_they_mention(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cases"
    mentions = Mentions(folder)
    key, finding = "0123456789abcdef", "F-0123456789ab"
    assert mentions.of([key]) == []
    folder.mkdir()
    (folder / "a.yaml").write_text(f"case: {key}\n")
    (folder / "b.yaml").write_text(f"findings: [{finding}]\n")
    (folder / ".c.yaml.draft").write_text(key)
    assert mentions.of([key]) == [folder / "a.yaml"]
    assert mentions.of([key, finding]) == [folder / "a.yaml", folder / "b.yaml"]
    assert mentions.of(["no such form"]) is None
    (folder / "a.yaml").unlink()
    assert mentions.of([key]) == []
    # A file that was edited in its place is looked at again after a while.
    (folder / "b.yaml").write_text(f"case: {key}\n")
    monkeypatch.setattr(register_index, "_AGAIN", 0.0)
    assert mentions.of([key, finding]) == [folder / "b.yaml"]
