"""State in PostgreSQL; hides Terraform's table, its advisory locks and how a connection is described.

A location is `pg://host:port/database/schema/workspace`
(https://developer.hashicorp.com/terraform/language/backend/pg).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from agent.clean import clean
from agent.declared.backends import Access, Fetched
from agent.declared.state import NoStateError, StateError, refuse_size

if TYPE_CHECKING:
    import psycopg

ENVIRONMENT = {
    "conn_str": ("PG_CONN_STR",),
    "schema_name": ("PG_SCHEMA_NAME",),
    "host": ("PGHOST",),
    "port": ("PGPORT",),
    "dbname": ("PGDATABASE",),
    "user": ("PGUSER",),
    "password": ("PGPASSWORD",),
    "sslmode": ("PGSSLMODE",),
    "sslcert": ("PGSSLCERT",),
    "sslkey": ("PGSSLKEY",),
    "sslrootcert": ("PGSSLROOTCERT",),
}
_PARAMETERS = tuple(name for name in ENVIRONMENT if name not in ("conn_str", "schema_name"))
SCHEMA = "terraform_remote_state"
_STATE = """
SELECT id, octet_length(data), CASE WHEN octet_length(data) <= %s THEN convert_to(data, 'UTF8') END
FROM {}.states WHERE name = %s
"""
_LOCK = """
SELECT coalesce(usename::text, ''), coalesce(host(client_addr), '')
FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND ((classid::bigint << 32) | objid::bigint) = %s
"""


def location(settings: Mapping[str, Any], workspace: str) -> str:
    """`pg://host:port/database/schema/workspace`, without user and password."""
    place = _place(_parameters(settings))
    if place.endswith("/"):
        raise StateError('the `backend "pg"` block does not name its database: set `conn_str` in `backend_config`')
    schema = str(settings.get("schema_name") or SCHEMA)
    return f"pg://{place}/{quote(schema, safe='')}/{quote(workspace, safe='')}"


def _place(parameters: Mapping[str, str]) -> str:
    """`host:port/database`."""
    host = quote(parameters.get("host", "localhost").split(",")[0], safe="")
    port = quote(parameters.get("port", "5432").split(",")[0], safe="")
    return f"{host}:{port}/{quote(parameters.get('dbname') or parameters.get('user') or '', safe='')}"


def _parameters(settings: Mapping[str, Any]) -> dict[str, str]:
    """Parameters of the connection: what `conn_str` says, else the variables of libpq's."""
    found = {name: str(settings[name]) for name in _PARAMETERS if settings.get(name)}
    text = str(settings.get("conn_str") or "")
    if not text.startswith(("postgres://", "postgresql://")):
        return found | _pairs(text)
    try:
        parts = urlsplit(text)
        told = {"host": parts.hostname, "port": str(parts.port or ""), "dbname": parts.path.strip("/")}
        told |= {"user": parts.username, "password": parts.password}
        told |= dict(parse_qsl(parts.query))
    except ValueError:
        raise StateError("the pg backend's `conn_str` is not an address: write postgres://host/database") from None
    return found | {name: unquote(value) for name, value in told.items() if value}


def _pairs(text: str) -> dict[str, str]:
    if not text.strip():
        return {}
    try:
        import psycopg

        return {name: str(value) for name, value in psycopg.conninfo.conninfo_to_dict(text).items()}
    except ImportError:
        raise StateError("states in pg need psycopg: pip install driftwarden[postgres]") from None
    except psycopg.ProgrammingError:
        raise StateError("the pg backend's `conn_str` is not one: write postgres://host/database") from None


def read(location: str, access: Access, version: str) -> Fetched:
    """The row of a workspace, and who holds its lock; it has no versions."""
    if version:
        raise StateError(f"{location} has no versions")
    try:
        import psycopg
    except ImportError:
        raise StateError(f"{location}: needs psycopg: pip install driftwarden[postgres]") from None
    parameters, schema, workspace = _connection(location, access)
    try:
        with psycopg.connect(**parameters) as connection:
            return _read(connection, schema, workspace, location, access)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        raise NoStateError(
            f"{location}: there is no table of states: apply the stack, or correct the location"
        ) from None
    except psycopg.errors.InsufficientPrivilege:
        raise StateError(
            f"{location}: access denied: allow our user USAGE on the schema and SELECT on `states`"
        ) from None
    except psycopg.OperationalError as error:
        raise StateError(f"{location}: {_why(error, parameters)}") from None
    except psycopg.Error as error:
        raise StateError(
            f"{location}: cannot be read: {type(error).__name__} {error.sqlstate or ''}".rstrip()
        ) from None


def _connection(location: str, access: Access) -> tuple[dict[str, Any], str, str]:
    """Parameters, schema and workspace. The settings' connection is taken where it leads to the location."""
    parts = location.removeprefix("pg://").split("/")
    if len(parts) != 4 or not all(parts):
        raise StateError(f"{location} names no state: write pg://host:port/database/schema/workspace")
    server, database, schema, workspace = parts
    parameters = _parameters(access.settings)
    host, _, port = server.partition(":")
    if _place(parameters) != f"{host}:{port or 5432}/{database}":
        parameters |= {"host": unquote(host), "port": unquote(port) or "5432", "dbname": unquote(database)}
    fixed = {"connect_timeout": max(2, int(access.timeout)), "application_name": "driftwarden"}
    return {**parameters, **fixed}, unquote(schema), unquote(workspace)


def _read(connection: psycopg.Connection[Any], schema: str, workspace: str, location: str, access: Access) -> Fetched:
    from psycopg import sql

    connection.read_only = True
    with connection.cursor(binary=True) as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", (str(int(access.patience * 1000)),))
        cursor.execute(sql.SQL(_STATE).format(sql.Identifier(schema)), (access.limit, workspace))
        row = cursor.fetchone()
        if row is None:
            raise NoStateError(f"{location}: there is no such workspace: apply the stack, or correct the location")
        identity, size, data = row
        refuse_size(size or 0, location, access.limit)
        cursor.execute(_LOCK, (identity,))
        lock = cursor.fetchone()
    locked = clean("@".join(filter(None, lock)) or "somebody", 200) if lock else ""
    return Fetched(bytes(data or b""), locked=locked)


def _why(error: psycopg.OperationalError, parameters: Mapping[str, Any]) -> str:
    """What the server or the network said, without what we said to it."""
    said = clean(str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__, 300)
    secret = parameters.get("password")
    return f"cannot connect: {said.replace(str(secret), '…') if secret else said}"
