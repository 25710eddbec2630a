"""The rules of the house, held by a machine: which way imports point, what is pure, how long things may be."""

import ast
import dataclasses
import gc
import importlib
import json
import pkgutil
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import agent.model
from agent import resources
from agent.resources import Spec

ROOT = Path(__file__).parent.parent
AGENT = ROOT / "agent"

TIERS: tuple[tuple[str, ...], ...] = (
    ("aws_session", "model", "clean", "cron", "paths", "recurrence", "shipped", "tables", "toml_file", "yaml_events"),
    ("rule_file",),
    ("config", "hcl_text", "seal", "tags", "vitals"),
    ("resources",),
    ("named", "topics"),
    # The line: pure.
    ("equal", "forms", "motion", "naming", "people", "risk", "unseen"),
    ("content", "emergency", "explain", "focus", "way_back"),
    ("authorise", "attribute", "compare", "exempt", "exposure", "rereading", "twice"),
    ("access", "commits", "facts", "performed", "plan", "states"),
    ("expression", "shapes"),
    ("judge",),
    ("collected", "replay", "rules"),
    ("scan",),
    ("document",),
    # What reads, keeps and files.
    ("declared", "live", "mail", "signing", "store", "tickets", "trail"),
    ("child", "declare", "directory", "filing", "freeze", "ingest", "policy_files", "proposal", "report", "risk_file"),
    ("heard", "silence", "stacks", "ticketing", "timetable", "tolerated", "upkeep", "watch"),
    ("collect", "conduct", "standing"),
    ("evidence", "inquiry", "settle", "survey"),
    ("gather",),
    ("run",),
    ("events", "imports", "proof", "status", "work"),
    ("control", "demo"),
    ("daemon",),
    ("cli",),
)
"""Modules and folders of `agent`, lowest first: each imports from lower tiers only, never from its own."""

PURE = ("model", "clean", "paths", "hcl_text", "tags", "seal", *(name for tier in TIERS[3:14] for name in tier))
"""No I/O, no clock, no environment; `rules` reads rule files."""

HARMLESS = {
    *(
        "__future__",
        "bisect",
        "collections",
        "dataclasses",
        "datetime",
        "decimal",
        "difflib",
        "fnmatch",
        "functools",
        "hashlib",
    ),
    *("hmac", "importlib", "io", "ipaddress", "itertools", "json", "math", "pkgutil", "re", "typing", "unicodedata"),
    *("operator", "cel", "deepdiff", "jmespath", "yaml"),
}
"""What a pure module may import: nothing of it reaches a file, the network, a clock or the environment by itself."""

NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "base", "manager", "core", "misc"}
IGNORED = {".venv", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "__pycache__", "dist", "out"}


