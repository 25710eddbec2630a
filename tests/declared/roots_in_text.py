"""Root modules written in a test, and states to overlay them with."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.declared.configuration import read_module
from agent.declared.evaluation import Evaluated, Surroundings, evaluate_root
from agent.declared.language.values import Value, force, to_plain
from agent.declared.state import State, read_state

AWS = 'provider["registry.terraform.io/hashicorp/aws"]'


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """The files, by path; a name without an ending is a `.tf` file."""
    for name, text in files.items():
        path = folder / (name if "." in Path(name).name else f"{name}.tf")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def evaluated(
    folder: Path, main: str, state: State | None = None, around: Surroundings | None = None, **files: str
) -> Evaluated:
    """A root module evaluated, outputs too; `files` are further ones by name, `__` standing for `/`."""
    write(folder, {"main": main, **{name.replace("__", "/"): text for name, text in files.items()}})
    return evaluate_root(read_module(folder, folder, None), state, around, outputs=True)


def recorded(*instances: dict[str, Any]) -> State:
    """A state of these resources."""
    content = {"version": 4, "serial": 3, "lineage": "l", "terraform_version": "1.11.4", "resources": list(instances)}
    return read_state(json.dumps(content).encode(), "state")


def instance(address: str, attributes: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """One resource of a state with one instance: `module.a["x"].aws_b.c`, its key as `index_key`."""
    *module, type_, name = address.split(".") if "module" not in address else _parts(address)
    found: dict[str, Any] = {"mode": "managed", "type": type_, "name": name, "provider": AWS}
    if module and module[-1] == "data":
        found["mode"] = "data"
        module = module[:-1]
    one = {"schema_version": 0, "attributes": attributes, **fields}
    found["instances"] = [one]
    return found | ({"module": ".".join(module)} if module else {})


def _parts(address: str) -> list[str]:
    module, _, rest = address.rpartition(".aws_")
    type_, name = f"aws_{rest}".split(".")
    return [module, type_, name]


def plain(value: Value) -> Any:
    """A known value as JSON-shaped data."""
    return to_plain(force(value))
