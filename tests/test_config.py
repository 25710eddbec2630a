"""`driftwarden.toml`: a mistake names its line, what stands there and what would be right, and repeats no secret."""

import hashlib
import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest

from agent import authorise
from agent.config import Account, Config, ConfigError, PathName, TestName, aws_environment, duration, environment, load

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str) -> Path:
        path = tmp_path / "driftwarden.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def mistake(path: Path) -> str:
    """What is said of the file, without its folder."""
    with pytest.raises(ConfigError) as error:
        load(path)
    return str(error.value).replace(f"{path.parent}/", "")


PIPELINE = '[[authority.pipeline]]\nname = "deploy"\nrole = "arn:aws:iam::1:role/deploy"\n'
STACK = '[[stack]]\nname = "a"\n'

MISTAKES = [
    # unknown names
    (
        '[estate]\nname = "x"\nowner = "y"\n',
        "3: estate.owner: unknown field 'owner'; known here: name, complete, known_states",
    ),
    ("[[account]]\nregoins = []\n", "2: account[0].regoins: unknown field 'regoins'; did you mean 'regions'?"),
    (
        '[[stack]]\nname = "a"\ndir = "a"\n[[stack]]\nname = "b"\ndri = "b"\n',
        "6: stack[1].dri: unknown field 'dri'; did you mean 'dir'?",
    ),
    ("\n[[stacks]]\n", "2: stacks: unknown field 'stacks'; did you mean 'stack'?"),
    (
        "[tickets]\n[tickets.regster]\n",
        "2: tickets.regster: unknown field 'regster'; did you mean 'register'?",
    ),
    ('[tickets.roundup]\nurl = ""\nusr = ""\n', "3: tickets.roundup.usr: unknown field 'usr'; did you mean 'user'?"),
    ("tickets = { register = { pth = 'x' } }\n", "1: tickets.register.pth: unknown field 'pth'; did you mean 'path'?"),
    (f"{PIPELINE}roles = 1\n", "4: authority.pipeline[0].roles: unknown field 'roles'; did you mean 'role'?"),
    ('base = "/"\n', "1: base: unknown field 'base'"),
    ('\nsha256 = ""\n', "2: sha256: unknown field 'sha256'"),
    # missing and wrong values
    ('[[stack]]\nname = "a"\n', "1: stack[0]: Object missing required field `dir`"),
    ("[[stack]]\nname = 1\n", "2: stack[0].name: Expected `str`, got `int`"),
    ("[estate]\nname = [\n  1\n]\n", "2: estate.name: Expected `str`, got `array`"),
    ("[estate]\n[stack]\n", "2: stack: Expected `array`, got `object`"),
    ("# x\n[[account]]\nregions = 'us-east-1'\n", "3: account[0].regions: Expected `array`, got `str`"),
    ("[[account]]\nregions = []\n", "2: account[0].regions: Expected `array` of length >= 1"),
    ("account = []\n", "1: account: Expected `array` of length >= 1"),
    ("[[account]]\nid = '1234'\n", "2: account[0].id: Expected `str` matching regex '^(\\\\d{12})?$'"),
    ("[authority]\napprovals = -1\n", "2: authority.approvals: Expected `int` >= 0"),
    ("[authority.people]\n'dana@x' = 1\n", "1: authority.people[...]: Expected `str`, got `int`"),
    # words
    ("[tickets]\nmode = 'fil'\n", "2: tickets.mode: 'fil' is not known; did you mean 'file'?"),
    ("[tickets]\nmode = 'x'\n", "2: tickets.mode: 'x' is not known; known here: file, observe"),
    ("tickets.mode = 'on'\n", "1: tickets.mode: 'on' is not known; known here: file, observe"),
    ("[tickets]\nfile_to = 'jira'\n", "2: tickets.file_to: 'jira' has no [tickets.jira] table"),
    (
        "[authority.breakglass]\nremind = ['1h', 'soon']\n",
        "2: authority.breakglass.remind[1]: 'soon' is no duration; write for example 15m, 12h or 7d",
    ),
    (
        "[exceptions]\nlongest = 'ever'\n",
        "2: exceptions.longest: 'ever' is no duration; write for example 15m, 12h or 7d",
    ),
    (
        "[authority.paths]\nmanuel = ['actor']\n",
        "1: authority.paths: 'manuel' is not known; did you mean 'manual'?",
    ),
    (
        "[authority]\n[authority.paths]\nmanual = ['actor', 'tickets']\n",
        "2: authority.paths[...][1]: 'tickets' is not known; did you mean 'ticket'?",
    ),
    # what types cannot say
    ("[trail]\nlookback = '7 days'\n", "2: trail.lookback: '7 days' is no duration; write for example 15m, 12h or 7d"),
    (
        "[authority]\n\ntolerance = '-5m'\n",
        "3: authority.tolerance: '-5m' is no duration; write for example 15m, 12h or 7d",
    ),
    ("authority = { grace = '' }\n", "1: authority.grace: '' is no duration; write for example 15m, 12h or 7d"),
    (
        '[[stack]]\nname = "a"\ndir = "x"\n\n[[stack]]\ndir = "y"\nname = "a"\n',
        "7: stack[1].name: two stacks are named 'a'",
    ),
    (
        f"{STACK}repo = 'https://x/y.git'\ndir = 'git::https://x/y.git//z'\n",
        "3: stack[0].repo: the repository is in `dir` already; give one of the two",
    ),
    (
        f"{STACK}dir = 'x'\nref = 'main'\n",
        "4: stack[0].ref: belongs to a Git repository: give `repo`, or `dir` as git::URL//path",
    ),
    (
        f"{STACK}dir = 'x'\nrepo = '--upload-pack=x'\n",
        "4: stack[0].repo: begins with '-', which Git would take for an option",
    ),
    (
        f"{STACK}dir = 'x'\nhcl = false\nplan = 'plan.json'\n",
        "5: stack[0].plan: `hcl = false` says there is no code that it could be for",
    ),
    (
        f"{STACK}dir = 'x'\nworkspace = '../x'\n",
        "4: stack[0].workspace: no name of a workspace: letters, digits and . _ ~ $ & + = : @ - make one",
    ),
    (
        f"{STACK}dir = 'x'\n[stack.vars]\nwhen = [{{at = 2026-01-02}}]\n",
        "5: stack[0].vars.when: a date or time is no value of Terraform's; write it in quotes",
    ),
    (
        f"{STACK}dir = 'x'\ncommit = 'main'\n",
        "4: stack[0].commit: Expected `str` matching regex '^([0-9a-f]{7,64})?$'",
    ),
    (
        PIPELINE + "subject = 'x'\n" + PIPELINE,
        "5: authority.pipeline[1]: a role alone does not prove a pipeline: "
        "add subject, service, source_identity or source_ips",
    ),
    (
        f"{PIPELINE}service = 'CodeDeploy'\n",
        "4: authority.pipeline[0].service: Expected `str` matching regex "
        "'^([a-z0-9.-]+\\\\.amazonaws\\\\.com(\\\\.cn)?)?$'",
    ),
    (
        "[identities]\nfile = 'identities.yaml'\nidentity_center = 'arn:aws:sso:::instance/ssoins-1'\n",
        "3: identities.identity_center: Expected `str` matching regex "
        "'^(auto|d-[0-9a-f]{10}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$'",
    ),
    ("[identities]\nfiles = 'x'\n", "2: identities.files: unknown field 'files'; did you mean 'file'?"),
    (
        f"{PIPELINE}source_ips = ['192.0.2.0/24', '10.0.0.1/8']\n",
        "4: authority.pipeline[0].source_ips[1]: 10.0.0.1/8 has host bits set; write for example 203.0.113.0/24",
    ),
    (
        "[authority]\nticket_patterns = [\n  'CHG-[0-9]+',\n  'CHG-(',\n]\n",
        "2: authority.ticket_patterns[1]: 'CHG-(': missing ), unterminated subpattern at position 4",
    ),
    (
        "[tickets]\nfile_to = 'roundup'\n[tickets.register]\n",
        "2: tickets.file_to: 'roundup' has no [tickets.roundup] table",
    ),
    (
        "[tickets]\nmode = 'file'\n",
        "2: tickets.mode: 'file' files cases into a ticket system: add its table, such as [tickets.register]",
    ),
    (
        "[tickets]\nmode = 'file'\n[tickets.register]\n[tickets.roundup]\nurl=''\nuser=''\npassword=''\n",
        "2: tickets.mode: 'file' files cases into a ticket system: say which system gets the cases with file_to",
    ),
    # references
    ("[estate]\nname = '${env:NO_SUCH_NAME}'\n", "2: estate.name: the environment has no NO_SUCH_NAME"),
    ("[estate]\nname = '${file:no-such}'\n", "2: estate.name: ${file:no-such}: No such file or directory"),
    (
        "[estate]\nname = '${vault:x}'\n",
        "2: estate.name: ${vault:x}: a reference is ${env:NAME}, ${file:PATH} or ${cred:NAME}",
    ),
    (
        "[estate]\nname = '${cred:x}'\n",
        "2: estate.name: ${cred:x}: CREDENTIALS_DIRECTORY is not set; systemd does with LoadCredential=",
    ),
    ("[rules]\ndirs = ['a', '${env:NO_SUCH_NAME}']\n", "2: rules.dirs[1]: the environment has no NO_SUCH_NAME"),
    # no TOML at all
    ("[estate]\nname = \n", "2: not TOML: Invalid value: name ="),
    ("[estate]\nname = 'x'\nname = 'y'\n", "3: not TOML: Cannot overwrite a value: name = 'y'"),
    ('[estate]\nname = """x\n', '2: not TOML: Unterminated string: name = """x'),
    ("[estate\n", "1: not TOML: Expected ']' at the end of a table declaration: [estate"),
    ("﻿[estate]\n", "1: not TOML: Invalid statement: ﻿[estate]"),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES, ids=[said[:60] for _, said in MISTAKES])
