"""A browser's cookies: kept and sent by the rules of RFC 6265bis, with localhost as secure as browsers take it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

_MAXIMUM_BYTES = 4096


@dataclass(frozen=True)
class Cookie:
    """`expires_at` is in seconds since the epoch; None: until the browser is closed."""

    name: str
    value: str
    host: str
    host_only: bool
    path: str
    secure: bool
    http_only: bool
    same_site: str
    expires_at: float | None


class CookieJar:
    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._cookies: dict[tuple[str, str, str], Cookie] = {}

    def all(self) -> list[Cookie]:
        now = self._now()
        return [cookie for cookie in self._cookies.values() if cookie.expires_at is None or cookie.expires_at > now]

    def find(self, name: str) -> Cookie | None:
        return next((cookie for cookie in self.all() if cookie.name == name), None)

    def value(self, name: str) -> str:
        """Raises AssertionError when there is no such cookie."""
        cookie = self.find(name)
        assert cookie is not None, f"no cookie {name!r}, only {[each.name for each in self.all()]}"
        return cookie.value

    def plant(self, cookie: Cookie) -> None:
        """Put a cookie there as an attacker could."""
        self._cookies[cookie.name, cookie.host, cookie.path] = cookie

    def clear(self) -> None:
        self._cookies.clear()

    def close_browser(self) -> None:
        """What closing the browser does: cookies without an expiry are gone."""
        self._cookies = {key: cookie for key, cookie in self._cookies.items() if cookie.expires_at is not None}

    def store(self, url: str, header: str) -> bool:
        """Take one Set-Cookie header of a response from `url`; False when the browser would drop it."""
        parts = urlsplit(url)
        pair, *pieces = header.split(";")
        name, separator, value = pair.partition("=")
        name, value = name.strip(), value.strip()
        attributes = {key.strip().lower(): text.strip() for key, _, text in (piece.partition("=") for piece in pieces)}
        cookie = self._cookie(parts, name, value, attributes)
        if not separator or len(name) + len(value) > _MAXIMUM_BYTES or not _allowed(cookie, parts, attributes):
            return False
        self._cookies.pop((cookie.name, cookie.host, cookie.path), None)
        if cookie.expires_at is None or cookie.expires_at > self._now():
            self.plant(cookie)
        return True

    def header(self, url: str, *, cross_site: bool = False, safe_navigation: bool = True) -> str:
        """The Cookie header for a request; `cross_site` means begun by another site's page.

        RFC 6265bis §5.8.3: longer paths first. Lax cookies travel cross-site only on a top-level GET.
        """
        parts = urlsplit(url)
        sent = [cookie for cookie in self.all() if _matches(cookie, parts)]
        if cross_site:
            allowed = ("none", "lax") if safe_navigation else ("none",)
            sent = [cookie for cookie in sent if cookie.same_site in allowed]
        sent.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in sent)

    def _cookie(self, parts: SplitResult, name: str, value: str, attributes: dict[str, str]) -> Cookie:
        domain = attributes.get("domain", "").lstrip(".").lower()
        path = attributes.get("path", "")
        return Cookie(
            name=name,
            value=value,
            host=domain or (parts.hostname or ""),
            host_only=not domain,
            path=path if path.startswith("/") else _default_path(parts.path),
            secure="secure" in attributes,
            http_only="httponly" in attributes,
            same_site=attributes.get("samesite", "lax").lower(),
            expires_at=self._expiry(attributes),
        )

    def _expiry(self, attributes: dict[str, str]) -> float | None:
        if "max-age" in attributes:
            return self._now() + int(attributes["max-age"])
        if "expires" in attributes:
            return parsedate_to_datetime(attributes["expires"]).timestamp()
        return None


def _allowed(cookie: Cookie, parts: SplitResult, attributes: dict[str, str]) -> bool:
    """RFC 6265bis §5.7: what makes a browser drop a cookie."""
    if not cookie.host_only and not _domain_matches(parts.hostname or "", cookie.host):
        return False
    if cookie.secure and not _trustworthy(parts):
        return False
    if cookie.same_site == "none" and not cookie.secure:
        return False
    name = cookie.name.lower()
    if name.startswith("__host-"):
        return cookie.secure and cookie.host_only and attributes.get("path") == "/"
    return cookie.secure or not name.startswith("__secure-")


def _matches(cookie: Cookie, parts: SplitResult) -> bool:
    host = parts.hostname or ""
    same_host = host == cookie.host if cookie.host_only else _domain_matches(host, cookie.host)
    return same_host and _path_matches(parts.path or "/", cookie.path) and (not cookie.secure or _trustworthy(parts))


def _trustworthy(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    return parts.scheme == "https" or host == "localhost" or host.endswith(".localhost")


def _domain_matches(host: str, domain: str) -> bool:
    return host == domain or (host.endswith("." + domain) and not host.replace(".", "").isdecimal())


def _path_matches(path: str, cookie_path: str) -> bool:
    """RFC 6265 §5.1.4."""
    return path == cookie_path or (
        path.startswith(cookie_path) and (cookie_path.endswith("/") or path[len(cookie_path)] == "/")
    )


def _default_path(path: str) -> str:
    return path[: path.rfind("/")] or "/" if path.startswith("/") else "/"
