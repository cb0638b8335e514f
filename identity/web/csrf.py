"""Cross-site request forgery: an unsafe request must come from a page of ours, and its form must carry our token.

Two doors, both must open (DESIGN §3, Browser): what the browser says about where the request comes from, and a token
that only a page rendered for this cookie has.
"""

import hmac

from identity.secrets import base64url
from identity.web.messages import Headers

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def same_origin(headers: Headers, base_url: str) -> bool:
    """Whether the browser says that the request comes from a page at `base_url` (an origin, without a slash).

    `Origin` and `Sec-Fetch-Site` (Fetch Metadata §2.3) must be ours as far as they are sent; without either, or with
    one of them twice, the answer is no. `Origin: null` comes from sandboxed frames and `data:` pages, but also from our
    own form when an extension or proxy sets `Referrer-Policy: no-referrer`: it counts only beside `Sec-Fetch-Site:
    same-origin`, which a stranger's page cannot cause.
    """
    origin: bytes | None = None
    site: bytes | None = None
    for name, value in headers:
        if name == b"origin":
            if origin is not None:
                return False
            origin = value
        elif name == b"sec-fetch-site":
            if site is not None:
                return False
            site = value
    if site is not None and site != b"same-origin":
        return False
    if origin is None or origin == b"null":
        return site is not None
    return origin == base_url.encode()


def form_token(secret: bytes, cookie_value: str, purpose: str) -> str:
    """The token of a form: HMAC-SHA-256 over the browser's cookie and what the form is for (a flow, a page)."""
    # The length keeps apart a purpose and a cookie that would read the same when put together.
    message = f"{len(purpose)}:{purpose}{cookie_value}".encode("utf-8", "surrogatepass")
    return base64url(hmac.digest(secret, message, "sha256"))


def valid_form_token(secret: bytes, cookie_value: str, purpose: str, token: str) -> bool:
    """Constant time; no token without a cookie."""
    expected = form_token(secret, cookie_value, purpose).encode()
    return hmac.compare_digest(expected, token.encode("utf-8", "surrogatepass")) and bool(cookie_value)
