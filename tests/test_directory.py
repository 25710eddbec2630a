"""The identity map as it is read: the file's mistakes by line, AWS's answers by page, and both as one."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from agent.config import Config, ConfigError, IdentitiesConfig
from agent.directory import read, read_file
from agent.model import Directory, KnownAccount, Person

NOW = datetime(2026, 2, 3, 9, tzinfo=UTC)
STORE = "d-1234567890"
FILE = """\
people:
  - id: dana
    name: Dana Diaz
    principals: [dana@acme.example, "arn:aws:iam::*:user/dana"]
    groups: [payments]
    team: payments
    users: [ddiaz]
    valid_until: 2026-01-31
  - id: erik
    kind: contractor
    sponsor: lena
    principals:
      - erik@agency.example
    valid_from: 2026-01-01
    valid_until: 2026-06-30T17:00:00+02:00
  - id: ops
    kind: shared
    principals: [arn:aws:iam::111122223333:user/ops]
  - id: lena
accounts:
  - id: 111122223333
    name: payments
    email: aws+payments@acme.example
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def written(text: str) -> Path:
        path = tmp_path / "identities.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


Write = Callable[[str], Path]


def test_the_file(write: Write) -> None:
    people, accounts = read_file(write(FILE))
    assert [one.id for one in people] == ["dana", "erik", "ops", "lena"]
    dana, erik, ops, lena = people
    assert dana == Person(
        "dana",
        "Dana Diaz",
        "employee",
        ("dana@acme.example", "arn:aws:iam::*:user/dana"),
        ("payments",),
        "payments",
        valid_until=datetime(2026, 1, 31, 23, 59, 59, 999999, UTC),
        users=("ddiaz",),
        source="identities.yaml:2",
    )
    assert (erik.kind, erik.sponsor, erik.source) == ("contractor", "lena", "identities.yaml:9")
    assert erik.valid_from == datetime(2026, 1, 1, tzinfo=UTC)
    assert erik.valid_until == datetime(2026, 6, 30, 15, tzinfo=UTC)
    assert (ops.kind, lena.principals) == ("shared", ())
    expected = KnownAccount("111122223333", "payments", "aws+payments@acme.example", "identities.yaml:21")
    assert accounts == (expected,)


def test_the_example_of_the_documentation_is_one(write: Write) -> None:
    page = (Path(__file__).parent.parent / "docs" / "configuration.md").read_text(encoding="utf-8")
    (example,) = [block for block in page.split("```yaml\n")[1:] if block.startswith("people:")]
    people, accounts = read_file(write(example.partition("```")[0]))
    assert [(one.id, one.kind) for one in people] == [("dana", "employee"), ("deploy-robot", "service")]
    assert [one.name for one in accounts] == ["payments-production"]


def test_an_empty_file(write: Write) -> None:
    assert read_file(write("")) == ((), ())
    assert read_file(write("people:\naccounts: []\n")) == ((), ())


