"""Text of ours that can only be read, and references in texts of others."""

import re
import time

from hypothesis import given
from hypothesis import strategies as st

from agent.model import Case, CaseKey, FindingId
from agent.tickets.markdown import MAX_BLOCK, MAX_KEYS, block, description, farewell, keys, title
from agent.tickets.references import MOST, references

TEXTS = st.text(st.sampled_from("`~/\n @#<>!-ab"), max_size=60)


@given(TEXTS)
def test_nothing_leaves_the_block(text: str) -> None:
    opening, *inside, closing = block(text).split("\n")
    fence = opening.removesuffix("text")
    assert re.fullmatch("`{3,}", fence)
    assert closing == fence
    assert not any(line.strip().startswith(fence) or line.lstrip().startswith("/") for line in inside)


@given(TEXTS)
def test_a_block_says_what_was_written(text: str) -> None:
    inside = block(text).split("\n")[1:-1]
    assert [re.sub(r"^(\s*)\\/", r"\1/", line) for line in inside] == text.split("\n")


def test_a_block_is_cut_to_what_a_forge_takes() -> None:
    long = block("\n".join(["/" * 3] * 50_000))
    assert len(long) < MAX_BLOCK + 100
    assert long.endswith("\n(more: see the report)\n```")


def test_a_case_is_found_by_its_keys_and_by_nothing_in_its_text() -> None:
    hidden = "<!-- driftwarden case other -->"
    case = Case(CaseKey("k 1-->"), hidden, (FindingId("F-1"), FindingId("F 2")), "low", body=hidden)
    text = description(case)
    assert keys(text) == {"k 1-->", "F-1", "F 2"}
    assert keys(text.replace("\n", "\r\n")) == {"k 1-->", "F-1", "F 2"}
    assert keys(f"\n{text}") == keys(block(text)) == keys("") == frozenset()
    assert len(title(case)) < 255


def test_a_case_of_many_findings_fits_into_a_body() -> None:
    many = tuple(FindingId(f"F-{n:012x}") for n in range(5000))
    text = description(Case(CaseKey("c" * 16), "\u202e" * 3000, many, "low", body="x\n" * 60_000))
    assert len(text) < 65_536
    assert len(keys(text)) == MAX_KEYS + 1
    assert len(title(Case(CaseKey("c" * 16), "\u202e" * 3000, (), "low"))) < 255


def test_the_last_word_differs_from_a_note_of_the_same_words() -> None:
    assert farewell("gone") != block("gone")
    assert block("gone") in farewell("gone")


def test_references_in_a_text() -> None:
    text = "OPS-12: see CHG0001234, acme/changes#7 and group/sub/name!8; not ops-1, #3, a#4, https://x.example/acme/b#5"
    assert references(text) == ("OPS-12", "CHG0001234", "acme/changes#7", "group/sub/name!8")
    assert references("OPS-1 OPS-1 XOPS-1x OPS-1-2") == ("OPS-1",)
    assert len(references(" ".join(f"OPS-{n}" for n in range(500)))) == MOST


def test_a_hostile_text_takes_no_time() -> None:
    began = time.process_time()
    for text in ("a" * 70_000, "a/" * 35_000, "A" * 70_000, "a.b-" * 17_000 + "#", "a/b/c/d/" * 9000):
        assert references(text) == ()
    assert time.process_time() - began < 2
