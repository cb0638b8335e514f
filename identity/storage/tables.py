"""Every table of the server. Times are BIGINT microseconds, flags SMALLINT, documents JSON text.

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


def _tenant() -> Column[int]:
    return Column("tenant", BigInteger, primary_key=True, autoincrement=False)


def _text(name: str, default: str | None = None) -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def _moment(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


installation = Table(
    "installation",
    metadata,
    Column("name", Text, primary_key=True),
    _text("value"),
)

tenant = Table(
    "tenant",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("handle", Text, nullable=False, unique=True),
    Column("enabled", SmallInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    _text("settings"),
    _moment("created_at"),
)

application = Table(
    "application",
    metadata,
    _tenant(),
    Column("id", Text, primary_key=True),
    _text("client_id"),
    _text("name"),
    Column("enabled", SmallInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    _text("document"),
    _moment("created_at"),
    Index("uq_application_client_id", "client_id", "tenant", unique=True),
)

web_origin = Table(
    "web_origin",
    metadata,
    _tenant(),
    Column("origin", Text, primary_key=True),
    Column("application", Text, primary_key=True),
    Index("ix_web_origin_application", "application", "tenant"),
)

signing_key = Table(
    "signing_key",
    metadata,
    _tenant(),
    Column("kid", Text, primary_key=True),
    _text("algorithm"),
    _text("public_jwk"),
    Column("private_jwk", LargeBinary, nullable=False),
    _moment("created_at"),
    _moment("active_at"),
    _moment("retired_at", nullable=True),
)

user_store = Table(
    "user_store",
    metadata,
    _tenant(),
    Column("name", Text, primary_key=True),
    _text("type"),
    Column("settings", LargeBinary, nullable=False),
    Column("enabled", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    _moment("created_at"),
)

subject = Table(
    "subject",
    metadata,
    _tenant(),
    Column("id", Text, primary_key=True),
    _text("store"),
    _text("external_id"),
    _text("username"),
    Column("version", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("enabled", SmallInteger, nullable=False),
    _moment("created_at"),
    Index("uq_subject_external_id", "external_id", "tenant", "store", unique=True),
)

sso_session = Table(
    "sso_session",
    metadata,
    _tenant(),
    Column("id", Text, primary_key=True),
    Column("cookie_hash", LargeBinary, nullable=False),
    _text("subject"),
    Column("subject_epoch", BigInteger, nullable=False),
    _text("username"),
    _text("display_name"),
    _moment("auth_time"),
    _text("acr"),
    _text("amr"),
    Column("remembered", SmallInteger, nullable=False),
    _moment("created_at"),
    _moment("last_seen_at"),
    _moment("expires_at"),
    _moment("ended_at", nullable=True),
    _text("user_agent"),
    _text("address"),
    Index("uq_sso_session_cookie_hash", "cookie_hash", "tenant", unique=True),
    Index("ix_sso_session_subject", "subject", "tenant"),
    Index("ix_sso_session_expires_at", "expires_at"),
)

login_flow = Table(
    "login_flow",
    metadata,
    _tenant(),
    Column("id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("cookie_hash", LargeBinary, nullable=False),
    _text("application"),
    _text("return_path"),
    _text("request"),
    _text("journal"),
    Column("session", Text),
    _moment("created_at"),
    _moment("expires_at"),
    _moment("consumed_at", nullable=True),
    Index("ix_login_flow_expires_at", "expires_at"),
)

consent = Table(
    "consent",
    metadata,
    _tenant(),
    Column("subject", Text, primary_key=True),
    Column("application", Text, primary_key=True),
    _text("scope"),
    _moment("granted_at"),
)

grants = Table(
    "grants",
    metadata,
    _tenant(),
    Column("id", Text, primary_key=True),
    _text("application"),
    _text("subject"),
    Column("session", Text),
    Column("session_bound", SmallInteger, nullable=False),
    _text("scope"),
    Column("claims", LargeBinary, nullable=False),
    Column("subject_version", BigInteger, nullable=False),
    Column("subject_epoch", BigInteger, nullable=False),
    _text("requested_claims"),
    _moment("auth_time"),
    _text("acr"),
    _text("amr"),
    Column("nonce", Text),
    _moment("created_at"),
    _moment("expires_at"),
    _moment("revoked_at", nullable=True),
    Index("ix_grants_subject", "subject", "tenant", "application"),
    Index("ix_grants_session", "session", "tenant"),
    Index("ix_grants_expires_at", "expires_at"),
)

authorization_code = Table(
    "authorization_code",
    metadata,
    _tenant(),
    Column("hash", LargeBinary, primary_key=True),
    _text("grant_id"),
    _text("redirect_uri"),
    _text("code_challenge"),
    _moment("expires_at"),
    _moment("keep_until"),
    _moment("consumed_at", nullable=True),
    Index("ix_authorization_code_keep_until", "keep_until"),
)

access_token = Table(
    "access_token",
    metadata,
    _tenant(),
    Column("hash", LargeBinary, primary_key=True),
    _text("application"),
    _text("grant_id"),
    _text("scope"),
    _text("audience"),
    _moment("issued_at"),
    _moment("expires_at"),
    _moment("revoked_at", nullable=True),
    Index("ix_access_token_expires_at", "expires_at"),
)

refresh_token = Table(
    "refresh_token",
    metadata,
    _tenant(),
    Column("hash", LargeBinary, primary_key=True),
    _text("grant_id"),
    _text("application"),
    _text("scope"),
    Column("parent", LargeBinary),
    _moment("issued_at"),
    _moment("expires_at"),
    _moment("first_used_at", nullable=True),
    Column("uses", BigInteger, nullable=False),
    _moment("closed_at", nullable=True),
    Index("ix_refresh_token_expires_at", "expires_at"),
)

attempt = Table(
    "attempt",
    metadata,
    _tenant(),
    Column("key", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    _moment("window_ends_at"),
    _moment("locked_until", nullable=True),
    Index("ix_attempt_window_ends_at", "window_ends_at"),
)

event = Table(
    "event",
    metadata,
    _tenant(),
    Column("id", Text, primary_key=True),
    _text("type"),
    _moment("at"),
    _text("subject"),
    _text("application"),
    _text("session"),
    _text("grant_id"),
    _text("address"),
    _text("trace_id"),
    _text("data"),
    Index("ix_event_at", "at", "tenant"),
    Index("ix_event_subject", "subject", "tenant", "at"),
)
