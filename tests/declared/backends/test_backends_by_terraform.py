"""The real Terraform writes states through its own backends, and what it wrote is what we read.

Its remembered settings (`.terraform/terraform.tfstate`) are written by it as well.
"""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from fakes.consul import Consul
from fakes.http_state import HttpState
from fakes.server import served
from state_places import CANARY

from agent.declared import backends
from agent.declared.backends import Access
from agent.declared.partial import remembered
from agent.declared.state import NoStateError, State, read_state

pytestmark = pytest.mark.terraform
Run = Callable[..., subprocess.CompletedProcess[str]]


def root(directory: Path, name: str, settings: str = "", size: int = 10) -> Path:
    """A root module whose state is about `size` characters long, its text without a pattern."""
    made = directory / "root"
    made.mkdir()
    text = "".join(f"{n * 2654435761 % 4294967296:08x}" for n in range(size // 8 + 1))
    (made / "main.tf").write_text(
        f'terraform {{\n  backend "{name}" {{\n{settings}  }}\n}}\n'
        'resource "terraform_data" "one" {\n  input = { text = "%s", n = 1.50 }\n}\n'
        % text
        + 'output "secret" {\n  value     = terraform_data.one.input.text\n  sensitive = true\n}\n'
    )
    return made


def settled(made: Path, name: str, written: Mapping[str, Any], environment: Mapping[str, str]) -> Access:
    """As a scan reads it: the block, what `init` remembered, the environment."""
    settings = backends.settle(name, written, directory=made, environment=environment)
    return Access(made, settings=settings, environment=environment)


def state(access: Access, name: str, workspace: str = "default") -> State:
    location = backends.locate(name, access.settings, workspace)
    assert CANARY not in location
    return read_state(backends.fetch(location, access), location)


def pulled(run: Run, made: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(run(made, environment, "state", "pull").stdout)
    return told


def agrees(found: State, told: Mapping[str, Any]) -> None:
    assert (found.lineage, found.serial) == (told["lineage"], told["serial"])
    assert [each.address for each in found.instances] == ["terraform_data.one"]
    assert found.instances[0].attributes() == told["resources"][0]["instances"][0]["attributes"]
    assert found.outputs["secret"].value() == told["outputs"]["secret"]["value"]
    assert found.outputs["secret"].sensitive


def test_http(tmp_path: Path, terraform_in: Run) -> None:
    fake = HttpState("ann", CANARY)
    with served(fake.reply) as host:
        made = root(
            tmp_path,
            "http",
            f'    lock_address = "http://{host}/lock/a"\n    unlock_address = "http://{host}/lock/a"\n',
        )
        environment = {"TF_HTTP_USERNAME": "ann", "TF_HTTP_PASSWORD": CANARY}
        terraform_in(made, environment, "init", f"-backend-config=address=http://{host}/state/a?key={CANARY}")
        access = settled(made, "http", {"lock_address": f"http://{host}/lock/a"}, environment)
        with pytest.raises(NoStateError):
            state(access, "http")
        terraform_in(made, environment, "apply", "-auto-approve")
        agrees(state(access, "http"), pulled(terraform_in, made, environment))
    assert any(each.startswith("LOCK") for each in fake.asked)
    assert fake.asked[-2] == f"GET /state/a?key={CANARY}", "the query of the address is kept"


@pytest.mark.parametrize(("gzip", "size"), [(False, 100), (True, 100), (False, 300_000), (True, 600_000)])
def test_consul(tmp_path: Path, terraform_in: Run, gzip: bool, size: int) -> None:
    fake = Consul(CANARY)
    with served(fake.reply) as host:
        made = root(tmp_path, "consul", f'    path = "prod/state"\n    gzip = {str(gzip).lower()}\n', size)
        environment = {"CONSUL_HTTP_ADDR": host}
        terraform_in(made, environment, "init", f"-backend-config=access_token={CANARY}")
        assert remembered(made)[1]["access_token"] == CANARY
        terraform_in(made, environment, "apply", "-auto-approve")
        access = settled(made, "consul", {"path": "prod/state"}, environment)
        agrees(state(access, "consul"), pulled(terraform_in, made, environment))
        assert (len([key for key in fake.keys if "/tfstate." in key]) > 1) == (size > 200_000)
        if size > 200_000:
            return
        terraform_in(made, environment, "workspace", "new", "blue")
        terraform_in(made, environment, "apply", "-auto-approve")
        agrees(state(access, "consul", "blue"), pulled(terraform_in, made, environment))


def test_pg(tmp_path: Path, terraform_in: Run, postgres_socket: str, schema: str) -> None:
    url = f"postgres://driftwarden:{CANARY}@/postgres?host={postgres_socket}&sslmode=disable"
    made, environment = root(tmp_path, "pg"), {"PG_CONN_STR": url, "PG_SCHEMA_NAME": schema}
    terraform_in(made, environment, "init")
    access = settled(made, "pg", {}, environment)
    try:
        with pytest.raises(NoStateError):
            state(access, "pg")
        terraform_in(made, environment, "apply", "-auto-approve")
        agrees(state(access, "pg"), pulled(terraform_in, made, environment))
        terraform_in(made, environment, "workspace", "new", "blue")
        terraform_in(made, environment, "apply", "-auto-approve")
        agrees(state(access, "pg", "blue"), pulled(terraform_in, made, environment))
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")


S3 = """
    key                         = "a/state"
    use_lockfile                = true
    dynamodb_table              = "locks"
    encrypt                     = true
    skip_credentials_validation = true
    skip_requesting_account_id  = true
    use_path_style              = true
"""


def test_s3(tmp_path: Path, terraform_in: Run, aws_env: Mapping[str, str], moto_reset: None) -> None:
    session = boto3.Session()
    session.client("s3").create_bucket(Bucket="states")
    key = session.client("kms").create_key()["KeyMetadata"]["Arn"]
    session.client("dynamodb").create_table(
        TableName="locks",
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    made = root(tmp_path, "s3", S3)
    terraform_in(made, aws_env, "init", "-backend-config=bucket=states", f"-backend-config=kms_key_id={key}")
    terraform_in(made, aws_env, "apply", "-auto-approve")
    settings = backends.settle("s3", {"key": "a/state"}, directory=made, environment=aws_env)
    assert settings["use_lockfile"] is True
    access = Access(made, session, settings=settings)
    agrees(state(access, "s3"), pulled(terraform_in, made, aws_env))
    found = backends.read(backends.locate("s3", settings, "default"), access)
    assert (found.locked, found.unseen) == ("", ""), "the table's item of the digest is no lock"
    digest = session.client("dynamodb").get_item(TableName="locks", Key={"LockID": {"S": "states/a/state-md5"}})["Item"]
    assert len(digest["Digest"]["S"]) == 32


def test_the_lock_of_a_running_apply(tmp_path: Path, terraform_in: Run) -> None:
    """Terraform asks for approval with the lock held: for as long as nobody answers."""
    made = root(tmp_path, "local")
    terraform_in(made, {}, "init")
    terraform_in(made, {}, "apply", "-auto-approve")
    assert backends.read("terraform.tfstate", Access(made)).locked == ""
    (made / "main.tf").write_text((made / "main.tf").read_text().replace("1.50", "2"))
    command = ["terraform", f"-chdir={made}", "apply", "-no-color"]
    env = {"PATH": os.environ["PATH"], "CHECKPOINT_DISABLE": "1", "HOME": str(tmp_path)}
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        said = ""
        while "Only 'yes' will be accepted" not in said:
            line = running.stdout.readline()
            assert line, said
            said += line
        locked = backends.read("terraform.tfstate", Access(made)).locked
        running.communicate("no\n")
    assert "(OperationTypeApply since " in locked
    assert "@" in locked
    assert backends.read("terraform.tfstate", Access(made)).locked == ""
