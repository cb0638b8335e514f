"""Where the themes and migrations are: inside the wheel, or beside the packages in a checkout."""

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent


@cache
def data_folder(name: str) -> Path:
    """The folder `name` ("themes", "migrations")."""
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name
