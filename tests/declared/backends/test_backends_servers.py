"""Servers that are hostile, slow or half-way, and where each backend's credentials come from."""

import gzip
import json
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import azure.identity
import google.auth
import google.oauth2.credentials
import psycopg
import pytest
import state_places
from fakes.azure_blobs import Blobs
from fakes.consul import Consul
from fakes.gcs import Gcs
from fakes.http_state import HttpState
from fakes.server import Reply, Request, certificate, served
from google.oauth2 import service_account
from state_places import CANARY

from agent.declared import backends
from agent.declared.backends import Access
from agent.declared.state import NoStateError, StateError
from agent.declared.web import Web, gathered, same_server


def refused(location: str, access: Access) -> str:
    """What the error says, which is no secret."""
    with pytest.raises(StateError) as error:
        backends.read(location, access)
    assert CANARY not in str(error.value)
    return str(error.value)


@contextmanager
def answering(directory: Path, reply: Callable[[Request], Reply]) -> Iterator[tuple[str, Access]]:
    """An http backend that answers so, with our secrets to lose."""
    with served(reply) as host:
        settings = {"address": f"http://{host}/state?{CANARY}", "username": "ann", "password": CANARY}
        yield f"http://{host}/state", Access(directory, settings=settings)


# --- HTTP ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ((204, {}, b""), "there is no state: apply the stack"),
        ((301, {"Location": f"http://{CANARY}/"}, b""), "redirects (status 301), which is not followed"),
        ((400, {}, CANARY.encode()), "answered status 400"),
        ((429, {"Retry-After": "9"}, b""), "too many requests: scan again later"),
        ((503, {}, CANARY.encode()), "answered status 503: the server fails, scan again later"),
        ((200, {"Content-Encoding": "gzip"}, gzip.compress(b"{}")), "answered compressed, which was not asked for"),
        ((200, {"Content-Length": "99999999999"}, b""), "has 99,999,999,999 bytes, at most 524,288,000 are read"),
        ((200, {"Content-Length": "9"}, b"{}"), "cannot be asked: RemoteProtocolError"),
    ],
)
def test_answers_that_are_no_state(tmp_path: Path, reply: Reply, told: str) -> None:
    def hangs_up(request: Request) -> Reply:
        return reply[0], {**reply[1], "Connection": "close"}, reply[2]

    with answering(tmp_path, hangs_up) as (location, access):
        assert told in refused(location, access)


