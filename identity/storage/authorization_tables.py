"""The tables of authorizations under way, of API resources and roles, and of what is sent to others.

The conventions are those of `tables.py`.
"""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, Table, Text

from identity.storage import tables
from identity.storage.tables import moment_column, tenant_column, text_column

metadata = MetaData(naming_convention=tables.metadata.naming_convention)

pushed_request = Table(
    "pushed_request",
    metadata,
    tenant_column(),
    Column("hash", LargeBinary, primary_key=True),
    text_column("application"),
    text_column("parameters"),
    moment_column("expires_at"),
    moment_column("keep_until"),
    moment_column("consumed_at", nullable=True),
    Index("ix_pushed_request_keep_until", "keep_until"),
)

pending_authorization = Table(
    "pending_authorization",
    metadata,
    tenant_column(),
    Column("hash", LargeBinary, primary_key=True),
    text_column("kind"),
    text_column("application"),
    Column("user_code", Text),
    text_column("request"),
    text_column("status", "pending"),
    Column("subject", Text),
    Column("grant_id", Text),
    Column("interval_seconds", BigInteger, nullable=False),
    moment_column("next_poll_at"),
    moment_column("created_at"),
    moment_column("expires_at"),
    Index("uq_pending_authorization_user_code", "user_code", "tenant", unique=True),
    Index("ix_pending_authorization_subject", "subject", "tenant"),
    Index("ix_pending_authorization_expires_at", "expires_at"),
)

used_value = Table(
    "used_value",
    metadata,
    tenant_column(),
    Column("hash", LargeBinary, primary_key=True),
    moment_column("expires_at"),
    Index("ix_used_value_expires_at", "expires_at"),
)

delivery = Table(
    "delivery",
    metadata,
    tenant_column(),
    Column("id", Text, primary_key=True),
    text_column("kind"),
    text_column("target"),
    text_column("application", ""),
    text_column("subject", ""),
    Column("payload", LargeBinary, nullable=False),
    moment_column("created_at"),
    moment_column("next_at"),
    moment_column("leased_until", nullable=True),
    Column("attempts", BigInteger, nullable=False, server_default="0"),
    moment_column("delivered_at", nullable=True),
    moment_column("failed_at", nullable=True),
    Column("last_status", BigInteger, nullable=False, server_default="0"),
    text_column("last_error", ""),
    moment_column("expires_at"),
    Column("key", Text, nullable=True),
    Index("ix_delivery_next_at", "next_at"),
    Index("ix_delivery_expires_at", "expires_at"),
    Index("uq_delivery_key", "key", "tenant", unique=True),
)

captured_mail = Table(
    "captured_mail",
    metadata,
    tenant_column(),
    Column("id", Text, primary_key=True),
    Column("payload", LargeBinary, nullable=False),
    moment_column("captured_at"),
    moment_column("expires_at"),
    Index("ix_captured_mail_expires_at", "expires_at"),
)

api_resource = Table(
    "api_resource",
    metadata,
    tenant_column(),
    Column("id", Text, primary_key=True),
    text_column("identifier"),
    text_column("document"),
    moment_column("created_at"),
    Index("uq_api_resource_identifier", "identifier", "tenant", unique=True),
)

api_scope = Table(
    "api_scope",
    metadata,
    tenant_column(),
    Column("name", Text, primary_key=True),
    text_column("api"),
    text_column("document"),
    Index("ix_api_scope_api", "api", "tenant"),
)

authorization_details_type = Table(
    "authorization_details_type",
    metadata,
    tenant_column(),
    Column("type", Text, primary_key=True),
    text_column("api"),
    text_column("document"),
    Index("ix_authorization_details_type_api", "api", "tenant"),
)

role = Table(
    "role",
    metadata,
    tenant_column(),
    Column("id", Text, primary_key=True),
    text_column("name"),
    text_column("audience_type", "organization"),
    text_column("audience", ""),
    moment_column("created_at"),
    Index("uq_role_name", "name", "tenant", "audience_type", "audience", unique=True),
)

role_scope = Table(
    "role_scope",
    metadata,
    tenant_column(),
    Column("role", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
    Index("ix_role_scope_scope", "scope", "tenant"),
)

role_member = Table(
    "role_member",
    metadata,
    tenant_column(),
    Column("role", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("member", Text, primary_key=True),
    Index("ix_role_member_member", "member", "tenant"),
)

trusted_issuer = Table(
    "trusted_issuer",
    metadata,
    tenant_column(),
    Column("id", Text, primary_key=True),
    text_column("name"),
    text_column("issuer"),
    text_column("document"),
    moment_column("created_at"),
    Index("uq_trusted_issuer_issuer", "issuer", "tenant", unique=True),
)

initial_access_token = Table(
    "initial_access_token",
    metadata,
    tenant_column(),
    Column("hash", LargeBinary, primary_key=True),
    text_column("document"),
    Column("uses_left", BigInteger, nullable=False),
    moment_column("created_at"),
    moment_column("expires_at"),
    Index("ix_initial_access_token_expires_at", "expires_at"),
)

notification_target = Table(
    "notification_target",
    metadata,
    tenant_column(),
    Column("id", Text, primary_key=True),
    text_column("kind"),
    text_column("url"),
    Column("settings", LargeBinary, nullable=False),
    moment_column("created_at"),
)

logo = Table(
    "logo",
    metadata,
    tenant_column(),
    Column("application", Text, primary_key=True),
    text_column("source"),
    text_column("content_type"),
    Column("body", LargeBinary, nullable=False),
    moment_column("fetched_at"),
)