def test_a_mistake_names_line_and_remedy(text: str, said: str, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert mistake(write(text)) == f"driftwarden.toml:{said}"


def test_an_empty_file_is_a_configuration(write: Write) -> None:
    config = load(write(""))
    assert (config.stack, config.account, config.tickets.mode) == ((), (Account(),), "observe")


def test_a_stack_says_where_its_code_is_and_what_it_is_given(write: Write) -> None:
    config = load(
        write(
            f"{STACK}dir = 'live/shop'\nrepo = 'https://git.acme.example/live.git'\nref = 'main'\nkey = 'deploy-key'\n"
            "[stack.vars]\nzones = ['a', 'b']\nsizes = { small = 1, large = true }\n"
        )
    )
    (stack,) = config.stack
    assert stack.vars == {"zones": ["a", "b"], "sizes": {"small": 1, "large": True}}
    assert (stack.repo, stack.ref, stack.hcl) == ("https://git.acme.example/live.git", "main", True)
    assert (config.estate.complete, config.estate.known_states) == (False, ())


@pytest.mark.parametrize("store", ["", "auto", "d-1234567890", "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"])
def test_who_is_who_is_asked_where_it_is_said(store: str, write: Write) -> None:
    config = load(write(f"[identities]\nidentity_center = '{store}'\norganizations = true\n"))
    assert (config.identities.identity_center, config.identities.organizations) == (store, True)
    assert (config.identities.file, config.identities.region, config.identities.role_arn) == ("", "", "")


def test_a_service_of_aws_may_be_a_pipelines_proof(write: Write) -> None:
    (pipeline,) = load(write(f"{PIPELINE}service = 'codedeploy.amazonaws.com'\n")).authority.pipeline
    assert pipeline.service == "codedeploy.amazonaws.com"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "driftwarden.toml"
    assert mistake(path) == "driftwarden.toml: no such file; `driftwarden init` writes one"
    path.mkdir()
    assert mistake(path) == "driftwarden.toml: Is a directory"


def test_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "driftwarden.toml"
    path.write_bytes(b"[estate]\nname = '\xe9'\n")
    assert mistake(path) == "driftwarden.toml:2: not UTF-8 at byte 17 of the file"


def test_the_configuration_knows_the_paths_and_tests_of_the_line() -> None:
    assert get_args(PathName) == tuple(authorise.PATHS)
    assert get_args(TestName) == authorise.TESTS


# --- references ----------------------------------------------------------------------------------------------


def test_references_are_replaced(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "url").write_text("https://tracker.example\n")
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "password").write_text("hunter2")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    monkeypatch.setenv("ROUNDUP_USER", "drift")
    monkeypatch.chdir("/")
    text = "[tickets.roundup]\nurl = '${file:secrets/url}/demo/'\nuser = '${env:ROUNDUP_USER}-${env:ROUNDUP_USER}'\n"
    roundup = load(write(text + "password = '${cred:password}'\n")).tickets.systems["roundup"]
    assert roundup is not None
    assert (roundup.url, roundup.user, roundup.password) == ("https://tracker.example/demo/", "drift-drift", "hunter2")