@pytest.fixture(scope="module", autouse=True)
def uncollected() -> Iterator[None]:
    """Over a million nodes that stay, whoever looks for garbage among them is most of the time these tests take."""
    gc.disable()
    yield
    gc.enable()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Every node of it; to walk two hundred thousand lines for each question takes long."""
    return tuple(ast.walk(tree(path)))


def modules(folder: Path = AGENT) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if not IGNORED & set(path.parts))


def ours() -> list[Path]:
    """Every Python file of the repository."""
    return [path for name in ("agent", "tests", "scripts", "benchmarks") for path in modules(ROOT / name)]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def unit_of(path: Path) -> str:
    """The module or folder directly below `agent`."""
    return path.relative_to(AGENT).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Full names of what a module imports, wherever in it; `from agent import x` gives `agent.x`."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


# --- imports -------------------------------------------------------------------------------------------------

HEIGHT = {name: height for height, tier in enumerate(TIERS) for name in tier}


def test_everything_has_its_tier() -> None:
    there = {unit_of(path) for path in modules()} - {"__init__"}
    assert there == set(HEIGHT)
    assert len(HEIGHT) == sum(map(len, TIERS))


def test_imports_point_downwards() -> None:
    upward = [
        f"{name_of(path)} imports {target}"
        for path in modules()
        if (mine := unit_of(path)) != "__init__"
        for target in imported(path)
        if target.startswith("agent.")
        and (other := target.split(".")[1]) in HEIGHT
        and other != mine
        and HEIGHT[other] >= HEIGHT[mine]
    ]
    assert upward == []


def test_what_is_imported_is_declared_as_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    declared = {re.split(r"[^\w.-]", one)[0].lower().replace("_", "-") for one in wanted}
    brought = {
        "azure": "azure-identity",
        "botocore": "boto3",
        "lark": "python-hcl2",
        "markupsafe": "jinja2",
    }  # by what is declared
    distributions = packages_distributions()
    undeclared = {
        f"{name_of(path)} imports {top}"
        for path in modules()
        for target in imported(path)
        if (top := target.split(".")[0]) not in {*sys.stdlib_module_names, "agent"} and not top.startswith("mypy_boto3")
        for one in {brought.get(top, "") or one.lower().replace("_", "-") for one in distributions.get(top, [top])}
        if one not in declared
    }
    assert undeclared == set()
    assert len(declared) > 20


def test_the_model_imports_nothing_of_ours() -> None:
    outside = {name for path in modules(AGENT / "model") for name in imported(path) if name.startswith("agent.")}
    assert {name for name in outside if not name.startswith("agent.model.")} == set()


def test_the_line_is_pure() -> None:
    reached = [
        f"{name_of(path)} imports {name}"
        for path in modules()
        if unit_of(path) in PURE
        for name in imported(path)
        if name.split(".")[0] not in {*HARMLESS, "agent"} and not (unit_of(path) == "rules" and name == "pathlib.Path")
    ]
    assert reached == []


METHODS = {
    *("now", "utcnow", "today", "environ", "getenv", "read_text", "read_bytes", "write_text", "write_bytes"),
    *("iterdir", "is_dir", "is_file", "exists", "mkdir", "unlink"),
}


def test_the_line_asks_no_clock_no_file_and_no_environment() -> None:
    asked = [
        f"{name_of(path)}:{node.lineno}"
        for path in modules()
        if unit_of(path) in PURE and unit_of(path) != "rules"
        for node in nodes(path)
        if (isinstance(node, ast.Attribute) and node.attr in METHODS)
        or (isinstance(node, ast.Name) and node.id in ("open", "environ", "getenv"))
    ]
    assert asked == []


def test_only_the_configuration_reads_the_environment() -> None:
    readers = {
        name_of(path)
        for path in modules()
        for node in nodes(path)
        if (isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv", "putenv"))
        or (isinstance(node, ast.alias) and node.name in ("environ", "environb", "getenv", "putenv"))
    }
    assert readers == {"agent/config.py"}


# --- size and manner -----------------------------------------------------------------------------------------


def test_modules_have_at_most_400_lines() -> None:
    lines = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {name: count for name, count in lines.items() if count > 400} == {}


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function; a text of several lines counts as one."""
    texts = [n for n in ast.walk(function) if isinstance(n, ast.Constant | ast.JoinedStr) and n.end_lineno]
    inside = {line for text in texts for line in range(text.lineno + 1, (text.end_lineno or 0) + 1)}
    return (function.end_lineno or 0) - function.lineno + 1 - len(inside)


def test_functions_have_at_most_50_lines() -> None:
    long = {
        f"{name_of(path)}:{node.name}": length(node)
        for path in modules()
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > 50
    }
    assert long == {}


def test_no_exception_is_caught_blindly() -> None:
    """`except Exception` stands once, in the daemon's loop."""
    blind = [
        name_of(path)
        for path in modules()
        for node in nodes(path)
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or {"Exception", "BaseException"} & {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)}
        )
    ]
    assert blind == ["agent/daemon/loop.py"]


def test_nothing_prints() -> None:
    printing = [
        f"{name_of(path)}:{node.lineno}"
        for path in modules()
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "pprint")
    ]
    assert printing == []


