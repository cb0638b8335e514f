"""The headers of every page: what a browser may load, frame, submit to and pass on (attack rows 11 and 12).

`Cross-Origin-Opener-Policy` is not among them: `same-origin` cuts the pop-up in which applications open sign-in
(decision 22). `Referrer-Policy` is `same-origin`, not `no-referrer`: under the latter browsers send `Origin: null` with
our own forms (Fetch §3.2, "append a request `Origin` header"), and `csrf.same_origin` could no longer tell them from a
stranger's; other sites get no referrer under either.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from identity.errors import IdentityError
from identity.web.messages import Headers

_HOST = r"[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?\.?"
_ORIGIN = re.compile(rf"https?://{_HOST}(?::[0-9]{{1,5}})?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:")
# Row 11. The rest of what a browser runs or shows as if it were ours; none can be an application's own scheme.
_DANGEROUS_SCHEMES = frozenset(
    {"about", "blob", "data", "file", "filesystem", "javascript", "vbscript", "view-source", "ws", "wss"}
)


class UnsafeSource(IdentityError):
    """An address that must not become part of a page's policy."""

    def __init__(self, detail: str) -> None:
        super().__init__("invalid_redirect_uri", "The redirect_uri cannot be used.", detail=detail[:200])


def form_action_source(redirect_uri: str) -> str:
    """The CSP source that lets a form's answer lead to an already validated `redirect_uri` (CSP3 §2.3.1).

    An http(s) address gives its origin, any other its scheme and a colon. A literal IPv6 host has no spelling in CSP:
    its scheme stands for it. Raises UnsafeSource.
    """
    if not redirect_uri.isascii() or not redirect_uri.isprintable() or " " in redirect_uri or "\\" in redirect_uri:
        raise UnsafeSource(f"characters: {redirect_uri!r}")
    try:
        parts = urlsplit(redirect_uri)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise UnsafeSource(f"unreadable: {redirect_uri!r}") from None
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https"):
        return _checked(f"{scheme}:")
    if "@" in parts.netloc:
        raise UnsafeSource(f"user information: {redirect_uri!r}")
    if ":" in host:
        return f"{scheme}:"
    return _checked(f"{scheme}://{host}" + ("" if port is None else f":{port}"))


def page_headers(*, form_action: Sequence[str] = (), https: bool, frame_src: Sequence[str] = ()) -> Headers:
    """Headers of a page, a new list each time; the content type is the renderer's to add.

    `form_action` are sources beside 'self', from `form_action_source`; `frame_src` the front-channel origins of the
    logout page (decision 21). Raises UnsafeSource when one is not exactly an origin or a scheme.
    """
    return list(_page_headers(tuple(form_action), https, tuple(frame_src)))


@lru_cache(1024)
def _page_headers(
    form_action: tuple[str, ...], https: bool, frame_src: tuple[str, ...]
) -> tuple[tuple[bytes, bytes], ...]:
    headers = [
        (b"content-security-policy", _policy(form_action, frame_src).encode("ascii")),
        (b"referrer-policy", b"same-origin"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"cache-control", b"no-store"),
    ]
    if https:
        # RFC 6797 §6.1; for this host only, others of the domain are not ours to decide about
        headers.append((b"strict-transport-security", b"max-age=31536000"))
    return tuple(headers)


def _policy(form_action: tuple[str, ...], frame_src: tuple[str, ...]) -> str:
    directives = [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        " ".join(["form-action 'self'", *dict.fromkeys(_checked(source) for source in form_action)]),
    ]
    if frame_src:
        directives.append(" ".join(["frame-src", *dict.fromkeys(_checked(source) for source in frame_src)]))
    return "; ".join(directives)


def _checked(source: str) -> str:
    if _ORIGIN.fullmatch(source):
        return source
    if _SCHEME.fullmatch(source) and source[:-1] not in _DANGEROUS_SCHEMES:
        return source
    raise UnsafeSource(f"source: {source!r}")
