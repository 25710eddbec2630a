"""Every backend with a server behind it, as one kind of place: what the contract test puts states into.

Hides where each backend keeps a workspace's state and its lock. Nothing here asks the code that is tested.
"""

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import psycopg
from fakes.azure_blobs import Blobs
from fakes.consul import Consul
from fakes.gcs import Gcs
from fakes.hcp import Archive, Hcp
from fakes.http_state import HttpState
from fakes.server import certificate, served

from agent.declared import backends
from agent.declared.backends import Access

CANARY = "canary-5f1c"
"""Stands in every secret."""
LOCK = json.dumps(
    {
        "ID": "1-2-3",
        "Operation": "OperationTypeApply",
        "Who": "ann@laptop",
        "Created": "2026-01-02T03:04:05Z",
        "Info": CANARY,
    }
)


HOLD = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
input()
"""


@dataclass
class Place:
    """One backend's server, empty."""

    name: str
    directory: Path
    settings: Mapping[str, Any]
    """As the `backend` block has them."""
    put: Callable[[bytes, str], None]
    """Writes the state of a workspace, as its next version."""
    lock: Callable[[str], None] | None = None
    """Locks the state of a workspace for `ann@laptop`; None: the backend has no lock that can be seen."""
    unlock: Callable[[str], None] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    denied: Mapping[str, Any] | None = None
    """Settings that are not let in; None: this machine's superuser is always let in."""
    session: boto3.Session | None = None
    versions: bool = False
    workspaces: bool = True
    first: str = "default"
    """The workspace to begin with."""

    def settle(self, **changes: Any) -> Mapping[str, Any]:
        """All settings."""
        written = {**self.settings, **changes}
        ours = {each: written.pop(each) for each in ("storage_custom_endpoint", "blob_endpoint") if each in written}
        return backends.settle(self.name, written, directory=self.directory, given=ours, environment=self.environment)

    def access(self, settings: Mapping[str, Any] | None = None, **changes: Any) -> Access:
        """What reading takes."""
        found = self.settle() if settings is None else settings
        given: dict[str, Any] = {"settings": found, "environment": self.environment, "session": self.session}
        return Access(self.directory, **(given | changes))

    def location(self, workspace: str = "") -> str:
        """Where a workspace's state is."""
        return backends.locate(self.name, self.settle(), workspace or self.first)


@contextmanager
def local(directory: Path) -> Iterator[Place]:
    """A file, locked by another process as Terraform locks it."""
    with ExitStack() as stack:
        holders: list[subprocess.Popen[str]] = []

        def path(workspace: str) -> Path:
            folder = directory / "terraform.tfstate.d" / workspace if workspace != "default" else directory
            folder.mkdir(parents=True, exist_ok=True)
            return folder / "terraform.tfstate"

        def lock(workspace: str) -> None:
            command = [sys.executable, "-c", HOLD, str(path(workspace))]
            holder = stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            holders.append(holder)
            path(workspace).with_name(".terraform.tfstate.lock.info").write_text(LOCK)

        def unlock(workspace: str) -> None:
            holders.pop().communicate("\n")

        yield Place("local", directory, {}, lambda data, where: path(where).write_bytes(data) and None, lock, unlock)