def test_a_server_that_says_nothing(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        location = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
        assert refused(location, Access(tmp_path, timeout=0.2)) == f"{location}: did not answer within 0.2 s"


def test_a_server_that_never_ends() -> None:
    clock = iter(range(0, 1000, 20))
    with pytest.raises(StateError, match=r"^s: had not arrived in full after 50 s$"):
        gathered(iter(lambda: b"x", b""), "s", 10**9, 50, lambda: float(next(clock)))
    with pytest.raises(StateError, match=r"^s has more than 5 bytes, which are not read"):
        gathered(iter(lambda: b"xx", b""), "s", 5, 50)


@pytest.mark.parametrize("secret", [f"{CANARY}\r\nX: y", f"{CANARY}é", f"{CANARY}\0"])
def test_credentials_that_no_header_carries(tmp_path: Path, secret: str) -> None:
    access = Access(tmp_path, settings={"access_token": secret, "path": "p"})
    assert "have characters that HTTP cannot carry" in refused("consul://127.0.0.1:9/p", access)


def test_tls_is_verified(tmp_path: Path) -> None:
    fake, pem = HttpState("ann", CANARY), certificate(tmp_path)
    fake.states["a"] = b"{}"
    with served(fake.reply, pem) as host:
        settings = {"address": f"https://{host}/state/a", "username": "ann", "password": CANARY}
        location = f"https://{host}/state/a"
        told = refused(location, Access(tmp_path, settings={**settings, "skip_cert_verification": True}))
        assert "certificate verify failed" in told
        for trust in ({"client_ca_certificate_pem": pem.read_text()}, {}):
            environment = {} if trust else {"SSL_CERT_FILE": str(pem)}
            access = Access(tmp_path, settings={**settings, **trust}, environment=environment)
            assert backends.fetch(location, access) == b"{}"
        whole = pem.read_text()
        mine = {"client_certificate_pem": whole, "client_private_key_pem": whole, "client_ca_certificate_pem": whole}
        assert backends.fetch(location, Access(tmp_path, settings={**settings, **mine})) == b"{}"
        mine["client_private_key_pem"] = CANARY
        mine["client_certificate_pem"] = "none"
        assert "its certificates for TLS cannot be read" in refused(
            location, Access(tmp_path, settings={**settings, **mine})
        )
        other = location.replace("localhost", "127.0.0.1")
        wrong = Access(tmp_path, environment={"SSL_CERT_FILE": str(tmp_path / "none.pem")})
        assert "its certificates for TLS cannot be read" in refused(other, wrong)


def test_redirects_end_and_keep_our_credentials(tmp_path: Path) -> None:
    asked: list[Mapping[str, str]] = []

    def second(request: Request) -> Reply:
        asked.append(request.headers)
        return (200, {}, b"state") if request.path == "/end" else (302, {"Location": request.path}, b"")

    with served(second) as other:

        def first(request: Request) -> Reply:
            asked.append(request.headers)
            targets = {"/here": "/there", "/there": f"http://{other}/end", "/loop": "/loop"}
            return 307, {"Location": targets[request.path]}, b""

        with served(first) as host, Web("s", Access(tmp_path)) as web:
            headers = {"Authorization": CANARY}
            assert web.get(f"http://{host}/here", headers, redirects=2).body == b"state"
            assert ["authorization" in each for each in asked] == [True, True, False]
            with pytest.raises(StateError, match=r"^s: redirects \(status 307\)"):
                web.get(f"http://{host}/loop", headers, redirects=3)
            assert len(asked) == 3 + 4


def test_no_redirect_away_from_tls(tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    access = Access(tmp_path, environment={"SSL_CERT_FILE": str(pem)})
    away = (302, {"Location": "http://127.0.0.1:9/"}, b"")
    why = pytest.raises(StateError, match=r"^s: redirects away from https, which is not followed$")
    with served(lambda request: away, pem) as host, Web("s", access) as web, why:
        web.get(f"https://{host}/", redirects=2)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a/x", "https://A:443/y", True),
        ("https://a/x", "https://a.evil/x", False),
        ("https://a/x", "http://a/x", False),
        ("https://a:1/x", "https://a:2/x", False),
    ],
)
def test_what_is_one_server(one: str, other: str, same: bool) -> None:
    assert same_server(one, other) is same


# --- HCP Terraform -------------------------------------------------------------------------------------------


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[state_places.Place]:
    with state_places.remote(tmp_path) as place:
        place.put(b"{}", place.first)
        yield place


def token_files(home: Path) -> Path:
    file = home / ".terraform.d" / "credentials.tfrc.json"
    file.unlink()
    return file


def test_hcp_tokens(remote: state_places.Place, tmp_path: Path) -> None:
    file, location, host = token_files(tmp_path), remote.location(), str(remote.settings["hostname"])
    assert f"there is no token for {host}: set TF_TOKEN_localhost:" in refused(location, remote.access())
    file.write_text(json.dumps({"credentials": {"other": {"token": CANARY}}}))
    assert "there is no token" in refused(location, remote.access())
    (tmp_path / ".terraformrc").write_text(f'credentials "{host}" {{\n  token = "{CANARY}"\n}}\n')
    assert backends.fetch(location, remote.access()) == b"{}"
    (tmp_path / ".terraformrc").write_text("{")
    assert "there is no token" in refused(location, remote.access())
    (tmp_path / "cli.tfrc").write_text(f'credentials "{host}" {{\n  token = "{CANARY}"\n}}\n')
    environment = {**remote.environment, "TF_CLI_CONFIG_FILE": str(tmp_path / "cli.tfrc")}
    assert backends.fetch(location, remote.access(environment=environment)) == b"{}"
    variable = {**remote.environment, f"TF_TOKEN_{host}": CANARY}
    assert backends.fetch(location, remote.access(environment=variable)) == b"{}"
    assert backends.fetch(location, remote.access(remote.settle(token=CANARY))) == b"{}"


