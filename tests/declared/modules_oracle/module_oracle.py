"""What the real Terraform makes of the root modules in `roots/`, and what was recorded of it.

Hides how it is asked, in three ways: `terraform test` with a mocked provider (each root's `tests/plan.tftest.hcl`),
`terraform plan` against a moto server, and the plan of an edit once the root was applied there.
`python tests/declared/modules_oracle/module_oracle.py [ROOT…]` records all anew.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

HERE = Path(__file__).parent
ROOTS = HERE / "roots"
ANSWERS = HERE / "answers"
HOLE = "(unknown)"
"""Stands where a planned value is unknown."""

MOCKED = "(mocked)"
"""Stands where the mocked provider made a value up."""

MOCKED_DOCUMENT = '{"Mocked":true}'
"""What the mocked provider says of every policy document."""

EDITS = {
    "assorted": ("terraform.tfvars", '"hunter2"', '"hunter3"'),
    "labels": ("main.tf", 'Team = "platform"', 'Team = "core"'),
    "network": ("main.tf", '"t3.small"', '"t3.large"'),
    "regions": ("main.tf", 'default = "ops"', 'default = "dev"'),
    "services": ("defaults.yaml", "RETRIES: 3", "RETRIES: 4"),
    "storage": ("templates/motd.tftpl", "Welcome.", "Hello."),
}
"""Root → a file of it, and what is written there instead of what, once it was applied."""

Answer = Mapping[str, Any]
"""`instances`: address → attribute → value, nulls left out; `outputs`: name → value."""


def roots() -> list[str]:
    """Names of the root modules."""
    return sorted(path.name for path in ROOTS.iterdir() if path.is_dir())


def recorded(root: str, way: str) -> Answer:
    """The recorded answer, `way` being `mocked`, `planned` or `edited`; numbers are `int` or `Decimal`."""
    answer: Answer = json.loads((ANSWERS / f"{root}.{way}.json").read_text(encoding="utf-8"), parse_float=Decimal)
    return answer


def mocked(copy: Path, env: Mapping[str, str]) -> Answer:
    """The plan of an initialised copy of a root with its provider mocked: values the mock makes up are `MOCKED`."""
    return _without_made_up(mocked_once(copy, env), mocked_once(copy, env))


def mocked_once(copy: Path, env: Mapping[str, str]) -> Answer:
    """`mocked`, with the values the mock makes up as they come."""
    for line in run(copy, env, "test", "-json", "-verbose").splitlines():
        message = json.loads(line, parse_float=Decimal)
        if message["type"] == "test_plan":
            return _answer(message["test_plan"])
    raise AssertionError(f"terraform test of {copy.name} gave no plan")


def planned(copy: Path, env: Mapping[str, str], *arguments: str) -> Answer:
    """The plan of an initialised copy of a root, against whatever `env` points at."""
    run(copy, env, "plan", "-input=false", "-no-color", "-out=plan", *arguments)
    return _answer(json.loads(run(copy, env, "show", "-json", "plan"), parse_float=Decimal))


def edited(copy: Path, env: Mapping[str, str]) -> tuple[Answer, bytes]:
    """The plan of a copy that is applied and then edited, and the state of the time between."""
    run(copy, env, "apply", "-input=false", "-no-color", "-auto-approve")
    state = (copy / "terraform.tfstate").read_bytes()
    edit(copy)
    return planned(copy, env), state


def edit(copy: Path) -> None:
    """Makes the root's edit in a copy of it."""
    name, before, after = EDITS[copy.name]
    text = (copy / name).read_text(encoding="utf-8")
    assert before in text
    (copy / name).write_text(text.replace(before, after), encoding="utf-8")


def state(root: str) -> bytes:
    """The recorded state that a root's `edited` answer is the plan against."""
    return (ANSWERS / f"{root}.tfstate.json").read_bytes()


def _answer(plan: Any) -> Answer:
    managed = [each for each in plan["resource_changes"] if each["mode"] == "managed"]
    return {
        "instances": {
            each["address"]: {
                name: value
                for name, value in _filled(each["change"]["after"], each["change"]["after_unknown"]).items()
                if value is not None
            }
            for each in managed
            if each["change"]["after"] is not None
        },
        "outputs": {
            name: _filled(each.get("after"), each["after_unknown"])
            for name, each in plan.get("output_changes", {}).items()
        },
    }


def _filled(after: Any, unknown: Any) -> Any:
    """A planned value with a `HOLE` wherever it is unknown."""
    if unknown is True:
        return HOLE
    if isinstance(unknown, list):
        return [_filled(each, hole) for each, hole in zip(after, unknown, strict=True)]
    if isinstance(unknown, dict):
        return {**(after or {}), **{key: _filled((after or {}).get(key), hole) for key, hole in unknown.items()}}
    return after


def _without_made_up(first: Any, second: Any) -> Any:
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        return {key: _without_made_up(each, second[key]) for key, each in first.items()}
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        return list(map(_without_made_up, first, second))
    return first if first == second and first != MOCKED_DOCUMENT else MOCKED


def masked(answer: Any, like: Any) -> Any:
    """An answer with `MOCKED` wherever another one has it."""
    if like == MOCKED:
        return MOCKED
    if isinstance(answer, dict) and isinstance(like, dict):
        return {key: masked(each, like.get(key)) for key, each in answer.items()}
    if isinstance(answer, list) and isinstance(like, list) and len(answer) == len(like):
        return list(map(masked, answer, like))
    return answer


def run(folder: Path, env: Mapping[str, str], *arguments: str) -> str:
    """Terraform's standard output. Raises `RuntimeError` where it fails."""
    done = subprocess.run(
        ["terraform", *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=240, check=False
    )
    if done.returncode:
        raise RuntimeError(f"terraform {arguments[0]} in {folder}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def environment(variables: Mapping[str, str]) -> Mapping[str, str]:
    """This process's environment without what speaks to Terraform or AWS, and `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
    # GOGC: with Go's usual setting the AWS provider spends a fifth of its start on collection.
    return kept | {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "GOGC": "400"} | variables


def copied(root: str, folder: Path, env: Mapping[str, str]) -> Path:
    """An initialised copy of a root below `folder`."""
    copy = folder / root
    shutil.copytree(ROOTS / root, copy)
    plugins = os.environ.get("DRIFTWARDEN_TF_PLUGIN_DIR", "")
    run(copy, env, "init", "-input=false", "-no-color", *([f"-plugin-dir={plugins}"] if plugins else []))
    return copy


def record(names: list[str]) -> None:
    """Writes `answers/` anew; `AWS_ENDPOINT_URL` and the like must point at a moto server, which is emptied."""
    ANSWERS.mkdir(exist_ok=True)
    env = environment({name: value for name, value in os.environ.items() if name.startswith("AWS_")})
    for root in names or roots():
        with tempfile.TemporaryDirectory() as folder:
            with urllib.request.urlopen(
                urllib.request.Request(f"{env['AWS_ENDPOINT_URL']}/moto-api/reset", method="POST"), timeout=30
            ):
                copy = copied(root, Path(folder), env)
            _write(f"{root}.mocked", mocked(copy, env))
            _write(f"{root}.planned", planned(copy, env))
            answer, between = edited(copy, env)
            _write(f"{root}.edited", answer)
            _write(f"{root}.tfstate", json.loads(between))


def _write(name: str, answer: Any) -> None:
    encoder = msgspec.json.Encoder(decimal_format="number", order="sorted")
    (ANSWERS / f"{name}.json").write_bytes(msgspec.json.format(encoder.encode(answer), indent=1) + b"\n")


if __name__ == "__main__":
    record(sys.argv[1:])
