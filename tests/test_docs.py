"""The pages say what is so: generated ones are current, names in them exist, examples in them work."""

import importlib
import importlib.util
import json
import re
import types
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import click
import jmespath
import msgspec
import pytest
import test_change_classes
from click.testing import CliRunner
from msgspec import inspect
from ruamel.yaml import YAML

import agent
from agent import authorise, cli, config, run
from agent.live.policy import actions
from agent.model import OUTCOMES, Touch
from agent.resources import Spec
from agent.rules import check_rules, load_rules
from agent.trail.targets import Targets

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
DOCS = tuple(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))
CODE = re.compile(r"`([^`]+)`")
FOLDERS = ("agent", "rules", "tests", "docs", "scripts", "benchmarks", ".ci")


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def parts(page: str) -> Iterator[tuple[str, str]]:
    """(language, content) of each block of code; what stands between them has the language `prose`."""
    language, lines = "prose", list[str]()
    for line in text(page).splitlines(keepends=True):
        if line.startswith("```"):
            yield language, "".join(lines)
            language, lines = (line[3:].strip() if language == "prose" else "prose"), []
        else:
            lines.append(line)
    yield language, "".join(lines)


def prose(page: str) -> str:
    return "\n".join(blocks(page, "prose"))


def blocks(page: str, language: str) -> list[str]:
    return [content for name, content in parts(page) if name == language]


def section(page: str, heading: str) -> str:
    """What stands below a heading, up to the next of its level or above."""
    level = heading.partition(" ")[0]
    _, found, rest = text(page).partition(f"\n{heading}\n")
    assert found, f"{page} has no {heading}"
    return re.split(rf"^#{{1,{len(level)}}} ", rest, flags=re.MULTILINE)[0]


def rows(part: str) -> list[list[str]]:
    """The cells of all tables in it, without heads."""
    lines = [line for line in part.splitlines() if line.startswith("|")]
    rules = [number for number, line in enumerate(lines) if set(line) <= set("|-")]
    heads = {number - 1 for number in rules}
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for number, line in enumerate(lines)
        if number not in heads and number not in rules
    ]


def code(cell: str) -> str:
    found = CODE.search(cell)
    return found[1] if found else ""


def generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "scripts" / "generate_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", generator().PAGES)
def test_a_generated_page_is_current(name: str) -> None:
    assert generator().PAGES[name]() == text(f"docs/{name}"), "run `make docs`"


# --- what the pages name ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [*PAGES, *DOCS])
def test_files_that_a_page_names_are_there(page: str) -> None:
    named = [name for name in CODE.findall(prose(page)) if re.fullmatch(rf"({'|'.join(FOLDERS)})/[\w./-]*", name)]
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", [*PAGES, *DOCS])
def test_links_lead_somewhere(page: str) -> None:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        target, _, anchor = link.partition("#")
        if "://" in link:
            continue
        file = (ROOT / page).parent / target if target else ROOT / page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            dead.append(link)
    assert dead == []


