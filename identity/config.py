"""The configuration tree: command line, then environment (`IDENTITY_…`), then `identity.toml`, then the default.

Unknown keys refuse to start. Tenants, applications, stores and keys are data behind `administration/`, not settings.
`docs/configuration.md` is generated from this file by `identity check --reference`.
"""

from enum import StrEnum
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from identity.errors import ConfigurationError

LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
SmtpTls = Literal["implicit", "starttls", "none"]
TEST_MODE = "TEST MODE is on: loopback addresses are called and programs may decide requests. Never in production."


class Purpose(StrEnum):
    """Why the server calls somebody: what an administrator allows is allowed for one of these."""

    CLIENT_METADATA = "client_metadata"
    """What an application's registration points to: jwks_uri, request_uri, sector_identifier_uri, logo_uri, a client
    ID metadata document."""
    LOGOUT = "logout"
    CIBA_PING = "ciba_ping"
    NOTIFY = "notify"
    """Revocation events, to gateways."""
    ISSUER_KEYS = "issuer_keys"
    """Keys of trusted token issuers."""
    SCRIPT = "script"
    """HTTP calls of sign-in scripts, to the hosts that their tenant has listed."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="IDENTITY_", toml_file="identity.toml", extra="forbid", frozen=True, validate_default=True
    )

    data: Path = Field(Path(".data"), description="Folder of the embedded database, the master key and caches.")
    database_url: SecretStr | None = Field(
        None, description="`postgresql://…` for PostgreSQL; without it the embedded SQLite database in `data`."
    )
    master_key: SecretStr | None = Field(
        None, description="64 hexadecimal digits; seals keys and secrets at rest. Required with PostgreSQL."
    )
    master_key_file: Path | None = Field(None, description="A file that holds the master key.")
    previous_master_keys: tuple[SecretStr, ...] = Field(
        (), description="Older master keys: they still open values until `identity keys rewrap` has run."
    )
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(1, ge=1, le=64, description="Worker processes. More than one needs PostgreSQL.")
    base_url: str | None = Field(
        None,
        description="The address people and applications use, for example `https://id.example.org`. "
        "Default `http://localhost:<port>`, on loopback only.",
    )
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses or networks whose `X-Forwarded-For` is believed. Nobody by default."
    )
    proxy_client_certificates: bool = Field(
        False,
        description="Believe the `Client-Cert` header (RFC 9440) of `trusted_proxies`. They must remove the one that "
        "a client sends.",
    )
    tls_certificate: Path | None = Field(
        None, description="PEM file of the server's certificate and its chain: `serve` then answers https itself."
    )
    tls_key: Path | None = Field(None, description="PEM file of the certificate's private key, not encrypted.")
    tls_client_ca: Path | None = Field(
        None,
        description="PEM file of the authorities that issue client certificates. `tls_client_auth` accepts no other.",
    )
    mtls_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="A second port, which asks for a client certificate (RFC 8705), so that browsers on `port` see no "
        "prompt.",
    )
    mtls_base_url: str | None = Field(
        None,
        description="The address of `mtls_endpoint_aliases`. Default: the base URL's host with `mtls_port`.",
    )
    script_isolation: Literal["auto", "required", "preferred", "off"] = Field(
        "auto",
        description="Where sign-in scripts run: in locked worker processes or not at all (`required`), in this process "
        "where those cannot be had (`preferred`), always in this process (`off`). `auto` is `required` as soon as "
        "there is more than one tenant, and `preferred` before.",
    )
    script_threads: int = Field(
        0, ge=0, le=64, description="Scripts that run at once; 0 is one less than the machine has cores."
    )
    network_databases: tuple[Path, ...] = Field(
        (),
        description="Files in MaxMind's format (city, country, ASN) that tell sign-in scripts where an address is.",
    )
    metrics_from: tuple[str, ...] = Field(
        ("127.0.0.0/8", "::1/128"), description="Networks that may read `/metrics`, directly and not through a proxy."
    )
    outbound_allow: dict[Purpose, tuple[str, ...]] = Field(
        {},
        description="Whom the server may call beyond public https addresses, by purpose (`client_metadata`, `logout`, "
        "`ciba_ping`, `notify`, `issuer_keys`, `script`), in the environment as JSON: "
        '`{"notify": ["am.example.internal", "10.2.0.0/16"]}`. A host (`*.` for all below it, `:port` for one port '
        "only) or a network may then be a private address; `http://host` may also be called without TLS. Link-local "
        "and metadata addresses are never called, loopback in test mode only.",
    )
    outbound_ca_file: Path | dict[Purpose, Path] | None = Field(
        None,
        description="PEM file of authorities that outbound calls trust beside the system's; one file, or one by "
        "purpose.",
    )
    smtp_host: str | None = Field(
        None, min_length=1, description="The mail server. Without it mail is captured: `identity mail list` shows it."
    )
    smtp_port: int | None = Field(
        None, ge=1, le=65535, description="Its port. Default: 465, with `starttls` 587, with `none` 25."
    )
    smtp_tls: SmtpTls = Field(
        "implicit",
        description="`implicit`, `starttls` (required, never only tried) or `none`, which is for a server on loopback. "
        "Certificates are always verified.",
    )
    smtp_user: str | None = Field(None, min_length=1, description="User name at the mail server, if it wants one.")
    smtp_password: SecretStr | None = Field(None, description="The password that goes with it.")
    smtp_ca_file: Path | None = Field(
        None,
        description="PEM file of authorities that the mail server's certificate may come from, beside the system's.",
    )
    smtp_timeout: float = Field(10, gt=0, le=30, description="Seconds for one mail, connection and answer together.")
    mail_from: str | None = Field(
        None, description="Sender of mail, like `Example <id@example.org>`. Required with `smtp_host`."
    )
    test_mode: bool = Field(
        False,
        description="For test installations only: outbound calls reach loopback, there without TLS too, and requests "
        "of client-initiated backchannel authentication can be decided by a program. Needs a base URL on loopback, or "
        "`test_mode_key`.",
    )
    test_mode_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="At least 16 characters that a program of the test installation presents; allows `test_mode` on a "
        "public base URL.",
    )
    demo: bool = Field(False, description="Demo data and a sample application; loopback only.")
    log_level: str = Field("info", description="`debug`, `info`, `warning` or `error`.")
    log_json: bool = Field(True, description="JSON lines; off for a person reading a terminal.")
    otlp_endpoint: str | None = Field(None, description="Where OpenTelemetry traces go (OTLP over HTTP).")
    trace_sample_ratio: float = Field(0.01, ge=0, le=1, description="Share of requests that make spans.")
    hash_threads: int = Field(2, ge=1, le=64, description="Threads that hash passwords, at nice 10.")
    hash_queue: int = Field(64, ge=1, description="Hashes that may wait; beyond, 503 with Retry-After.")
    head_limit: int = Field(32768, ge=4096, description="Bytes of a request's head; beyond, 431.")
    head_seconds: float = Field(10, gt=0, description="Seconds for a request's head to arrive; beyond, 408.")

    @field_validator("base_url", "mtls_base_url")
    @classmethod
    def _origin_only(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.query
            or parts.fragment
            or parts.username
        ):
            raise ValueError("must be like https://id.example.org")
        if parts.path not in ("", "/"):
            raise ValueError("must not have a path: the server answers at the root of its host")
        return f"{parts.scheme}://{parts.netloc}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def embedded(self) -> bool:
        return self.database_url is None

    @property
    def database_file(self) -> Path:
        return self.data / "identity.sqlite3"


def load_settings(**overrides: Any) -> Settings:
    """Settings from all sources; `overrides` are the command line's (None means not given).

    Raises ConfigurationError with one line that names the setting at fault.
    """
    _refuse_unknown_environment()
    try:
        settings = Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        problem = error.errors()[0]
        # Without pydantic's words for the branches of a union.
        place = ".".join(str(part) for part in problem["loc"] if "[" not in str(part))
        raise ConfigurationError(f"Setting {place}: {problem['msg']}.") from None
    except SettingsError as error:
        raise ConfigurationError(f"{str(error)[0].upper()}{str(error)[1:]}; lists and tables are JSON there.") from None
    except OSError as error:
        raise ConfigurationError(f"identity.toml cannot be read: {error}.") from None
    if settings.workers > 1 and settings.embedded:
        raise ConfigurationError("More than one worker needs PostgreSQL: set IDENTITY_DATABASE_URL, or workers to 1.")
    _refuse_public_test_mode(settings)
    return settings


def _refuse_public_test_mode(settings: Settings) -> None:
    public = settings.base_url is not None and urlsplit(settings.base_url).hostname not in LOOPBACK_HOSTS
    if settings.test_mode and public and settings.test_mode_key is None:
        raise ConfigurationError(
            "Setting test_mode opens doors that only tests may use: it needs a base URL on loopback, or test_mode_key."
        )


def _refuse_unknown_environment() -> None:
    import os

    known = {f"IDENTITY_{name.upper()}" for name in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.startswith("IDENTITY_") and name.upper() not in known)
    if unknown:
        raise ConfigurationError(f"Unknown setting {unknown[0]} in the environment; see docs/configuration.md.")
