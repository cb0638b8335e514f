"""Alembic's entry: runs the steps on the connection that `identity.storage.migrations` hands over."""

from alembic import context
from sqlalchemy import Connection

import identity.storage.authorization_tables
import identity.storage.sign_in_tables
import identity.storage.tables
import userstores.sql.tables

METADATAS = [
    identity.storage.tables.metadata,
    identity.storage.authorization_tables.metadata,
    identity.storage.sign_in_tables.metadata,
    userstores.sql.tables.metadata,
]


def run() -> None:
    connection = context.config.attributes["connection"]
    assert isinstance(connection, Connection)
    context.configure(
        connection=connection, target_metadata=METADATAS, transactional_ddl=True, compare_server_default=True
    )
    with context.begin_transaction():
        context.run_migrations()


run()