DANA = "people:\n- id: dana\n  principals: [dana]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("people:\n- nmae: x\n  id: x\n", "2: unknown field 'nmae'; did you mean 'name'?"),
        ("persons: []\n", "1: unknown field 'persons'; the identity map has people, accounts"),
        ("- id: x\n", "1: the identity map must be a mapping with fields people, accounts, not a list"),
        ("people: dana\n", "1: 'people' must be a list, not 'dana'"),
        ("people:\n- name: Dana\n", "2: a person needs an id, for example id: dana"),
        (
            "people:\n- id: d\n  kind: temp\n",
            "3: 'kind' must be employee, contractor, shared, service, not 'temp'",
        ),
        ("people:\n- id: d\n  kind: contractor\n", "2: a contractor needs a sponsor: who answers for d"),
        ("people:\n- id: d\n  kind: service\n", "2: a service needs a sponsor: who answers for d"),
        ("people:\n- id: d\n  principals: ['*']\n", "3: '*' would be everybody; write more of the name"),
        ("people:\n- id: d\n  principals: dana\n", "3: 'principals' must be a list, not 'dana'"),
        ("people:\n- id: d\n  valid_from: 2026-02-30\n", "3: 'valid_from': there is no 2026-02-30"),
        (
            "people:\n- id: d\n  valid_from: soon\n",
            "3: 'valid_from' must be a time such as 2026-11-22T10:00:00Z, not 'soon'",
        ),
        (
            "people:\n- id: d\n  valid_from: 2026-02-01\n  valid_until: 2026-01-31\n",
            "4: 'valid_until' must not be before 'valid_from'",
        ),
        (
            f"{DANA}- id: marco\n  principals: [DANA]\n",
            "4: principal 'DANA' is on line 2 as well, at the same time; let one end first",
        ),
        (
            f"{DANA}  valid_until: 2026-01-31\n- id: dora\n  principals: [dana]\n  valid_from: 2026-01-31\n",
            "5: principal 'dana' is on line 2 as well, at the same time; let one end first",
        ),
        (
            f"{DANA}- id: marco\n  users: [dana]\n",
            "4: user 'dana' is on line 2 as well, at the same time; let one end first",
        ),
        ("accounts:\n- id: 1234\n", "2: an account needs an id of 12 digits"),
        (
            "accounts:\n- id: 111122223333\n- id: 111122223333\n",
            "3: account 111122223333 stands on line 2 as well",
        ),
        ("people: [\n", "1: is not YAML: while parsing a flow node did not find expected node content"),
        ("people: &a\n- *a\n", "2: alias '*a' is not taken; write the value out"),
    ],
)
def test_a_mistake_names_its_line(text: str, said: str, write: Write) -> None:
    path = write(text)
    with pytest.raises(ConfigError) as error:
        read_file(path)
    assert str(error.value) == f"{path}:{said}"


def test_all_mistakes_are_told_at_once_within_reason(write: Write) -> None:
    path = write("people:\n" + "- name: x\n" * 30)
    with pytest.raises(ConfigError) as error:
        read_file(path)
    told = str(error.value).splitlines()
    assert len(told) == 21
    assert told[0].startswith(f"{path}:2: ")
    assert told[-1] == f"{path}: and 10 more"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"identities\.yaml: is not a regular file"):
        read_file(tmp_path / "identities.yaml")


def test_names_may_be_reused_when_people_leave(write: Write) -> None:
    later = "- id: dora\n  principals: [dana]\n  users: [dana]\n  valid_from: 2026-02-01\n"
    people, _ = read_file(write(f"{DANA}  valid_until: 2026-01-31\n{later}"))
    assert [one.id for one in people] == ["dana", "dora"]


# --- AWS, as moto plays it -----------------------------------------------------------------------------------


def config(tmp_path: Path, **fields: Any) -> Config:
    return Config(base=str(tmp_path), identities=IdentitiesConfig(**fields))


@pytest.mark.usefixtures("moto_reset")
def test_identity_center_and_organizations(aws_env: Mapping[str, str], tmp_path: Path, write: Write) -> None:
    session = boto3.Session()
    store = session.client("identitystore")
    ids = {}
    for name, mail in (("dana", "dana@acme.example"), ("erik", ""), ("zoe", "zoe@acme.example")):
        mails = {"Emails": [{"Value": mail, "Primary": True}]} if mail else {}
        asked = {"UserName": f"{name}@sso", "DisplayName": name.title(), **mails}
        made = store.create_user(IdentityStoreId=STORE, Name={"GivenName": name, "FamilyName": "X"}, **asked)
        ids[name] = made["UserId"]
    group = store.create_group(IdentityStoreId=STORE, DisplayName="admins")["GroupId"]
    store.create_group_membership(IdentityStoreId=STORE, GroupId=group, MemberId={"UserId": ids["zoe"]})
    store.create_group_membership(IdentityStoreId=STORE, GroupId=group, MemberId={"UserId": ids["dana"]})
    session.client("organizations").create_organization(FeatureSet="ALL")
    session.client("organizations").create_account(AccountName="payments", Email="p@acme.example")
    write("people:\n- id: d\n  principals: [dana@acme.example]\n  team: payments\n")

    asked = config(tmp_path, file="identities.yaml", identity_center=STORE, organizations=True)
    found = read(asked, session, NOW)
    assert found.unread == ()
    dana, erik, zoe = found.people
    assert (dana.id, dana.name, dana.team, dana.groups) == ("d", "Dana", "payments", ("admins",))
    assert dana.principals == ("dana@acme.example", "dana@sso", ids["dana"])
    assert dana.source == "identities.yaml:2"
    assert erik == Person(
        "erik@sso", "Erik", principals=("erik@sso", ids["erik"]), users=("erik@sso",), source=f"Identity Center {STORE}"
    )
    assert (zoe.groups, zoe.users) == (("admins",), ("zoe@sso", "zoe@acme.example"))
    (payments,) = [one for one in found.accounts.values() if one.name == "payments"]
    assert (payments.email, payments.source, len(payments.id)) == ("p@acme.example", "Organizations", 12)


