from tests.userstores.fixtures import (
    lane,
    open_database,
    open_sqlite,
    open_store,
    own_slapd,
    postgres_with_tables,
    slapd,
    tenant,
)

__all__ = [
    "lane",
    "open_database",
    "open_sqlite",
    "open_store",
    "own_slapd",
    "postgres_with_tables",
    "slapd",
    "tenant",
]
