from tests.userstores.fixtures import lane, open_database, open_sqlite, postgres_with_tables, slapd, tenant

__all__ = ["lane", "open_database", "open_sqlite", "postgres_with_tables", "slapd", "tenant"]