def _s3(directory: Path, **settings: Any) -> tuple[boto3.Session, dict[str, Any], Callable[[bytes, str], None]]:
    session = boto3.Session()
    client = session.client("s3")
    client.create_bucket(Bucket="states")
    client.put_bucket_versioning(Bucket="states", VersioningConfiguration={"Status": "Enabled"})
    key = session.client("kms").create_key()["KeyMetadata"]["KeyId"]

    def put(data: bytes, workspace: str) -> None:
        name = _s3_key(workspace)
        client.put_object(Bucket="states", Key=name, Body=data, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
        # Its name begins as the state's does: the history is of one object.
        client.put_object(Bucket="states", Key=f"{name}.backup", Body=b"another")

    return session, {"bucket": "states", "key": "prod/a b#?.tfstate", "region": "us-east-1", **settings}, put


def _s3_key(workspace: str) -> str:
    return ("" if workspace == "default" else f"env:/{workspace}/") + "prod/a b#?.tfstate"


@contextmanager
def s3_lock_file(directory: Path) -> Iterator[Place]:
    """A bucket at moto, with the lock in the bucket."""
    session, settings, put = _s3(directory, use_lockfile=True)
    client = session.client("s3")

    def lock(workspace: str) -> None:
        client.put_object(Bucket="states", Key=f"{_s3_key(workspace)}.tflock", Body=LOCK.encode())

    def unlock(workspace: str) -> None:
        client.delete_object(Bucket="states", Key=f"{_s3_key(workspace)}.tflock")

    yield Place("s3", directory, settings, put, lock, unlock, session=session, versions=True)


@contextmanager
def s3_table(directory: Path) -> Iterator[Place]:
    """A bucket at moto, with the lock in DynamoDB."""
    session, settings, put = _s3(directory, dynamodb_table="locks")
    client = session.client("dynamodb")
    client.create_table(
        TableName="locks",
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    def lock(workspace: str) -> None:
        item = {"LockID": {"S": f"states/{_s3_key(workspace)}"}, "Info": {"S": LOCK}}
        client.put_item(TableName="locks", Item=item)

    def unlock(workspace: str) -> None:
        client.delete_item(TableName="locks", Key={"LockID": {"S": f"states/{_s3_key(workspace)}"}})

    yield Place("s3", directory, settings, put, lock, unlock, session=session, versions=True)


@contextmanager
def http(directory: Path) -> Iterator[Place]:
    """A server of the http protocol; its address has a secret in its query."""
    fake = HttpState("ann", CANARY)
    with served(fake.reply) as host:

        def put(data: bytes, workspace: str) -> None:
            fake.states["prod"] = data

        address = f"http://{host}/state/prod?token={CANARY}"
        environment = {"TF_HTTP_USERNAME": "ann", "TF_HTTP_PASSWORD": CANARY}
        denied = {"password": f"{CANARY}-wrong"}
        yield Place(
            "http", directory, {"address": address}, put, environment=environment, denied=denied, workspaces=False
        )


@contextmanager
def _hcp(directory: Path) -> Iterator[tuple[Hcp, str, Mapping[str, str]]]:
    fake, pem = Hcp(CANARY), certificate(directory)
    with served(fake.reply, pem) as fake.host, served(Archive(fake).reply, pem) as fake.archive:
        (directory / ".terraform.d").mkdir()
        tokens = {"credentials": {fake.host: {"token": CANARY}}}
        (directory / ".terraform.d" / "credentials.tfrc.json").write_text(json.dumps(tokens))
        yield fake, fake.host, {"HOME": str(directory), "SSL_CERT_FILE": str(pem)}


def _hcp_place(
    name: str, directory: Path, fake: Hcp, settings: Mapping[str, Any], environment: Mapping[str, str]
) -> Place:
    def put(data: bytes, workspace: str) -> None:
        fake.states.setdefault(f"app-{workspace}", []).append(data)

    def lock(workspace: str) -> None:
        fake.locks[f"app-{workspace}"] = {"id": "user-1", "type": "users"}

    def unlock(workspace: str) -> None:
        del fake.locks[f"app-{workspace}"]

    return Place(
        name,
        directory,
        settings,
        put,
        lock,
        unlock,
        environment,
        denied={"token": f"{CANARY}-wrong"},
        versions=True,
        first="red" if name == "remote" else "app-red",
    )


@contextmanager
def remote(directory: Path) -> Iterator[Place]:
    """Workspaces by a prefix."""
    with _hcp(directory) as (fake, host, environment):
        settings = {"hostname": host, "organization": "acme", "workspaces": [{"prefix": "app-"}]}
        yield _hcp_place("remote", directory, fake, settings, environment)


@contextmanager
def cloud(directory: Path) -> Iterator[Place]:
    """Workspaces by tags, the organization from the environment."""
    with _hcp(directory) as (fake, host, environment):
        settings = {"hostname": host, "workspaces": {"tags": ["app"]}}
        place = _hcp_place("cloud", directory, fake, settings, environment | {"TF_CLOUD_ORGANIZATION": "acme"})
        put, lock, unlock = place.put, place.lock, place.unlock
        assert lock is not None
        assert unlock is not None
        place.put = lambda data, workspace: put(data, workspace.removeprefix("app-"))
        place.lock = lambda workspace: lock(workspace.removeprefix("app-"))
        place.unlock = lambda workspace: unlock(workspace.removeprefix("app-"))
        yield place


@contextmanager
def gcs(directory: Path) -> Iterator[Place]:
    """A bucket with versions and a key of the customer's."""
    fake = Gcs(CANARY)
    with served(fake.reply) as host:

        def put(data: bytes, workspace: str) -> None:
            fake.objects.setdefault(f"prod/a b/{workspace}.tfstate", []).append(data)
            fake.objects[f"prod/a b/{workspace}.tfstate.backup"] = [b"another"]

        def lock(workspace: str) -> None:
            fake.objects[f"prod/a b/{workspace}.tflock"] = [LOCK.encode()]

        def unlock(workspace: str) -> None:
            del fake.objects[f"prod/a b/{workspace}.tflock"]

        settings = {"bucket": "states", "prefix": "/prod/a b", "storage_custom_endpoint": f"http://{host}/storage/v1/b"}
        key = b64encode(f"{CANARY:32}".encode()).decode()
        environment = {"GOOGLE_OAUTH_ACCESS_TOKEN": CANARY, "GOOGLE_ENCRYPTION_KEY": key}
        denied = {"access_token": f"{CANARY}-wrong"}
        yield Place("gcs", directory, settings, put, lock, unlock, environment, denied, versions=True)
        assert fake.keys <= {key}


def _azure(directory: Path, host: str, fake: Blobs, environment: Mapping[str, str], denied: Mapping[str, Any]) -> Place:
    def name(workspace: str) -> str:
        return "prod/a b.tfstate" + ("" if workspace == "default" else f"env:{workspace}")

    def put(data: bytes, workspace: str) -> None:
        fake.blobs.setdefault(name(workspace), []).append(data)
        fake.blobs[f"{name(workspace)}.backup"] = [b"another"]

    def lock(workspace: str) -> None:
        fake.leases[name(workspace)] = LOCK

    def unlock(workspace: str) -> None:
        del fake.leases[name(workspace)]

    settings = {
        "storage_account_name": "acme",
        "container_name": "states",
        "key": "prod/a b.tfstate",
        "blob_endpoint": f"http://{host}",
    }
    return Place("azurerm", directory, settings, put, lock, unlock, environment, denied, versions=True)


AZURE_KEY = b64encode(CANARY.encode()).decode()


@contextmanager
def azure_key(directory: Path) -> Iterator[Place]:
    """With the account's key."""
    fake = Blobs(CANARY.encode(), "sig=none", CANARY)
    with served(fake.reply) as host:
        wrong = {"access_key": b64encode(b"wrong").decode()}
        yield _azure(directory, host, fake, {"ARM_ACCESS_KEY": AZURE_KEY}, wrong)


@contextmanager
def azure_sas(directory: Path) -> Iterator[Place]:
    """With a SAS token."""
    sas = f"sv=2022-11-02&sp=rl&sig={CANARY}%2B%3D"
    fake = Blobs(b"unknown", sas, CANARY)
    with served(fake.reply) as host:
        yield _azure(directory, host, fake, {"ARM_SAS_TOKEN": f"?{sas}"}, {"sas_token": f"sig={CANARY}-wrong"})


@contextmanager
def consul(directory: Path) -> Iterator[Place]:
    """A server with a token."""
    fake = Consul(CANARY)
    with served(fake.reply) as host:

        def path(workspace: str) -> str:
            return "prod/a b" + ("" if workspace == "default" else f"-env:{workspace}")

        def lock(workspace: str) -> None:
            fake.put(f"{path(workspace)}/.lock", b"", Session="5-6-7")
            fake.put(f"{path(workspace)}/.lockinfo", LOCK.encode())

        def unlock(workspace: str) -> None:
            fake.remove(f"{path(workspace)}/.lock")

        environment = {"CONSUL_HTTP_ADDR": f"http://{host}", "CONSUL_HTTP_TOKEN": CANARY}
        settings = {"path": "prod/a b"}
        put = lambda data, workspace: fake.put(path(workspace), data)  # noqa: E731 - one of a row
        denied = {"access_token": f"{CANARY}-wrong"}
        yield Place("consul", directory, settings, put, lock, unlock, environment, denied)


@contextmanager
def pg(directory: Path, socket: str, schema: str) -> Iterator[Place]:
    """PostgreSQL itself, with the table that Terraform makes."""
    url = f"postgresql://driftwarden:{CANARY}@/postgres?host={socket}"
    with psycopg.connect(url, autocommit=True) as connection, ExitStack() as stack:
        connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute(f"CREATE TABLE {schema}.states (id bigserial PRIMARY KEY, name text UNIQUE, data text)")
        connection.execute(f"CREATE ROLE nobody_{schema} LOGIN")
        held: list[psycopg.Connection[Any]] = []

        def put(data: bytes, workspace: str) -> None:
            insert = f"INSERT INTO {schema}.states (name, data) VALUES (%s, %s) "
            text = data.decode("latin-1").replace("\0", "?")
            connection.execute(insert + "ON CONFLICT (name) DO UPDATE SET data = EXCLUDED.data", (workspace, text))

        def lock(workspace: str) -> None:
            held.append(stack.enter_context(psycopg.connect(url.replace("driftwarden", "ann", 1), autocommit=True)))
            row = connection.execute(f"SELECT id FROM {schema}.states WHERE name = %s", (workspace,)).fetchone()
            assert row is not None
            held[-1].execute("SELECT pg_advisory_lock(%s)", row)

        def unlock(workspace: str) -> None:
            held.pop().close()

        connection.execute("DO $$ BEGIN CREATE ROLE ann LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        denied = {"conn_str": url.replace("driftwarden", f"nobody_{schema}", 1)}
        try:
            yield Place(
                "pg", directory, {"schema_name": schema}, put, lock, unlock, {"PG_CONN_STR": url}, denied=denied
            )
        finally:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")
            connection.execute(f"DROP ROLE nobody_{schema}")


SIMPLE = {
    each.__name__: each
    for each in (local, s3_lock_file, s3_table, http, remote, cloud, gcs, azure_key, azure_sas, consul)
}
"""Those that take a directory alone."""
NAMES = (*SIMPLE, "pg")