@pytest.mark.parametrize(
    ("host", "variable"),
    [("app.terraform.io", "TF_TOKEN_app_terraform_io"), ("my-tfe.example", "TF_TOKEN_my__tfe_example")],
)
def test_hcp_token_variables(host: str, variable: str, tmp_path: Path) -> None:
    from agent.declared.backends.remote import token

    assert token(host, "s", Access(tmp_path, environment={variable: CANARY})) == CANARY
    with pytest.raises(StateError, match=f"set {variable}, or write"):
        token(host, "s", Access(tmp_path))


def test_hcp_says_who_wrote_and_from_which_commit(remote: state_places.Place) -> None:
    (version,) = backends.history(remote.location(), remote.access())
    assert (version.serial, version.commit, version.writer, version.size) == (1, "c0ffee1", "user-2", 2)
    assert backends.read(remote.location(), remote.access()).writer == "user-2"
    assert remote.lock is not None
    remote.lock(remote.first)
    assert backends.read(remote.location(), remote.access()).locked == "user ann"


def test_hcp_history_of_many_pages(remote: state_places.Place) -> None:
    for _ in range(210):
        remote.put(b"{}", remote.first)
    found = list(backends.history(remote.location(), remote.access()))
    assert [each.serial for each in found] == list(range(211, 0, -1))


