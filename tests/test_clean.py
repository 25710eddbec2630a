"""`agent.clean`: what a terminal or a reader would obey becomes visible, and nothing else changes."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.clean import LONGEST, clean


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("orders-queue", "orders-queue"),
        ("Zürich 東京 🚀", "Zürich 東京 🚀"),
        ("\x1b[31mred\x1b[0m", "⟨U+001B⟩[31mred⟨U+001B⟩[0m"),
        ("\x9b31m", "⟨U+009B⟩31m"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("deny\u202eyolla", "deny⟨U+202E⟩yolla"),
        ("\u2066x\u2069", "⟨U+2066⟩x⟨U+2069⟩"),
        ("pay\u200bpal", "pay⟨U+200B⟩pal"),
        ("line\u2028break", "line⟨U+2028⟩break"),
        ("a\u00a0b\u3000c", "a⟨U+00A0⟩b⟨U+3000⟩c"),
        ("tag\U000e0041", "tag⟨U+E0041⟩"),
        ("half\ud800", "half⟨U+D800⟩"),
        ("nul\x00", "nul⟨U+0000⟩"),
    ],
)
def test_hidden_characters_are_shown(text: str, shown: str) -> None:
    assert shown == clean(text)


def test_other_values_are_shown_as_text() -> None:
    assert clean(30) == "30"
    assert clean(None) == "None"


def test_long_text_is_cut_and_the_rest_is_counted() -> None:
    assert clean("x" * LONGEST) == "x" * LONGEST
    assert clean("x" * (LONGEST + 1)) == "x" * LONGEST + "… (1 more characters)"
    assert clean("äbcd", longest=2) == "äb… (2 more characters)"


def test_a_long_text_of_hidden_characters_is_cut_too() -> None:
    assert clean("\u202e" * 10, longest=2) == "⟨U+202E⟩⟨U+202E⟩… (8 more characters)"


@given(st.text(max_size=300))
def test_nothing_hidden_is_left_and_showing_again_changes_nothing(text: str) -> None:
    shown = clean(text)
    assert [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")] == []
    assert shown == clean(shown, longest=10_000)


@given(st.text(alphabet=st.characters(categories=("L", "N", "P", "S")), max_size=300))
def test_what_can_be_seen_is_left_alone(text: str) -> None:
    assert text == clean(text)