def anchors(file: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


MODULES = {path.stem for path in (ROOT / "agent").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}


def dotted(page: str) -> list[str]:
    """Names of ours in it, as `compare.compare` or `agent.store.ledger`."""
    found = (name.removeprefix("agent.") for name in CODE.findall(prose(page)))
    names = (name for name in found if re.fullmatch(r"[a-z_]+(\.\w+)+", name))
    return [name for name in names if name.partition(".")[0] in MODULES]


def exists(name: str) -> bool:
    """Whether the longest importable beginning of the name has the rest as an attribute."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            module = importlib.import_module(".".join(["agent", *parts[:cut]]))
            reduce(getattr, parts[cut:], module)
        except (ModuleNotFoundError, AttributeError):
            continue
        return True
    return False


@pytest.mark.parametrize(("page", "least"), [("README.md", 0), ("ARCHITECTURE.md", 40), ("CONTRIBUTING.md", 5)])
def test_functions_that_a_page_names_exist(page: str, least: int) -> None:
    named = dotted(page)
    assert [name for name in named if not exists(name)] == []
    assert len(named) >= least


def test_a_name_that_is_not_there_is_noticed() -> None:
    assert [exists(name) for name in ("compare.compare", "compare.contrast", "live.aws.read", "live.gcp.read")] == [
        True,
        False,
        True,
        False,
    ]


# --- README ----------------------------------------------------------------------------------------------------


def test_the_help_in_the_readme_is_what_the_command_prints() -> None:
    (shown,) = [block for block in blocks("README.md", "") if block.startswith("$ driftwarden --help\n")]
    # Of 80 columns click leaves two empty.
    said = CliRunner().invoke(cli.main, ["--help"], prog_name="driftwarden", terminal_width=78)
    assert shown == f"$ driftwarden --help\n{said.output}"


def test_commands_that_the_pages_show_exist() -> None:
    assert isinstance(cli.main, click.Group)
    commands = set(cli.main.list_commands(click.Context(cli.main)))
    for page in (*PAGES, *DOCS):
        used = set(re.findall(r"(?:^\$ |`)driftwarden ([a-z]+)", text(page), flags=re.MULTILINE))
        assert used <= commands, page


def test_exit_codes_are_those_of_a_scan() -> None:
    documented = {
        int(cells[0]): cells[1].split(":")[0].split(" ")[0] for cells in rows(section("README.md", "## Exit codes"))
    }
    assert documented == {code: str(status) for status, code in run.EXIT.items()} | {run.MISUSE: "misuse"}


def test_make_targets_that_the_pages_name_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), flags=re.MULTILINE))
    used = {name for page in PAGES for name in re.findall(r"(?:^|`)make ([a-z-]+)", text(page), flags=re.MULTILINE)}
    assert used
    assert used <= targets


def test_the_changelog_knows_the_version() -> None:
    assert agent.__version__ in text("CHANGELOG.md")


# --- verdicts --------------------------------------------------------------------------------------------------


def test_tests_paths_and_outcomes_are_documented() -> None:
    page = "docs/verdicts.md"
    assert tuple(code(cells[0]) for cells in rows(section(page, "## Tests"))) == authorise.TESTS
    paths = {code(cells[0]): tuple(CODE.findall(cells[1])) for cells in rows(section(page, "## Paths"))}
    assert paths == dict(authorise.PATHS)
    outcomes = section(page, "## Outcomes")
    assert {code(cells[0]) for cells in rows(outcomes)} <= set(OUTCOMES)
    assert set(OUTCOMES) <= set(CODE.findall(outcomes))


def test_change_classes_are_as_their_tests_say() -> None:
    said = {
        int(cells[0]): cells[3].startswith("yes") for cells in rows(section("docs/verdicts.md", "## Change classes"))
    }
    assert said == dict.fromkeys(test_change_classes.CLASSES, True)
    assert f"All {len(said)} [change classes]" in text("README.md")


# --- configuration ---------------------------------------------------------------------------------------------

CONFIGURATION = "docs/configuration.md"
CONFIG = inspect.type_info(config.Config)
HIDDEN = (*config.SET_BY_LOAD, "systems")
"""Fields of `Config` that are no keys of the file."""


def tables() -> Iterator[tuple[str, list[inspect.Field]]]:
    """(heading, keys) of each table of the configuration file, those of ticket systems too."""
    yield from tables_of(CONFIG, "")
    for name, settings in config.ticket_systems().items():
        yield from tables_of(inspect.type_info(settings), f"[tickets.{name}]")


def tables_of(struct: Any, path: str) -> Iterator[tuple[str, list[inspect.Field]]]:
    keys = [field for field in struct.fields if nested(field.type) is None and field.name not in HIDDEN]
    if path:
        yield path, keys
    for field in struct.fields:
        inner = nested(field.type)
        if inner is not None:
            name = f"{path.strip('[]')}.{field.name}".strip(".")
            yield from tables_of(inner, f"[[{name}]]" if isinstance(field.type, inspect.VarTupleType) else f"[{name}]")


def nested(of: inspect.Type) -> inspect.StructType | None:
    """The struct that a type is, may be, or lists."""
    inside = of.types if isinstance(of, inspect.UnionType) else (getattr(of, "item_type", of),)
    return next((one for one in inside if isinstance(one, inspect.StructType)), None)


def default(field: inspect.Field) -> str:
    """As TOML writes it."""
    if field.required:
        return "required"
    value = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    return "none" if value is None else f"`{json.dumps(value)}`"


DURATIONS = ("lookback", "keep", "tolerance", "grace", "document_within", "offline_within", "longest")


def kind(field: inspect.Field) -> str:
    match field.type:
        case inspect.StrType() | inspect.LiteralType():
            return "duration" if field.name in DURATIONS else "text"
        case inspect.UnionType(types=(inspect.IntType(), inspect.NoneType())):
            return "number"
        case inspect.UnionType(types=(inspect.StrType(), inspect.VarTupleType())):
            return "text, or list of text"
        case inspect.IntType():
            return "number"
        case inspect.BoolType():
            return "true or false"
        case inspect.VarTupleType():
            return "list of text"
        case inspect.DictType():
            return "table"
    raise AssertionError(f"{field.name}: no word for {field.type}")


def test_every_table_is_documented_and_no_other() -> None:
    headings = re.findall(r"^## `(\[.+\])`$", text(CONFIGURATION), flags=re.MULTILINE)
    assert sorted(headings) == sorted(heading for heading, _ in tables())


@pytest.mark.parametrize(("heading", "keys"), [pytest.param(*table, id=table[0]) for table in tables()])
def test_every_key_is_documented_with_its_type_and_default(heading: str, keys: list[inspect.Field]) -> None:
    documented = {code(cells[0]): (cells[1], cells[2]) for cells in rows(section(CONFIGURATION, f"## `{heading}`"))}
    assert documented == {field.name: (kind(field), default(field)) for field in keys}


def test_the_example_configuration_works_and_shows_every_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = (
        "ROUNDUP_PASSWORD",
        "JIRA_TOKEN",
        "SERVICENOW_PASSWORD",
        "GITHUB_TOKEN",
        "GITLAB_TOKEN",
        "REDMINE_KEY",
        "SMTP_PASSWORD",
    )
    for name in secrets:
        monkeypatch.setenv(name, "s3cret")
    (example,) = [block for block in blocks(CONFIGURATION, "toml") if "[estate]" in block]
    file = tmp_path / "driftwarden.toml"
    file.write_text(example)
    loaded = config.load(file)
    assert loaded.tickets.systems["roundup"].password == "s3cret"
    missing = [
        f"{heading} {field.name}"
        for heading, keys in tables()
        for field in keys
        if not re.search(rf"^{field.name} = |^\[{heading.strip('[]')}\.{field.name}\]", example, flags=re.MULTILINE)
    ]
    assert missing == []


# --- the policy ------------------------------------------------------------------------------------------------


def test_the_policy_only_reads_and_fits() -> None:
    policy = json.loads(text("docs/iam-policy.json"))
    allowed = [
        action
        for statement in policy["Statement"]
        if statement["Effect"] == "Allow"
        for action in (statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]])
    ]
    assert [one for one in allowed if not re.fullmatch(r"[a-z0-9-]+:(Get|List|Describe|Lookup)\w+", one)] == []
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html, without white space
    assert len(json.dumps(policy, separators=(",", ":"))) <= 6144


# --- CONTRIBUTING's examples -----------------------------------------------------------------------------------


def example_spec() -> Spec:
    (source,) = blocks("CONTRIBUTING.md", "python")
    module = types.ModuleType("aws_ecr_repository")
    exec(compile(source, "CONTRIBUTING.md", "exec"), module.__dict__)
    spec: Spec = module.SPEC
    return spec


def test_the_example_of_a_resource_type_can_be_read() -> None:
    spec = example_spec()
    item = {
        "repositoryName": "shop",
        "repositoryArn": "arn:aws:ecr:eu-west-1:123456789012:repository/shop",
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
        "Tags": [{"Key": "team", "Value": "payments"}],
    }
    paths = {**spec.names, **{attribute.name: attribute.path for attribute in spec.attributes}}
    assert {name: jmespath.search(str(path), item) for name, path in paths.items()} == {
        "name": "shop",
        "arn": item["repositoryArn"],
        "image_tag_mutability": "IMMUTABLE",
        "image_scanning_configuration": [{"scan_on_push": True}],
        "tags_all": item["Tags"],
    }
    assert actions({"aws_ecr_repository": spec}) == ("ecr:DescribeRepositories", "ecr:ListTagsForResource")


def test_the_example_of_a_resource_type_understands_its_calls() -> None:
    targets = Targets({"aws_ecr_repository": example_spec()}, b"install key")
    asked = {"repositoryName": "shop", "imageScanningConfiguration": {"scanOnPush": False}}
    record: Mapping[str, Any] = {"requestParameters": asked, "recipientAccountId": "123456789012"}
    assert targets.of("ecr.amazonaws.com", "PutImageScanningConfiguration", record) == (
        Touch("aws_ecr_repository", ("shop",), "update", {"image_scanning_configuration": [{"scan_on_push": False}]}),
    )


def test_the_example_of_a_rule_holds(tmp_path: Path) -> None:
    (source,) = blocks("CONTRIBUTING.md", "yaml")
    name = YAML(typ="safe").load(source)["id"]
    (tmp_path / f"{name}.yaml").write_text(source)
    (rule,) = [rule for rule in load_rules([tmp_path]) if rule.id == name]
    assert [one for one in check_rules([rule]) if not one.passed] == []
    assert len(rule.examples) == 2
