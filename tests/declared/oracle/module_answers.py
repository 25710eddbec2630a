"""What Terraform plans for a root module of random modules, and what ours is instead.

Hides how modules with an error are found and left out, on both sides.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from expression_oracle import terraform
from our_answers import HOLE, equal, filled, plain
from random_modules import write_root

from agent.declared.configuration import read_module
from agent.declared.evaluation import evaluate_root
from agent.declared.language.values import Value, force

MODULE = re.compile(r"(m[0-9]+)(?:/|\.tf$)")


def planned(root: Path) -> Any:
    """The plan of a root module, as JSON; modules that Terraform refuses are removed from the folder first."""
    for _ in range(40):
        terraform(root, "init", "-input=false", "-no-color")
        lines = terraform(root, "plan", "-out=out.plan", "-json", "-no-color").splitlines()
        messages = [json.loads(line) for line in lines if line.startswith("{")]
        errors = [each["diagnostic"] for each in messages if each.get("@level") == "error"]
        if not errors:
            return json.loads(terraform(root, "show", "-json", "out.plan"), parse_float=Decimal)
        found = {MODULE.match(each.get("range", {}).get("filename", "")) for each in errors}
        wrong = {each[1] for each in found if each}
        assert wrong, errors
        for name in wrong:
            (root / f"{name}.tf").unlink()
    raise AssertionError("there are always more errors")


def differences(root: Path, seed: int, count: int) -> Iterator[str]:
    """Where our evaluation of a random root module, written into the folder, is not what Terraform plans."""
    write_root(root, seed, count)
    plan = planned(root)
    ours = evaluate_root(read_module(root, root, None), outputs=True)
    for problem in ours.problems:
        yield f"problem: {problem}"
    for address, why in ours.unexpanded.items():
        yield f"{address} is not expanded: {why}"
    changes = {each["address"]: each["change"] for each in plan["resource_changes"]}
    for address in sorted(changes.keys() ^ ours.instances.keys()):
        yield f"{address} is {'not ours' if address in changes else 'ours alone'}"
    for address in sorted(changes.keys() & ours.instances.keys()):
        values = ours.instances[address].values
        for name in ("input", "triggers_replace"):
            yield from _unlike(f"{address}.{name}", values.get(name), _at(changes[address], name))
    for name, change in plan["output_changes"].items():
        yield from _unlike(f"output {name}", ours.outputs[name], filled(change.get("after"), change["after_unknown"]))


def _at(change: Any, name: str) -> Any:
    unknown = change["after_unknown"]
    return filled(change["after"].get(name), unknown.get(name, False) if isinstance(unknown, dict) else unknown)


def _unlike(where: str, ours: Value | None, theirs: Any) -> Iterator[str]:
    mine = None if ours is None else plain(force(ours))
    if not alike(mine, theirs):
        yield f"{where}: terraform: {theirs!r}, ours: {mine!r}"


def alike(mine: Any, theirs: Any) -> bool:
    """Whether what Terraform knows we know, and the same; we may know more."""
    if theirs == HOLE:
        return True
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return mine.keys() == theirs.keys() and all(alike(each, theirs[key]) for key, each in mine.items())
    if isinstance(mine, list) and isinstance(theirs, list):
        return len(mine) == len(theirs) and all(map(alike, mine, theirs))
    return equal(mine, theirs)
