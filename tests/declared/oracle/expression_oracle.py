"""The expressions of this folder, what the real Terraform makes of them, and what was recorded of it.

Hides how Terraform is asked: one root module with a file and an output for each expression, applied once. A file with
an error is dropped and the run repeated.
`python tests/declared/oracle/expression_oracle.py [GROUP…]` records anew.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

HERE = Path(__file__).parent
GIVEN = HERE / "given.tf"
ANSWERS = HERE / "answers.jsonl"
IMPURE = "impure"
"""The group whose answers differ at each run."""

UNKNOWN = "unknown"
"""The group that is planned and not applied, with `local.u…` unknown."""

Answer = Mapping[str, Any]
"""`type` (as state spells it), `value` and `sensitive`; or `error`: `static`, `dynamic` or `infinite`.

What was planned, and what applying leaves unknown, has `value`, and `unknown` as plan JSON spells it."""


def expressions(group: str) -> list[str]:
    """The expressions of one file: one a line, or several lines between `<<<` and `>>>`; `# ` begins a comment."""
    found: list[str] = []
    block: list[str] | None = None
    for line in (HERE / "expressions" / f"{group}.txt").read_text(encoding="utf-8").split("\n"):
        if block is not None:
            if line == ">>>":
                found.append("\n".join(block))
                block = None
            else:
                block.append(line)
        elif line == "<<<":
            block = []
        elif line.strip() and not line.startswith("# "):
            found.append(line)
    assert block is None, f"{group}: a block is not closed"
    assert len(set(found)) == len(found), f"{group}: an expression stands twice"
    return found


def groups() -> list[str]:
    """Names of the groups whose answers are recorded."""
    return sorted(path.stem for path in (HERE / "expressions").glob("*.txt") if path.stem != IMPURE)


def recorded() -> dict[str, dict[str, Answer]]:
    """Group → expression → the recorded answer; numbers are `int` or `Decimal`."""
    found: dict[str, dict[str, Answer]] = {}
    for line in ANSWERS.read_text(encoding="utf-8").splitlines()[1:]:
        answer = json.loads(line, parse_float=Decimal)
        found.setdefault(answer.pop("group"), {})[answer.pop("expression")] = answer
    return found


def version() -> str:
    """Version of the Terraform that gave the recorded answers."""
    with ANSWERS.open(encoding="utf-8") as lines:
        return str(json.loads(next(lines))["terraform"])


def ask(group: str, texts: Iterable[str] = ()) -> dict[str, Answer]:
    """Expression → the real Terraform's answer, for a group or for other texts asked as that group is."""
    asked = list(texts) or expressions(group)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(HERE / "files", root / "files")
        shutil.copy(GIVEN, root)
        if group == UNKNOWN:
            shutil.copy(HERE / "unknown.tf", root)
        return (_planned if group == UNKNOWN else _applied)(root, asked)


def _applied(root: Path, asked: list[str]) -> dict[str, Answer]:
    for number, text in enumerate(asked):
        _file(root, number, f'try({{ v = {text}\n s = issensitive({text}\n) }}, "refused")')
    failed = _without_errors(root, "apply", "-auto-approve", "-state=out.tfstate")
    state = json.loads((root / "out.tfstate").read_text(encoding="utf-8"), parse_float=Decimal)
    outputs = state["outputs"]
    return {
        text: {"error": failed[number]} if number in failed else _state_answer(outputs.get(f"e{number}"))
        for number, text in enumerate(asked)
    }


def _state_answer(output: Any) -> Answer:
    if output is None or output["value"] is None:
        # Functions given a null of no type leave their result unknown for ever.
        return {"value": None, "unknown": True}
    if output["value"] == "refused":
        return {"error": "dynamic"}
    answer = {"type": output["type"][1]["v"], "value": output["value"]["v"]}
    return answer | {"sensitive": True} if output["value"]["s"] else answer


def _planned(root: Path, asked: list[str]) -> dict[str, Answer]:
    for number, text in enumerate(asked):
        _file(root, number, f"{{ v = {text}\n }}")
    failed = _without_errors(root, "plan", "-out=out.plan")
    changes = json.loads(terraform(root, "show", "-json", "out.plan"), parse_float=Decimal)["output_changes"]
    return {
        text: {"error": failed[number]} if number in failed else _plan_answer(changes[f"e{number}"])
        for number, text in enumerate(asked)
    }


def _plan_answer(change: Any) -> Answer:
    unknown = change["after_unknown"]
    unknown = unknown if isinstance(unknown, bool) else unknown.get("v", False)
    return {"value": (change.get("after") or {}).get("v"), "unknown": unknown}


def _file(root: Path, number: int, value: str) -> None:
    text = f'output "e{number}" {{\n  value = {value}\n  sensitive = true\n}}\n'
    (root / f"e{number}.tf").write_text(text, encoding="utf-8")


def _without_errors(root: Path, *arguments: str) -> dict[int, str]:
    """Runs until no file has an error; numbers of the files that had, and the kind of error."""
    dropped: dict[int, str] = {}
    for _ in range(20):
        lines = [json.loads(line) for line in terraform(root, *arguments, "-json", "-no-color").splitlines()]
        errors = [line["diagnostic"] for line in lines if line.get("@level") == "error"]
        if not errors:
            return dropped
        wrong = {int(each["range"]["filename"][1:-3]): "static" for each in errors if _in_ours(each)}
        # State has no spelling for what 1 / 0 is.
        wrong |= {int(each): "infinite" for each in re.findall(r'"e(\d+)": cannot serialize infinity', str(errors))}
        assert wrong, errors
        for number in wrong:
            (root / f"e{number}.tf").unlink()
        dropped |= wrong
    raise AssertionError("there are always more errors")


def _in_ours(diagnostic: Any) -> bool:
    return bool(re.fullmatch(r"e[0-9]+\.tf", diagnostic.get("range", {}).get("filename", "")))


def terraform(root: Path, *arguments: str) -> str:
    """Standard output of a Terraform that reads no settings of this machine."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    env |= {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    done = subprocess.run(
        ["terraform", *arguments], cwd=root, env=env, capture_output=True, text=True, timeout=240, check=False
    )
    return done.stdout


def terraform_version() -> str:
    """Of the binary on the PATH."""
    return str(json.loads(terraform(HERE, "version", "-json"))["terraform_version"])


def record(anew: Iterable[str]) -> None:
    """Writes `answers.jsonl`: the named groups, or all where none is named, are asked again."""
    encoder = msgspec.json.Encoder(decimal_format="number")
    named = set(anew) or set(groups())
    lines = [encoder.encode({"terraform": terraform_version()})]
    for group in groups():
        for expression, answer in (ask(group) if group in named else recorded()[group]).items():
            lines.append(encoder.encode({"group": group, "expression": expression, **answer}))
    ANSWERS.write_bytes(b"\n".join(lines) + b"\n")


if __name__ == "__main__":
    record(sys.argv[1:])
