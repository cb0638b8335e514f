"""Tables of the SQL store. Times are BIGINT microseconds, flags SMALLINT; keyed by tenant first, so that they shard."""

from sqlalchemy import BigInteger, Column, Index, MetaData, SmallInteger, Table, Text

metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s"})


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


def _tenant() -> Column[int]:
    return Column("tenant", BigInteger, primary_key=True, autoincrement=False)


store_user = Table(
    "store_user",
    metadata,
    _tenant(),
    _key("store"),
    _key("id"),
    Column("username", Text, nullable=False),
    Column("username_key", Text, nullable=False),
    Column("email_key", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("must_change_password", SmallInteger, nullable=False),
    Column("enabled", SmallInteger, nullable=False),
    Column("attributes", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("password_changed_at", BigInteger, nullable=False),
    Index("uq_store_user_username_key", "tenant", "store", "username_key", unique=True),
    Index("ix_store_user_email_key", "email_key", "tenant", "store"),
)

store_group = Table(
    "store_group",
    metadata,
    _tenant(),
    _key("store"),
    _key("id"),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("uq_store_group_name_key", "tenant", "store", "name_key", unique=True),
)

store_membership = Table(
    "store_membership",
    metadata,
    _tenant(),
    _key("store"),
    _key("user_id"),
    _key("group_id"),
    Index("ix_store_membership_group", "group_id", "tenant", "store"),
)
