"""The tables of sign-in scripts and of what logins leave behind: traces, recordings, comparisons."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, Table, Text

from identity.storage.tables import metadata as other_tables
from identity.storage.tables import moment_column, tenant_column, text_column

metadata = MetaData(naming_convention=other_tables.naming_convention)

script_bundle = Table(
    "script_bundle",
    metadata,
    tenant_column(),
    Column("hash", Text, primary_key=True),
    text_column("document"),
    moment_column("created_at"),
)

script_version = Table(
    "script_version",
    metadata,
    tenant_column(),
    Column("application", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    text_column("hash"),
    text_column("source"),
    text_column("tests"),
    text_column("author"),
    text_column("note"),
    moment_column("created_at"),
    moment_column("published_at", nullable=True),
)

script_library = Table(
    "script_library",
    metadata,
    tenant_column(),
    Column("name", Text, primary_key=True),
    text_column("description"),
    text_column("source"),
    moment_column("created_at"),
    moment_column("updated_at"),
)

script_secret = Table(
    "script_secret",
    metadata,
    tenant_column(),
    Column("name", Text, primary_key=True),
    text_column("description"),
    text_column("hosts"),
    Column("sealed", LargeBinary, nullable=False),
    moment_column("created_at"),
    moment_column("updated_at"),
)

login_trace = Table(
    "login_trace",
    metadata,
    tenant_column(),
    Column("id", Text, primary_key=True),
    text_column("application"),
    text_column("subject"),
    text_column("outcome"),
    text_column("script"),
    Column("document", LargeBinary, nullable=False),
    moment_column("at"),
    moment_column("expires_at"),
    Index("ix_login_trace_subject", "subject", "tenant", "at"),
    Index("ix_login_trace_expires_at", "expires_at"),
)

recording_key = Table(
    "recording_key",
    metadata,
    tenant_column(),
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
    moment_column("expires_at"),
    Index("ix_recording_key_expires_at", "expires_at"),
)

recorded_login = Table(
    "recorded_login",
    metadata,
    tenant_column(),
    Column("id", Text, primary_key=True),
    Column("day", BigInteger, nullable=False),
    text_column("application"),
    text_column("subject"),
    text_column("script"),
    text_column("outcome"),
    Column("document", LargeBinary, nullable=False),
    moment_column("at"),
    moment_column("expires_at"),
    Index("ix_recorded_login_at", "at", "tenant"),
    Index("ix_recorded_login_subject", "subject", "tenant"),
    Index("ix_recorded_login_expires_at", "expires_at"),
)

shadow_comparison = Table(
    "shadow_comparison",
    metadata,
    tenant_column(),
    Column("application", Text, primary_key=True),
    Column("candidate", Text, primary_key=True),
    Column("verdict", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    text_column("example"),
    moment_column("first_at"),
    moment_column("last_at"),
)

last_login = Table(
    "last_login",
    metadata,
    tenant_column(),
    Column("subject", Text, primary_key=True),
    moment_column("at"),
    Column("document", LargeBinary, nullable=False),
)

pending_enrolment = Table(
    "pending_enrolment",
    metadata,
    tenant_column(),
    Column("subject", Text, primary_key=True),
    Column("authenticator", Text, primary_key=True),
    text_column("id"),
    Column("state", LargeBinary, nullable=False),
    moment_column("expires_at"),
    Index("ix_pending_enrolment_expires_at", "expires_at"),
)
