"""The configuration tree: command line, then environment (`IDENTITY_…`), then `identity.toml`, then the default.

Unknown keys refuse to start. Tenants, applications, stores and keys are data behind `administration/`, not settings.
`docs/configuration.md` is generated from this file by `identity check --reference`.
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from identity.errors import ConfigurationError


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
    metrics_from: tuple[str, ...] = Field(
        ("127.0.0.0/8", "::1/128"), description="Networks that may read `/metrics`, directly and not through a proxy."
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

    @field_validator("base_url")
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
        place = ".".join(str(part) for part in problem["loc"])
        raise ConfigurationError(f"Setting {place}: {problem['msg']}.") from None
    except OSError as error:
        raise ConfigurationError(f"identity.toml cannot be read: {error}.") from None
    if settings.workers > 1 and settings.embedded:
        raise ConfigurationError("More than one worker needs PostgreSQL: set IDENTITY_DATABASE_URL, or workers to 1.")
    return settings


def _refuse_unknown_environment() -> None:
    import os

    known = {f"IDENTITY_{name.upper()}" for name in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.startswith("IDENTITY_") and name.upper() not in known)
    if unknown:
        raise ConfigurationError(f"Unknown setting {unknown[0]} in the environment; see docs/configuration.md.")
