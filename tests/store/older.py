"""A store as an older version of the schema had it: what later ones added is taken away."""

from sqlalchemy import Index, text

from agent.store import schema, versions
from agent.store.database import Database


def make(database: Database, version: int) -> None:
    """The store is of that version; what its later tables and columns held is lost."""
    with database.write() as connection:
        for number in range(schema.VERSION, version, -1):
            for added in reversed(versions.added(number)):
                if isinstance(added, Index):
                    added.drop(connection)
                else:
                    connection.execute(text(f"ALTER TABLE {added.table.name} DROP COLUMN {added.name}"))
            for table in versions.SINCE[number]:
                table.drop(connection)
        connection.execute(schema.marker.update().values(version=version))
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA user_version = {version}")
