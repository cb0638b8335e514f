"""Matching of redirect addresses: to the letter, but for the port of a loopback address (attack class 10)."""

import re
from urllib.parse import urlsplit

# RFC 8252 §7.3: a native application listens on whatever port it was given. IP literals only (§8.3).
_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::([1-9][0-9]{0,4}))?((?:/[^\s\\]*)?)")


def match_redirect_uri(presented: str, registered: tuple[str, ...]) -> bool:
    """RFC 6749 §3.1.2.3, RFC 9700 §4.1.3: simple string comparison."""
    if presented in registered:
        return True
    loopback = _LOOPBACK.fullmatch(presented)
    if loopback is None or int(loopback[2] or 80) > 65_535:
        return False
    return any(
        (other := _LOOPBACK.fullmatch(uri)) is not None and other.group(1, 3) == loopback.group(1, 3)
        for uri in registered
    )


_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_NOT_CUSTOM = frozenset(
    {"javascript", "data", "vbscript", "file", "blob", "about", "filesystem", "view-source", "ws", "wss", "mailto"}
)


def registrable_redirect_uri(uri: str) -> str | None:
    """Why this address may not be registered, or None: absolute, no fragment, no user information, http only on
    loopback, custom schemes only in reverse-domain or single-word form that no browser runs (RFC 8252 §7.1)."""
    if not uri.isascii() or not uri.isprintable() or any(c in uri for c in ' \\<>"`{}^|'):
        return "it has characters that a URI cannot have"
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return "it is not a URI"
    if not parts.scheme or not _SCHEME.fullmatch(uri.partition(":")[0]):
        return "it needs a scheme, in lower case"
    if "#" in uri:
        return "it must not have a fragment"
    if parts.scheme in _NOT_CUSTOM:
        return f"the scheme {parts.scheme} is not allowed"
    if parts.scheme in ("http", "https"):
        if not parts.hostname or "@" in parts.netloc or "*" in parts.netloc:
            return "it needs a plain host name"
        if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            return "http is for loopback addresses; use https"
    return None