def test_hcp_that_is_none(tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    replies = {
        "offers no Terraform services": (404, b""),
        "answered HTML where its interface has JSON": (200, b"<html>"),
        "answered something else where": (200, b"[]"),
        "offers no states over https": (200, b'{"modules.v1": "/x"}'),
    }
    for told, (status, body) in replies.items():
        with served(lambda request, s=status, b=body: (s, {}, b), pem) as host:
            access = Access(tmp_path, environment={"SSL_CERT_FILE": str(pem)}, settings={"token": CANARY})
            assert told in refused(f"remote://{host}/acme/w", access)


# --- Google, Azure -------------------------------------------------------------------------------------------


class _Credentials:
    """What Google's library gives, without Google."""

    token = None

    def refresh(self, request: object) -> None:
        self.token = CANARY


def test_google_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake, asked = Gcs(CANARY), []
    fake.objects["default.tfstate"] = [b"{}"]
    with served(fake.reply) as host:
        endpoint = {"storage_custom_endpoint": f"http://{host}/storage/v1/b"}
        location = "gcs://states/default.tfstate"

        def loaded(account: Any, scopes: Any) -> Any:
            asked.append((account["client_email"], scopes))
            return _Credentials()

        for kind, loader in (
            (service_account.Credentials, "from_service_account_info"),
            (google.oauth2.credentials.Credentials, "from_authorized_user_info"),
        ):
            monkeypatch.setattr(kind, loader, loaded)
        monkeypatch.setattr(google.auth, "default", lambda scopes: (_Credentials(), ""))
        account = json.dumps({"type": "service_account", "client_email": "a@b", "private_key": CANARY})
        (tmp_path / "key.json").write_text(account)
        user = account.replace("service_account", "authorized_user")
        for given in (account, "key.json", str(tmp_path / "key.json"), user, None):
            access = Access(tmp_path, settings={**endpoint, "credentials": given})
            assert backends.fetch(location, access) == b"{}"
        assert asked == [("a@b", ["https://www.googleapis.com/auth/devstorage.read_only"])] * 4
    for given, told in {
        f"{CANARY}.json": "`credentials` is neither JSON nor a file of it",
        f'{{"type": "{CANARY}"': "`credentials` is neither JSON nor a file of it",
        '{"type": "external_account"}': "is no service account's key: others come from GOOGLE_APPLICATION_CREDENTIALS",
    }.items():
        assert told in refused(location, Access(tmp_path, settings={"credentials": given}))


def test_google_gives_no_token(tmp_path: Path) -> None:
    account = json.dumps({"type": "service_account", "client_email": "a@b", "private_key": CANARY, "token_uri": "x"})
    told = refused("gcs://states/a", Access(tmp_path, settings={"credentials": account}))
    assert "Google gives us no token (" in told
    key = refused("gcs://states/a", Access(tmp_path, settings={"access_token": "t", "encryption_key": CANARY}))
    assert "`encryption_key` is neither 32 bytes in base64 nor a file of them" in key


def test_azure_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake, asked = Blobs(b"key", "sig=none", CANARY), []

    class Credential:
        def __init__(self, *given: Any, **named: Any) -> None:
            asked.append((*given, named.get("authority")))

        def get_token(self, scope: str) -> Any:
            return type("Token", (), {"token": CANARY})

    kinds = ("ClientSecretCredential", "CertificateCredential", "ClientAssertionCredential")
    for kind in (*kinds, "ManagedIdentityCredential", "AzureCliCredential"):
        monkeypatch.setattr(azure.identity, kind, Credential)
    fake.blobs["k"] = [b"{}"]
    (tmp_path / "token").write_text("oidc\n")
    with served(fake.reply) as host:
        who = {"tenant_id": "t", "client_id": "c", "blob_endpoint": f"http://{host}"}
        for given in (
            {"client_secret": CANARY, "environment": "usgovernment"},
            {"client_certificate_path": "c.pfx", "client_certificate_password": CANARY},
            {"use_oidc": "true", "oidc_token_file_path": "token"},
            {"use_msi": True},
            {},
        ):
            assert backends.fetch("azurerm://acme/states/k", Access(tmp_path, settings={**who, **given})) == b"{}"
    assert asked[0] == ("t", "c", CANARY, "login.microsoftonline.us")
    assert asked[1] == ("t", "c", str(tmp_path / "c.pfx"), "login.microsoftonline.com")
    assert asked[2][2]() == "oidc"
    assert asked[3:] == [(None,), (None,)]


def test_azure_that_gives_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    location = "azurerm://acme/states/k"
    assert "Azure gives us no token (CredentialUnavailableError)" in refused(location, Access(tmp_path))
    assert "use_oidc needs ARM_TENANT_ID" in refused(location, Access(tmp_path, settings={"use_oidc": True}))
    assert "`environment` is none of public" in refused(location, Access(tmp_path, settings={"environment": CANARY}))
    wrong = Access(tmp_path, settings={"access_key": f"{CANARY}!"})
    assert "the access key is not base64" in refused(location, wrong)
    for name in ("azure.identity", "google.auth.exceptions", "psycopg"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "pip install driftwarden[azure], or set ARM_ACCESS_KEY" in refused(location, Access(tmp_path))
    assert "pip install driftwarden[gcs]" in refused("gcs://a/b", Access(tmp_path))
    assert "pip install driftwarden[postgres]" in refused("pg://h:1/d/s/w", Access(tmp_path))


def test_azure_lists_that_are_none(tmp_path: Path) -> None:
    for body in (b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>', b"<x>", b"{}"):
        with served(lambda request, b=body: (200, {}, b)) as host:
            settings = {"blob_endpoint": f"http://{host}", "access_key": "aaaa"}
            with pytest.raises(StateError, match="answered what the service does not: is it Azure"):
                list(backends.history("azurerm://acme/states/k", Access(tmp_path, settings=settings)))


# --- Consul --------------------------------------------------------------------------------------------------


def test_consul_values_that_are_no_state(tmp_path: Path) -> None:
    fake = Consul(CANARY)
    with served(fake.reply) as host:
        settings = {"access_token": CANARY, "address": host}
        location, access = f"consul://{host}/p", Access(tmp_path, settings=settings, limit=100_000)
        fake.put("p", gzip.compress(b"x" * 10_000_000))
        assert "has 100,001 bytes, at most 100,000 are read" in refused(location, access)
        fake.put("p", b"\x1f\x8b" + CANARY.encode())
        assert "is not whole: it cannot be decompressed" in refused(location, access)
        index = {"current-hash": "0" * 32, "chunks": ["p/tfstate.x/0", "p/tfstate.x/1"]}
        fake.put("p", json.dumps(index).encode())
        assert "a piece of it went while it was read: scan again" in refused(location, access)
        fake.put("p/tfstate.x/0", b"{")
        fake.put("p/tfstate.x/1", b"}")
        assert "its pieces do not make the state of its hash: scan again" in refused(location, access)
        fake.put("p/tfstate.x/1", b" " * 100_000)
        assert "has 100,001 bytes, at most 100,000 are read" in refused(location, access)
        fake.put("p", json.dumps({**index, "chunks": [""] * 10_001}).encode())
        assert "has more than 10,000 pieces" in refused(location, Access(tmp_path, settings=settings))
        fake.put("p", b'{"version": 4, "outputs": {"current-hash": {"value": 1}}}' + b'"current-hash"')
        assert backends.fetch(location, access).startswith(b'{"version"')


def test_consul_that_is_none(tmp_path: Path) -> None:
    for body, told in {
        b"{}": "answered what Consul does not",
        b'[{"Value": "?"}]': "a value that is not base64",
    }.items():
        with served(lambda request, b=body: (200, {}, b)) as host:
            assert told in refused(f"consul://{host}/p", Access(tmp_path))


def test_consul_with_a_user_and_a_datacenter(tmp_path: Path) -> None:
    asked: list[Request] = []

    def reply(request: Request) -> Reply:
        asked.append(request)
        return 404, {}, b""

    with served(reply) as host:
        settings = {"http_auth": f"ann:{CANARY}", "datacenter": "dc2", "address": host}
        refused(f"consul://{host}/p", Access(tmp_path, settings=settings))
    assert asked[0].headers["authorization"] == f"Basic {b64encode(f'ann:{CANARY}'.encode()).decode()}"
    assert asked[0].query == {"consistent": "", "dc": "dc2"}
    missing = Access(tmp_path, settings={"cert_file": "none", "key_file": "none"})
    assert "its `cert_file` or `key_file` cannot be read" in refused("consul://h/p", missing)


# --- PostgreSQL ----------------------------------------------------------------------------------------------


def test_pg_without_its_settings(tmp_path: Path, postgres_socket: str, schema: str) -> None:
    """A location alone, the user from libpq's variables."""
    with state_places.pg(tmp_path, postgres_socket, schema) as place:
        place.put(b"{}", "default")
        environment = {"PGUSER": "driftwarden", "PGPASSWORD": CANARY}
        settings = backends.settle("pg", {}, directory=tmp_path, environment=environment)
        assert backends.fetch(place.location(), Access(tmp_path, settings=settings)) == b"{}"
        absent = place.location().replace("/postgres/", f"/{CANARY.replace('canary', 'no')}/")
        assert "cannot connect: " in refused(absent, Access(tmp_path, settings=settings))


def test_pg_is_only_read(tmp_path: Path, postgres_socket: str, schema: str) -> None:
    """A view in the table's place may call what it likes: it changes nothing."""
    with state_places.pg(tmp_path, postgres_socket, schema) as place, ExitStack() as stack:
        connect = psycopg.connect(place.environment["PG_CONN_STR"], autocommit=True)
        connection = stack.enter_context(connect)
        connection.execute(f"DROP TABLE {schema}.states")
        connection.execute(f"CREATE TABLE {schema}.kept (id int)")
        connection.execute(
            f"CREATE FUNCTION {schema}.evil() RETURNS text LANGUAGE plpgsql AS "
            f"$$ BEGIN INSERT INTO {schema}.kept VALUES (1); RETURN '{{}}'; END $$"
        )
        connection.execute(
            f"CREATE VIEW {schema}.states AS SELECT 1::bigint AS id, 'default' AS name, {schema}.evil() AS data"
        )
        assert "cannot be read: ReadOnlySqlTransaction 25006" in refused(place.location(), place.access())
        assert connection.execute(f"SELECT count(*) FROM {schema}.kept").fetchone() == (0,)


def test_no_state_is_told_apart() -> None:
    assert issubclass(NoStateError, StateError)