@pytest.mark.usefixtures("moto_reset")
def test_the_only_instance_is_found_by_itself(aws_env: Mapping[str, str], tmp_path: Path) -> None:
    session = boto3.Session()
    (instance,) = session.client("sso-admin").list_instances()["Instances"]
    session.client("identitystore").create_user(
        IdentityStoreId=instance["IdentityStoreId"],
        UserName="dana",
        DisplayName="Dana",
        Name={"GivenName": "D", "FamilyName": "X"},
    )
    found = read(config(tmp_path, identity_center="auto"), session, NOW)
    assert [(one.id, one.source) for one in found.people] == [
        ("dana", f"Identity Center {instance['IdentityStoreId']}")
    ]


# --- AWS, as it answers on a bad day -------------------------------------------------------------------------


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator["Answers"]:
    """A server that answers each operation with the given pages, or refuses it."""
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if "X-Amz-Target" not in self.headers:  # STS speaks XML
                why = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
                self.send(403, why)
                return
            asked = json.loads(said or b"{}")
            status, body = answers.of(self.headers["X-Amz-Target"].rsplit(".", 1)[-1], asked)
            self.send(status, json.dumps(body).encode())

        def send(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    yield answers
    server.shutdown()
    server.server_close()


class Answers:
    """What the server says, by operation: pages of items, or an error code."""

    def __init__(self) -> None:
        self.pages: dict[str, list[dict[str, Any]]] = {}
        self.refused: dict[str, str] = {}
        self.throttled: Counter[str] = Counter()

    def of(self, operation: str, asked: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.throttled[operation]:
            self.throttled[operation] -= 1
            return 400, {"__type": "ThrottlingException", "message": "slow down"}
        if operation in self.refused:
            return 400, {"__type": self.refused[operation], "message": "no"}
        pages = self.pages.get(operation, [{}])
        number = int(asked.get("NextToken") or 0)
        more = {"NextToken": str(number + 1)} if number + 1 < len(pages) else {}
        return 200, pages[number] | more


@pytest.fixture
def session() -> boto3.Session:
    return boto3.Session("AKIDTEST", "secret", region_name="eu-west-1")


def users(*names: str) -> dict[str, Any]:
    return {"Users": [{"UserName": name, "UserId": f"id-{name}"} for name in names]}


def center(aws: Answers, session: boto3.Session, tmp_path: Path, **fields: Any) -> Directory:
    return read(config(tmp_path, **({"identity_center": STORE} | fields)), session, NOW)


def test_every_page_is_read_and_throttling_waited_out(aws: Answers, session: boto3.Session, tmp_path: Path) -> None:
    aws.pages = {
        "ListUsers": [users("a", "b"), users(), users("c")],
        "ListGroups": [{"Groups": [{"GroupId": "g1", "DisplayName": "one"}]}, {"Groups": [{"GroupId": "g2"}]}],
        "ListGroupMemberships": [
            {"GroupMemberships": [{"MemberId": {"UserId": "id-a"}}]},
            {"GroupMemberships": [{"MemberId": {"UserId": "id-c"}}, {"MemberId": {"UserId": "gone"}}, {}]},
        ],
    }
    aws.throttled = Counter({"ListUsers": 1})
    found = center(aws, session, tmp_path)
    assert found.unread == ()
    assert [(one.id, one.groups) for one in found.people] == [("a", ("g2", "one")), ("b", ()), ("c", ("g2", "one"))]


def test_what_is_refused_is_told_and_the_rest_is_read(aws: Answers, session: boto3.Session, tmp_path: Path) -> None:
    aws.pages = {"ListUsers": [users("a")]}
    aws.refused = {"ListGroups": "AccessDeniedException", "ListAccounts": "AWSOrganizationsNotInUseException"}
    found = center(aws, session, tmp_path, organizations=True)
    assert [one.id for one in found.people] == ["a"]
    groups, accounts = found.unread
    assert groups.startswith(f"Identity Center {STORE}: groups: An error occurred (AccessDeniedException)")
    assert accounts.startswith("Organizations: accounts: An error occurred (AWSOrganizationsNotInUseException)")


def test_users_without_a_name_and_hidden_characters(aws: Answers, session: boto3.Session, tmp_path: Path) -> None:
    odd = {"Users": [{"UserId": "1"}, {"UserName": "x"}, {"UserName": "a\u202eb", "UserId": "2", "Emails": [{}]}]}
    aws.pages = {"ListUsers": [odd]}
    (one,) = center(aws, session, tmp_path).people
    assert (one.id, one.principals) == ("a⟨U+202E⟩b", ("a\u202eb", "2"))


@pytest.mark.parametrize(
    ("instances", "said"),
    [
        ([], "0 instances are seen; name the identity store, for example d-1234567890"),
        ([{"IdentityStoreId": "d-1"}, {"IdentityStoreId": "d-2"}], "2 instances are seen"),
    ],
)
def test_which_instance_is_not_guessed(
    instances: list[dict[str, str]], said: str, aws: Answers, session: boto3.Session, tmp_path: Path
) -> None:
    aws.pages = {"ListInstances": [{"Instances": instances}]}
    found = center(aws, session, tmp_path, identity_center="auto")
    (why,) = found.unread
    assert why.startswith(f"Identity Center (auto): {said}")
    assert found.people == ()


def test_nothing_is_asked_without_credentials(tmp_path: Path) -> None:
    (why,) = read(config(tmp_path, organizations=True), None, NOW).unread
    assert why == "[identities]: no credentials to ask AWS with"
    assert read(config(tmp_path), None, NOW) == Directory()


def test_a_role_that_cannot_be_assumed(aws: Answers, session: boto3.Session, tmp_path: Path, write: Write) -> None:
    write(DANA)
    found = center(aws, session, tmp_path, role_arn="arn:aws:iam::1:role/directory", file="identities.yaml")
    (why,) = found.unread
    assert why.startswith("[identities]: An error occurred (AccessDenied) when calling the AssumeRole operation")
    assert [one.id for one in found.people] == ["dana"]


@pytest.mark.usefixtures("moto_reset", "aws_env")
def test_a_role_of_the_management_account_is_assumed(tmp_path: Path) -> None:
    asked = config(tmp_path, identity_center="auto", role_arn="arn:aws:iam::123456789012:role/directory")
    assert read(asked, boto3.Session(), NOW) == Directory()


def test_whoever_left_by_the_file_keeps_no_second_name(
    aws: Answers, session: boto3.Session, tmp_path: Path, write: Write
) -> None:
    write(
        "people:\n"
        "- id: old-dana\n  principals: [dana]\n  valid_until: 2026-01-31\n"
        "- id: erik-1\n  principals: [erik]\n  valid_until: 2026-01-31\n"
        "- id: erik-2\n  principals: [erik]\n  valid_from: 2026-02-01\n"
    )
    aws.pages = {"ListUsers": [users("dana", "erik")]}
    found = center(aws, session, tmp_path, file="identities.yaml")
    assert {one.id: one.principals for one in found.people} == {
        "old-dana": ("dana", "id-dana"),
        "erik-1": ("erik",),
        "erik-2": ("erik", "id-erik"),
    }