def test_a_referenced_file_that_is_no_text(write: Write, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    assert (
        mistake(write("[estate]\nname = '${file:key}'\n")) == "driftwarden.toml:2: estate.name: ${file:key}: not UTF-8"
    )


SECRET = "canary-41c7-hunter2"


@pytest.mark.parametrize(
    "text",
    [
        "[trail]\nlookback = '${env:SECRET}'\n",
        "[tickets]\nmode = '${env:SECRET}'\n",
        "[authority]\nticket_patterns = ['(${env:SECRET}']\n",
        "[authority.paths]\nmanual = ['${env:SECRET}']\n",
        "[[stack]]\nname = '${env:SECRET}'\ndir = ''\n[[stack]]\nname = '${env:SECRET}'\ndir = ''\n",
        f"{PIPELINE}source_ips = ['${{env:SECRET}}']\n",
        "[[account]]\nid = '${env:SECRET}'\n",
    ],
)
def test_a_mistake_shows_the_reference_and_not_the_secret(
    text: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", SECRET)
    said = mistake(write(text))
    assert SECRET not in said
    assert re.match(r"driftwarden\.toml:\d+: ", said)


def test_a_secret_elsewhere_in_the_file_does_not_hide_the_message(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", SECRET)
    monkeypatch.setenv("EMPTY", "")
    text = "[tickets.roundup]\nurl = '${env:EMPTY}'\nuser = ''\npassword = '${env:SECRET}'\n[trail]\nlookback = '1'\n"
    assert mistake(write(text)) == (
        "driftwarden.toml:6: trail.lookback: '1' is no duration; write for example 15m, 12h or 7d"
    )


def test_the_environment_is_no_part_of_the_digest(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("[estate]\nname = '${env:SECRET}'\n")
    monkeypatch.setenv("SECRET", "one")
    one = load(path)
    monkeypatch.setenv("SECRET", "two")
    assert (one.estate.name, load(path).estate.name) == ("one", "two")
    assert one.sha256 == load(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


# --- paths ---------------------------------------------------------------------------------------------------


def test_paths_are_relative_to_the_file(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("")
    monkeypatch.chdir(tmp_path.parent)
    config = load(Path(tmp_path.name) / "driftwarden.toml")
    assert config.path("infra/x") == tmp_path / "infra/x"
    assert config.path("/srv/x") == Path("/srv/x")


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("sqlite:///driftwarden.db", "sqlite:///{here}/driftwarden.db"),
        ("sqlite:///state/x.db", "sqlite:///{here}/state/x.db"),
        ("sqlite:////srv/x.db", "sqlite:////srv/x.db"),
        ("postgresql:///drift", "postgresql:///drift"),
        ("postgresql://drift@host/drift", "postgresql://drift@host/drift"),
        ("nonsense", "nonsense"),
    ],
)
def test_the_url_of_the_store(url: str, opened: str, write: Write, tmp_path: Path) -> None:
    assert load(write(f"[store]\nurl = '{url}'\n")).store_url() == opened.format(here=tmp_path)


# --- the rest ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
        ("0m", timedelta()),
    ],
)
def test_durations(text: str, length: timedelta) -> None:
    assert duration(text) == length


@pytest.mark.parametrize("text", ["", "15", "m", "1.5h", "15 m", "-1d", "1w", "1000000d", "٣m", "15m\n"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration; write for example 15m, 12h or 7d"):
        duration(text)


def test_aws_variables_are_replaced_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with aws_environment({"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x"}):
        inside = {name: value for name, value in environment().items() if name.startswith("AWS_")}
    after = {name: value for name, value in environment().items() if name.startswith("AWS_")}
    assert inside == {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x"}
    assert after == {"AWS_PROFILE": "mine", "AWS_REGION": "eu-west-1"}


def test_a_configuration_can_be_made_without_a_file() -> None:
    assert Config(account=(Account("123456789012", ("eu-west-1",)),)).path("x") == Path("x")
