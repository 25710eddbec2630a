"""The command line: every command answers, fast where it only explains itself, and data goes to stdout alone."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from small_estate import OURS, Estate

from agent import __version__
from agent.cli import main
from agent.config import load

COMMANDS = (
    *("baseline", "breakglass", "cases", "check", "daemon", "db", "declared", "demo", "except", "findings", "init"),
    *("plan", "replay", "report", "rules", "scan", "status", "trail", "why"),
)
HEAVY = ("boto3", "botocore", "sqlalchemy", "moto", "jinja2", "hcl2", "lark", "deepdiff", "apscheduler", "httpx2")


def called(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


# --- help ----------------------------------------------------------------------------------------------------


def test_help_reads_few_modules() -> None:
    """What help costs is what it imports: 122 modules on 2026-11-27, 27 of them ours."""
    code = (
        "import sys\nbefore = {*sys.modules}\nfrom agent.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print(*({*sys.modules} - before), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    read = done.stderr.split()
    ours = [name for name in read if name.partition(".")[0] == "agent"]
    assert "agent.cli.scan" in ours
    assert [name for name in ours if not name.startswith(("agent.cli", "agent.control"))] == ["agent"]
    assert len(read) <= 150


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)])
def test_explaining_itself_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom agent.cli import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert done.stdout


def test_the_commands() -> None:
    assert isinstance(main, click.Group)
    assert tuple(main.list_commands(click.Context(main))) == COMMANDS
    shown = called("--help").output
    assert [
        line.split()[0]
        for line in shown.partition("Commands:")[2].splitlines()
        if line.startswith("  ") and line[2] != " "
    ] == [*COMMANDS]
    assert "Exit codes: 0 clean, 1 violations found, 2 misuse, 3 incomplete" in " ".join(shown.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_its_options(name: str) -> None:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    assert (found.name, bool(found.short_help), bool(found.help)) == (name, True, True)
    assert called(name, "-h").exit_code == 0
    options = [one for one in found.params if isinstance(one, click.Option)]
    unexplained = [one.name for one in options if not one.help and not isinstance(one.type, click.Choice)]
    assert set(unexplained) <= {"directory"}


def test_the_version() -> None:
    assert called("--version").output == f"driftwarden, version {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["scann"], ["_show"], ["scan", "--no-such"], ["scan", "--output", "xml"], ["rules", "x"]]
)
def test_misuse_is_exit_code_2(arguments: list[str]) -> None:
    done = called(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Error: " in done.stderr


@pytest.mark.parametrize("name", ["scan", "check", "findings", "report"])
def test_without_a_configuration(name: str, tmp_path: Path) -> None:
    path = tmp_path / "driftwarden.toml"
    done = subprocess.run(
        [sys.executable, "-c", "from agent.cli import main; main()", name, "-c", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"driftwarden: {path}: no such file; `driftwarden init` writes one\n"


# --- rules ---------------------------------------------------------------------------------------------------


def test_rules_as_a_table_and_as_json() -> None:
    shown, data = called("rules"), called("rules", "--output", "json")
    assert (shown.exit_code, data.exit_code) == (0, 0)
    names = [rule["id"] for rule in json.loads(data.stdout)]
    assert len(names) >= 8
    assert {"unticketed-change", "unmanaged-resource", "trail-gap"} <= set(names)
    assert set(json.loads(data.stdout)[0]) >= {"id", "title", "severity", "why", "fix", "controls", "examples"}
    assert all(name in shown.stdout.replace("\n", "") or name[:12] in shown.stdout for name in names)


RULE = """\
id: {name}
title: Odd
severity: low
stage: enforce
when: {{outcome: unauthorised}}
why: w
fix: f
controls: []
examples:
  - {{name: breaks, facts: {{outcome: {outcome}}}, violates: true}}
  - {{name: keeps, facts: {{outcome: authorised}}, violates: false}}