def test_the_type_checker_is_not_silenced() -> None:
    comment = re.compile(r"#\s*type:\s*" + "ignore")
    assert [name_of(path) for path in ours() if comment.search(path.read_text(encoding="utf-8"))] == []


def test_the_linter_is_silenced_only_with_a_reason() -> None:
    comment = re.compile(r"#\s*no" + r"qa(?!: [A-Z]+[0-9]+(?:, [A-Z]+[0-9]+)*\s+\S)")
    silent = [
        f"{name_of(path)}:{number}"
        for path in ours()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if comment.search(line)
    ]
    assert silent == []


def test_names_say_something() -> None:
    said = {path.stem for path in modules()} | {path.parent.name for path in modules()}
    assert said & NAMES_THAT_SAY_NOTHING == set()


def test_there_are_no_abstract_classes() -> None:
    assert [name_of(path) for path in modules() if "abc" in {name.split(".")[0] for name in imported(path)}] == []


def test_every_module_says_what_it_is() -> None:
    assert [name_of(path) for path in ours() if tree(path).body and not ast.get_docstring(tree(path))] == []
    assert [name_of(path) for path in modules() if not tree(path).body] == []


def test_every_public_function_and_class_says_what_it_does() -> None:
    silent = [
        f"{name_of(path)}:{node.name}"
        for path in modules()
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_values_of_the_model_are_frozen_and_slotted() -> None:
    kinds = [kind for kind in vars(agent.model).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)]
    assert len(kinds) > 20
    loose = [k.__name__ for k in kinds if not (k.__dataclass_params__.frozen and "__slots__" in vars(k))]
    assert loose == []


# --- one file, one thing -------------------------------------------------------------------------------------


def test_a_resource_file_is_named_as_terraform_names_its_type() -> None:
    names = [module.name for module in pkgutil.iter_modules(resources.__path__)]
    assert [name for name in names if not re.fullmatch(r"aws_[a-z0-9]+(_[a-z0-9]+)*", name)] == []
    for name in names:
        assert isinstance(importlib.import_module(f"agent.resources.{name}").SPEC, Spec)
    assert list(resources.load()) == names
    named = {
        other
        for spec in resources.load().values()
        for other in (spec.same_as, spec.parent.type if spec.parent else "", *(inline.type for inline in spec.inline))
    }
    assert named - {""} <= set(names)


def test_a_rule_file_is_named_as_its_rule() -> None:
    files = sorted(set((ROOT / "rules").glob("*.yaml")) - {ROOT / "rules" / "risk.yaml"})
    assert {path.stem: YAML(typ="safe").load(path)["id"] for path in files} == {path.stem: path.stem for path in files}
    assert len(files) >= 8


def test_a_command_is_named_as_its_file() -> None:
    for path in sorted((AGENT / "cli").glob("[a-z]*.py")):
        # `except` is a keyword, and no module's name.
        assert importlib.import_module(f"agent.cli.{path.stem}").command.name == path.stem.removesuffix("_")


def test_what_ships_is_there() -> None:
    assert json.loads((ROOT / "docs" / "scan.schema.json").read_text())["$id"] == "driftwarden/scan/1"


# --- nothing of one machine ----------------------------------------------------------------------------------

MACHINE = re.compile("(?<![A-Za-z0-9_.*}~-])/" + r"(?:work|opt|root|home)/(?!<)")
"""Folders of somebody's machine. In `systemd/` and `docs/` such paths may be examples."""


def test_no_path_of_one_machine_is_written_down() -> None:
    found = []
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if IGNORED & set(parts) or parts[0] in ("systemd", "docs") or not path.is_file():
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [f"{name_of(path)}:{number}" for number, line in enumerate(lines, 1) if MACHINE.search(line)]
    assert found == []


@pytest.mark.parametrize(
    ("text", "is_one"), [("/wo" + "rk/main", True), ("a/wo" + "rk/b", False), ("x=/ro" + "ot/y", True)]
)
def test_what_a_path_of_one_machine_is(text: str, is_one: bool) -> None:
    assert bool(MACHINE.search(text)) is is_one
