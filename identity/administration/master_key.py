"""Where the master key comes from, and whether it is the right one for this database."""

import os
from pathlib import Path

from identity.config import Settings
from identity.errors import ConfigurationError
from identity.secrets import Sealer


def load_sealer(settings: Settings) -> tuple[Sealer, str | None]:
    """The sealer of this installation, and a notice when a key was made.

    Embedded: `DATA/master.key`, made at the first start with mode 0600. With PostgreSQL a key must be given, because
    a key beside one of several servers would be none. Raises ConfigurationError.
    """
    notice: str | None = None
    if settings.master_key is not None:
        current = settings.master_key.get_secret_value()
    elif settings.master_key_file is not None:
        current = _read(settings.master_key_file)
    elif settings.embedded:
        current, notice = _own_key(settings.data)
    else:
        raise ConfigurationError(
            "PostgreSQL needs a master key: set IDENTITY_MASTER_KEY or IDENTITY_MASTER_KEY_FILE "
            "to 64 hexadecimal digits (`openssl rand -hex 32` makes them)."
        )
    older = [key.get_secret_value() for key in settings.previous_master_keys]
    return Sealer.from_master_keys(*(_bytes(text) for text in (current, *older))), notice


def _own_key(data: Path) -> tuple[str, str | None]:
    file = data / "master.key"
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(file), None
    except OSError as error:
        raise ConfigurationError(f"The data folder {data} cannot be written: {error.strerror}.") from None
    key = os.urandom(32).hex()
    with os.fdopen(descriptor, "w") as stream:
        stream.write(key + "\n")
    return key, f"Made a master key in {file}: keep a copy, nothing sealed can be read without it."


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"The master key file {file} cannot be read.") from None


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text.strip())
    except ValueError:
        raise ConfigurationError("The master key must be 64 hexadecimal digits.") from None
