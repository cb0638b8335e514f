"""The tables of people, applications, sessions and tokens; `authorization_tables.py` has the others.

Times are BIGINT microseconds, flags SMALLINT, documents JSON text.

Every tenant's table is keyed by tenant first, so that it shards; the token road's tables have no foreign keys. Other
indexes begin with their selective column: one that began with the tenant would look as good to PostgreSQL as the
primary key while a table is new, and a plan kept from then reads all rows of a tenant.
"""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, SmallInteger, Table, Text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)


def tenant_column() -> Column[int]:
    return Column("tenant", BigInteger, primary_key=True, autoincrement=False)


def text_column(name: str, default: str | None = None) -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def moment_column(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


installation = Table(
    "installation",
    metadata,
    Column("name", Text, primary_key=True),
    text_column("value"),
)

tenant = Table(
    "tenant",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("handle", Text, nullable=False, unique=True),
    Column("enabled", SmallInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    text_column("settings"),
    moment_column("created_at"),
)

application = Table(
    "application",
    metadata,
    tenant_column(),
    Column("id", Text, primary_key=True),
    text_column("client_id"),
    text_column("name"),
    Column("enabled", SmallInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    text_column("document"),
    moment_column("created_at"),
    Index("uq_application_client_id", "client_id", "tenant", unique=True),
    Index("ix_application_name", "name", "tenant"),
)

web_origin = Table(
    "web_origin",
    metadata,
    tenant_column(),
    Column("origin", Text, primary_key=True),
    Column("application", Text, primary_key=True),
    Index("ix_web_origin_application", "application", "tenant"),
)

signing_key = Table(
    "signing_key",
    metadata,
    tenant_column(),
    Column("kid", Text, primary_key=True),
    text_column("algorithm"),
    text_column("public_jwk"),
    Column("private_jwk", LargeBinary, nullable=False),
    moment_column("created_at"),
    moment_column("active_at"),
    moment_column("retired_at", nullable=True),
    text_column("use", "sig"),
)

user_store = Table(
    "user_store",
    metadata,
    tenant_column(),
    Column("name", Text, primary_key=True),
    text_column("type"),
    Column("settings", LargeBinary, nullable=False),
    Column("enabled", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    moment_column("created_at"),
)

subject = Table(
    "subject",
    metadata,
    tenant_column(),
    Column("id", Text, primary_key=True),
    text_column("store"),
    text_column("external_id"),
    text_column("username"),
    Column("version", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("enabled", SmallInteger, nullable=False),
    moment_column("created_at"),
    Index("uq_subject_external_id", "external_id", "tenant", "store", unique=True),
)

sso_session = Table(
    "sso_session",
    metadata,
    tenant_column(),
    Column("id", Text, primary_key=True),
    Column("cookie_hash", LargeBinary, nullable=False),
    text_column("subject"),
    Column("subject_epoch", BigInteger, nullable=False),
    text_column("username"),
    text_column("display_name"),
    moment_column("auth_time"),
    text_column("acr"),
    text_column("amr"),
    Column("remembered", SmallInteger, nullable=False),
    moment_column("created_at"),
    moment_column("last_seen_at"),
    moment_column("expires_at"),
    moment_column("ended_at", nullable=True),
    text_column("user_agent"),
    text_column("address"),
    text_column("factors", ""),
    Index("uq_sso_session_cookie_hash", "cookie_hash", "tenant", unique=True),
    Index("ix_sso_session_subject", "subject", "tenant"),
    Index("ix_sso_session_expires_at", "expires_at"),
)

login_flow = Table(
    "login_flow",
    metadata,
    tenant_column(),
    Column("id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("cookie_hash", LargeBinary, nullable=False),
    text_column("application"),
    text_column("return_path"),
    text_column("request"),
    text_column("journal"),
    Column("session", Text),
    moment_column("created_at"),
    moment_column("expires_at"),
    moment_column("consumed_at", nullable=True),
    Column("record", LargeBinary),
    Index("ix_login_flow_expires_at", "expires_at"),
)

consent = Table(
    "consent",
    metadata,
    tenant_column(),
    Column("subject", Text, primary_key=True),
    Column("application", Text, primary_key=True),
    text_column("scope"),
    moment_column("granted_at"),
    text_column("resources", ""),
)

grants = Table(
    "grants",
    metadata,
    tenant_column(),
    Column("id", Text, primary_key=True),
    text_column("application"),
    text_column("subject"),
    Column("session", Text),
    Column("session_bound", SmallInteger, nullable=False),
    text_column("scope"),
    Column("claims", LargeBinary, nullable=False),
    Column("subject_version", BigInteger, nullable=False),
    Column("subject_epoch", BigInteger, nullable=False),
    text_column("requested_claims"),
    moment_column("auth_time"),
    text_column("acr"),
    text_column("amr"),
    Column("nonce", Text),
    moment_column("created_at"),
    moment_column("expires_at"),
    moment_column("revoked_at", nullable=True),
    text_column("kind", "authorization_code"),
    text_column("resources", ""),
    text_column("authorization_details", ""),
    text_column("actor", ""),
    text_column("confirmation", ""),
    Column("source", Text),
    Index("ix_grants_source", "source", "tenant"),
    Index("ix_grants_subject", "subject", "tenant", "application"),
    Index("ix_grants_session", "session", "tenant"),
    Index("ix_grants_expires_at", "expires_at"),
)

authorization_code = Table(
    "authorization_code",
    metadata,
    tenant_column(),
    Column("hash", LargeBinary, primary_key=True),
    text_column("grant_id"),
    text_column("redirect_uri"),
    text_column("code_challenge"),
    moment_column("expires_at"),
    moment_column("keep_until"),
    moment_column("consumed_at", nullable=True),
    Index("ix_authorization_code_keep_until", "keep_until"),
)

access_token = Table(
    "access_token",
    metadata,
    tenant_column(),
    Column("hash", LargeBinary, primary_key=True),
    text_column("application"),
    text_column("grant_id"),
    text_column("scope"),
    text_column("audience"),
    moment_column("issued_at"),
    moment_column("expires_at"),
    moment_column("revoked_at", nullable=True),
    text_column("extra", ""),
    Index("ix_access_token_expires_at", "expires_at"),
)

refresh_token = Table(
    "refresh_token",
    metadata,
    tenant_column(),
    Column("hash", LargeBinary, primary_key=True),
    text_column("grant_id"),
    text_column("application"),
    text_column("scope"),
    Column("parent", LargeBinary),
    moment_column("issued_at"),
    moment_column("expires_at"),
    moment_column("first_used_at", nullable=True),
    Column("uses", BigInteger, nullable=False),
    moment_column("closed_at", nullable=True),
    text_column("confirmation", ""),
    Index("ix_refresh_token_expires_at", "expires_at"),
)

attempt = Table(
    "attempt",
    metadata,
    tenant_column(),
    Column("key", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    moment_column("window_ends_at"),
    moment_column("locked_until", nullable=True),
    Index("ix_attempt_window_ends_at", "window_ends_at"),
)

enrolled_factor = Table(
    "enrolled_factor",
    metadata,
    tenant_column(),
    Column("id", Text, primary_key=True),
    text_column("subject"),
    text_column("authenticator"),
    text_column("label"),
    Column("lookup", LargeBinary),
    Column("secret", LargeBinary),
    Column("counter", BigInteger, nullable=False),
    text_column("document"),
    moment_column("created_at"),
    moment_column("last_used_at", nullable=True),
    Column("failures", BigInteger, nullable=False),
    Index("uq_enrolled_factor_lookup", "lookup", "tenant", unique=True),
    Index("ix_enrolled_factor_subject", "subject", "tenant"),
)

event = Table(
    "event",
    metadata,
    tenant_column(),
    Column("id", Text, primary_key=True),
    text_column("type"),
    moment_column("at"),
    text_column("subject"),
    text_column("application"),
    text_column("session"),
    text_column("grant_id"),
    text_column("address"),
    text_column("trace_id"),
    text_column("data"),
    Index("ix_event_at", "at", "tenant"),
    Index("ix_event_subject", "subject", "tenant", "at"),
)
