"""A theme's files as the browser gets them: one stylesheet, a few scripts and drawings, under content-hashed paths."""

import gzip
import hashlib
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from identity.errors import ConfigurationError
from identity.resources import data_folder

CONTRACT = 1
"""The version of the agreement between pages and themes that this server keeps."""

STATIC = "/static/"
CACHE_CONTROL = "public, max-age=31536000, immutable"
"""For every asset: its path changes with its content, so a copy never grows old."""

_CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_CSS_URL = re.compile(r'url\("([^"]+)"\)')


@dataclass(frozen=True, slots=True)
class Asset:
    """One file. `path` is absolute on our host; `gzipped` is the body for clients that accept gzip."""

    path: str
    content_type: str
    body: bytes
    gzipped: bytes


class Theme:
    """The theme in `folder`, read once. Raises ConfigurationError when it speaks another contract or lacks a file."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or data_folder("themes") / "base"
        try:
            settings = tomllib.loads((self.folder / "theme.toml").read_text())
            if settings.get("contract") != CONTRACT:
                raise ConfigurationError(f"The theme in {self.folder} needs contract = {CONTRACT} in its theme.toml.")
            self._by_name = {asset.path.rpartition("/")[2]: asset for asset in self._load(settings["stylesheets"])}
        except (OSError, KeyError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(f"The theme in {self.folder} cannot be read: {error}.") from None
        self._by_path = {asset.path: asset for asset in self._by_name.values()}

    def path(self, name: str) -> str:
        """Where `name` ("theme.css", "mark.svg") is served. Raises KeyError: a page names a file that is not there."""
        return self._by_name[name].path

    def find(self, path: str) -> Asset | None:
        """The asset at `/static/<hash>/<name>`, or at `<hash>/<name>`; None also for the hash of an older file."""
        return self._by_path.get(path if path.startswith(STATIC) else STATIC + path)

    def _load(self, stylesheets: list[str]) -> Iterable[Asset]:
        paths: dict[str, str] = {}
        for file in sorted([*self.folder.glob("images/*.svg"), *self.folder.glob("scripts/*.js")]):
            asset = _asset(file.name, file.read_bytes())
            paths[asset.path.rpartition("/")[2]] = asset.path
            yield asset
        joined = "\n".join((self.folder / "css" / name).read_text() for name in stylesheets)
        yield _asset("theme.css", _CSS_URL.sub(lambda match: f'url("{paths[match[1]]}")', joined).encode())


def _asset(name: str, body: bytes) -> Asset:
    path = f"{STATIC}{hashlib.sha256(body).hexdigest()[:12]}/{name}"
    # A fixed time keeps the compressed bytes the same in every process.
    return Asset(path, _CONTENT_TYPES[Path(name).suffix], body, gzip.compress(body, mtime=0))
