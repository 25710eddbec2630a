"""`agent.hcl_text`: whatever a value holds, Terraform reads it back as that value, and finds the layout its own."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hcl2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.hcl_text import DEEPEST, LONGEST, Written, arguments, block, document, literal, quoted
from agent.model import Secret, Unknown

HOSTILE = [
    "plain",
    'say "hi" \\ there',
    "line\nbreak\r\ttab",
    "${var.secret}",
    "%{ if true }x%{ endif }",
    "$${a} $$${b} %%{c} %$${d} $%{e}",
    "$",
    "100% {fine}",
    "a = b",
    '"\n}\nresource "null_resource" "evil" {',
    "deny\u202ewolla",
    "zero\u200bwidth\x00\x1b[31m\x7f",
    "tag\U000e0041s and \u2028 lines",
    "żółć 漢字 🙂",
    "for",
    "<<EOT\nx\nEOT",
    "# no comment */ //",
]
VALUES: dict[str, Any] = {
    "strings": HOSTILE,
    "keys": {text: number for number, text in enumerate(HOSTILE)},
    "numbers": [0, -3, 1.5, 1e20, 12345678901234567890],
    "truths": [True, False, None],
    "nested": {"a": [{"b": [1, 2, {"c": "x" * 90}]}, []], "long": ["y" * 50, "z" * 50], "m": {}, "short": {"k": 1}},
    "policy": {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/${aws:username}/*"}],
    },
}

Run = Callable[..., str]


@pytest.fixture(scope="session")
def tf() -> Run:
    """Runs Terraform in a folder."""
    binary = shutil.which("terraform")
    if binary is None:
        pytest.skip("the terraform binary is not on PATH")
    env = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}

    def run(folder: Path, *arguments: str) -> str:
        done = subprocess.run(
            [binary, *arguments],
            cwd=folder,
            env=env | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_terraform_reads_what_was_meant(tf: Run, tmp_path: Path) -> None:
    body = {**VALUES, "text": Written(document(json.dumps(VALUES["policy"]), 1), None)}
    lines = block("locals", body)
    text = "\n".join(lines) + '\n\noutput "all" {\n  value = local.all\n}\n'
    names = ", ".join(f"{name} = local.{name}" for name in body)
    text = text.replace("local.all", f"{{ {names} }}")
    (tmp_path / "main.tf").write_text(text)
    tf(tmp_path, "fmt", "-check")
    tf(tmp_path, "apply", "-auto-approve", "-input=false")
    found = json.loads(tf(tmp_path, "output", "-json", "all"))
    assert found == {**VALUES, "text": found["text"]}
    assert json.loads(found["text"]) == VALUES["policy"]


def test_blocks_are_laid_out_as_terraform_does(tf: Run, tmp_path: Path) -> None:
    body = {
        "name": "x",
        "visibility_timeout_seconds": 60,
        "secret": Secret("ab" * 32),
        "a": 1,
        "long": ["y" * 50, "z" * 50],
        "after": True,
        "rule": [{"id": "one", "empty": None, "filter": [{"prefix": "a/"}]}, {"id": "two"}, {}],
        "tags": {"Name": "x", "Much longer": "y" * 80},
    }
    (tmp_path / "main.tf").write_text("\n".join(block('resource "x" "y"', body)) + "\n")
    tf(tmp_path, "fmt", "-check")
    parsed = hcl2.loads((tmp_path / "main.tf").read_text())
    assert "rule" in str(parsed)


# --- what is not written down --------------------------------------------------------------------------------


def test_what_is_secret_unknown_too_deep_or_too_long_is_a_comment() -> None:
    deep: Any = "x"
    for _ in range(DEEPEST + 2):
        deep = [deep]
    body = {
        "password": Secret("ab" * 32),
        "later": Unknown("known after\nthe apply"),
        "some": {"in": [Secret("cd" * 32)]},
        "deep": deep,
        "long": "x" * (LONGEST + 1),
        "odd": b"bytes",
        "nan": float("nan"),
        "evil\n}": Secret("ef" * 32),
    }
    assert arguments(body) == [
        "  # password: sensitive, not shown",
        "  # later: not known: known after\\nthe apply",
        "  # some: holds what is sensitive or not known, not shown",
        "  # deep: cannot be written down",
        "  # long: 8,003 characters, too long to be shown",
        "  # odd: cannot be written down",
        "  # nan: cannot be written down",
        "  # evil\\n}: sensitive, not shown",
    ]


def test_blocks_nested_too_deep() -> None:
    deep: Any = {"x": 1}
    for _ in range(DEEPEST + 2):
        deep = {"b": [deep]}
    assert "nested too deep to be shown" in "\n".join(arguments(deep))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("{}", "jsonencode({})"),
        ('{"a": "${b}"}', 'jsonencode({ "a" = "$${b}" })'),
        ("[1]", "jsonencode([1])"),
        ({"a": 1}, 'jsonencode({ "a" = 1 })'),
        ("3", '"3"'),
        ("no json", '"no json"'),
        ("[" * 100_000, None),
        ({"a": Secret("ab" * 32)}, None),
        (None, "null"),
    ],
)
def test_documents(value: Any, text: str | None) -> None:
    assert document(value) == (text if text is not None or value != "[" * 100_000 else literal(value))


def test_sets_come_sorted_and_half_a_pair_is_no_text() -> None:
    assert literal({"b", "a"}) == '["a", "b"]'
    assert quoted("\ud800") == '"\\ufffd"'
    assert quoted("\u00a0") == '"\\u00a0"'


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(st.characters(codec="utf-8"), max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=6), JSON, max_size=4))
def test_whatever_it_holds_it_stays_one_block(body: dict[str, Any]) -> None:
    lines = block('resource "x" "y"', body)
    assert lines[0].startswith('resource "x" "y" {')
    assert lines[-1].endswith("}")
    assert not any(character in line for line in lines for character in "\n\r\x1b\u202e\x00")
    assert not any(line.startswith("}") for line in lines[1:-1])