"""


def test_the_examples_of_rules(tmp_path: Path) -> None:
    done = called("rules", "test")
    assert (done.exit_code, "FAIL" in done.stdout) == (0, False)
    (tmp_path / "ours.yaml").write_text(RULE.format(name="ours", outcome="unauthorised"))
    assert called("rules", "test", "--dir", str(tmp_path)).exit_code == 0
    (tmp_path / "ours.yaml").write_text(RULE.format(name="ours", outcome="authorised"))
    done = called("rules", "test", "--dir", str(tmp_path))
    assert done.exit_code == 1
    assert [line.split()[:2] for line in done.stdout.splitlines() if "FAIL" in line] == [["FAIL", "ours"]]


def test_a_rule_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text(RULE.format(name="others", outcome="unauthorised"))
    done = called("rules", "--dir", str(tmp_path))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"driftwarden: {tmp_path}/ours.yaml:1: id 'others' in a file named 'ours'")


# --- init ----------------------------------------------------------------------------------------------------


def test_init_in_an_empty_directory(tmp_path: Path) -> None:
    path = tmp_path / "driftwarden.toml"
    done = called("init", "--dir", str(tmp_path))
    assert (done.exit_code, done.stdout) == (0, f"{path}: 0 stacks found. Next: driftwarden check\n")
    assert load(path).stack == ()


def test_init_finds_root_modules_and_overwrites_only_when_told(tmp_path: Path) -> None:
    path = tmp_path / "driftwarden.toml"
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "main.tf").write_text('provider "aws" {\n  region = "eu-west-1"\n}\n')
    assert called("init", "-d", str(tmp_path)).stdout == f"{path}: 1 stack found. Next: driftwarden check\n"
    assert [stack.dir for stack in load(path).stack] == ["shop"]
    path.write_text("# mine\n")
    done = called("init", "-d", str(tmp_path))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == f"driftwarden: {path} exists; --force overwrites it\n"
    assert path.read_text() == "# mine\n"
    assert called("init", "-d", str(tmp_path), "--force").exit_code == 0
    assert path.read_text() != "# mine\n"


def test_init_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "driftwarden.toml").mkdir()
    done = called("init", "-d", str(tmp_path), "--force")
    assert (done.exit_code, done.stderr) == (2, f"driftwarden: {tmp_path}/driftwarden.toml: Is a directory\n")
    assert called("init", "-d", str(tmp_path / "no")).exit_code == 2


# --- an estate -----------------------------------------------------------------------------------------------


def said(done: "subprocess.CompletedProcess[str]") -> list[str]:
    return done.stdout.splitlines()


def test_a_dry_run_prints_the_plan_and_a_scan_the_same(estate: Estate) -> None:
    estate.set_timeout(5)
    dry = estate.driftwarden("scan", "--dry-run", COLUMNS="250")
    assert (dry.returncode, dry.stderr, estate.tickets) == (1, "", [])
    nothing = called("findings", "-c", str(estate.config))
    assert (nothing.exit_code, nothing.stdout) == (2, "")
    assert nothing.stderr == "driftwarden: the store has no finished scan yet; run `driftwarden scan`\n"

    wet = estate.driftwarden("scan", COLUMNS="250")
    assert (wet.returncode, wet.stderr) == (1, "")
    assert len(estate.tickets) == 1
    assert said(wet)[0].startswith("3 of 3 declared resources compared (100 %), ")
    for shown in (dry.stdout, wet.stdout):
        assert "visibility_timeout_seconds" in shown
        assert "dana" in shown
        assert "violations found" in shown.splitlines()[-1]
    assert estate.tickets[0].stem in wet.stdout
    assert estate.tickets[0].stem not in dry.stdout

    check_findings(estate)
    check_report(estate)


def check_findings(estate: Estate) -> None:
    listed = called("findings", "-c", str(estate.config))
    assert (listed.exit_code, listed.stderr) == (0, "")
    assert "aws_sqs_queue.orders" in listed.stdout
    data = called("findings", "-c", str(estate.config), "--output", "json")
    (finding,) = json.loads(data.stdout)
    by_id, by_address = (
        called("findings", "-c", str(estate.config), name) for name in (finding["id"], "aws_sqs_queue.orders")
    )
    assert by_id.stdout == by_address.stdout
    assert finding["id"] in by_id.stdout
    assert "ticket" in by_id.stdout
    one: list[dict[str, Any]] = json.loads(
        called("findings", "-c", str(estate.config), finding["id"], "--output", "json").stdout
    )
    assert one == [finding]
    none = called("findings", "-c", str(estate.config), "F-000000000000")
    assert (none.exit_code, none.stdout) == (2, "")
    assert "has no finding 'F-000000000000'; `driftwarden findings` lists them" in none.stderr
    other = called("findings", "-c", str(estate.config), "--run", "no-such-run")
    assert (other.exit_code, other.stderr) == (2, "driftwarden: the store has no finished scan no-such-run\n")


def check_report(estate: Estate) -> None:
    done = called("report", "-c", str(estate.config))
    assert (done.exit_code, done.stderr) == (0, "")
    written = [Path(line) for line in done.stdout.splitlines()]
    assert sorted(path.name for path in written if path.name.startswith("latest")) == ["latest.html", "latest.md"]
    assert {path.parent for path in written} == {estate.folder / "reports"}
    assert "aws_sqs_queue.orders" in (estate.folder / "reports" / "latest.html").read_text()
    elsewhere = called("report", "-c", str(estate.config), "--out", str(estate.folder / "elsewhere"))
    assert (elsewhere.exit_code, len(list((estate.folder / "elsewhere").iterdir()))) == (0, 4)
    (estate.folder / "file").write_text("")
    blocked = called("report", "-c", str(estate.config), "--out", str(estate.folder / "file" / "below"))
    assert (blocked.exit_code, blocked.stdout) == (2, "")
    assert blocked.stderr.startswith(f"driftwarden: {estate.folder}/file/below: ")


def test_check_names_what_is_missing(estate: Estate) -> None:
    done = estate.driftwarden("check")
    assert (done.returncode, done.stderr) == (0, "")
    assert {line.split()[0] for line in said(done)} == {"ok"}
    estate.recorder.deny(OURS, "sns:*")
    data = estate.driftwarden("check", "--output", "json")
    assert data.returncode == 3
    wrong = [check for check in json.loads(data.stdout) if check["result"] != "ok"]
    assert [(check["name"], check["result"]) for check in wrong] == [("live 123456789012/us-east-1/sns", "failed")]
    assert "sns:ListTopics" in wrong[0]["said"]


def test_json_is_ascii_whatever_others_named_their_things(estate: Estate) -> None:
    """A terminal obeys U+009B, and a reader is misled by U+202E."""
    sqs = estate.client("dana", "sqs")
    with estate.recorder.paused():
        sqs.tag_queue(QueueUrl=estate.queue_url, Tags={"Team": "\u202eevil\u009b2J"})
    state = json.loads((estate.folder / "shop" / "terraform.tfstate").read_text())
    state["resources"][0]["instances"][0]["attributes"]["tags_all"] = {}
    (estate.folder / "shop" / "terraform.tfstate").write_text(json.dumps(state))
    try:
        data = estate.driftwarden("scan", "--output", "json")
        table = called("findings", "-c", str(estate.config))
    finally:
        with estate.recorder.paused():
            sqs.untag_queue(QueueUrl=estate.queue_url, TagKeys=["Team"])
    assert data.stdout.isascii()
    assert json.loads(data.stdout)["drifts"][0]["live"] == {"Team": "\u202eevil\u009b2J"}
    assert not {"\u202e", "\u009b"} & set(table.stdout)


def test_scanning_again_and_again(estate: Estate) -> None:
    done = estate.driftwarden("scan", "--watch", "soon")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "driftwarden: 'soon' is no duration; write for example 15m, 12h or 7d\n"
    estate.configure("[estate]\nnam = 1\n")
    done = estate.driftwarden("scan", "--watch", "1h")
    assert (done.returncode, done.stdout) == (2, "")
    assert "driftwarden.toml:2: estate.nam: unknown field 'nam'; did you mean 'name'?" in done.stderr


def test_the_console_command_is_installed() -> None:
    command = shutil.which("driftwarden", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("driftwarden is not installed beside this interpreter")
    assert subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout.endswith(
        f"{__version__}\n"
    )
