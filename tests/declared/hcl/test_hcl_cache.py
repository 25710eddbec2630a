"""The parse cache: it answers what the parser would, and distrusts everything else."""

import stat
from pathlib import Path

import pytest

from agent.declared.hcl import cache
from agent.declared.hcl.error import ParseError
from agent.declared.hcl.parse import parse

TEXT = b"""
resource "a" "b" {
  x = [for k, v in var.m : "${k}-%{ if v }yes%{ endif }" if k != null]
  y = <<-EOT
    body
  EOT
  z = { a = -1.5e3, (local.k) = var.l[*].id[*].x["q"].0 }
}
"""


def entry(folder: Path) -> Path:
    (found,) = (folder / "hcl").iterdir()
    return found


def test_an_entry_answers_as_the_parser_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = parse(TEXT, "main.tf", tmp_path)
    # If the parser were asked again, correcting would fail.
    monkeypatch.setattr("agent.declared.hcl.parse.correct", None)
    assert first == parse(TEXT, "other.tf", tmp_path)
    assert first == cache.load(tmp_path, cache.key(TEXT))


def test_other_content_is_another_entry(tmp_path: Path) -> None:
    parse(b"a = 1\n", "", tmp_path)
    parse(b"a = 2\n", "", tmp_path)
    assert len(list((tmp_path / "hcl").iterdir())) == 2


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    parse(TEXT, "", tmp_path / "new")
    assert stat.S_IMODE((tmp_path / "new" / "hcl").stat().st_mode) == 0o700
    assert stat.S_IMODE(entry(tmp_path / "new").stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", [b"", b"x" * 16, b"\x00" * 200, None])
def test_damaged_entries_are_ignored_and_replaced(tmp_path: Path, damage: bytes | None) -> None:
    first = parse(TEXT, "", tmp_path)
    path = entry(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]) if damage is None else damage)
    assert cache.load(tmp_path, path.name) is None
    assert first == parse(TEXT, "", tmp_path)
    assert whole == entry(tmp_path).read_bytes()


def test_an_entry_others_may_write_is_ignored(tmp_path: Path) -> None:
    parse(TEXT, "", tmp_path)
    entry(tmp_path).chmod(0o666)
    assert cache.load(tmp_path, cache.key(TEXT)) is None


def test_what_does_not_parse_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ParseError):
        parse(b"a = ", "", tmp_path)
    assert not (tmp_path / "hcl").exists()


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "hcl").write_text("in the way")
    assert parse(TEXT, "", tmp_path) == parse(TEXT)
    assert [tmp_path / "hcl"] == list(tmp_path.iterdir())


def test_an_entry_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    in_the_way = tmp_path / "hcl" / cache.key(TEXT)
    in_the_way.mkdir(parents=True)
    assert parse(TEXT) == parse(TEXT, "", tmp_path)
    assert [in_the_way] == list((tmp_path / "hcl").iterdir())
