"""Cookies that scripts set: plain, signed, or sealed, and always bound to their tenant and name."""

import base64
import binascii
import hmac
from typing import Any

from identity.authn.login_course import Course
from identity.authn.script_answers import Arguments, Sources
from identity.domain.tenants import TenantId
from identity.errors import ConfigurationError
from identity.secrets import Sealer, base64url


async def value(sources: Sources, course: Course, arguments: Arguments) -> Any:
    """`getCookieValue` with `validateSignature` or `decrypt`: the text, or null when it is not ours or was changed."""
    text: str = arguments["value"]
    tenant, name = course.request.tenant.id, arguments["name"]
    if arguments["validateSignature"]:
        text, _, signature = text.rpartition(".")
        expected = _signature(sources.sealer, tenant, name, text)
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            return None
        text = _decoded(text)
    if arguments["decrypt"]:
        try:
            sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            return sources.sealer.open(sealed, _context(tenant, name)).decode()
        except (binascii.Error, ValueError, ConfigurationError):
            return None
    return text


def protected(sealer: Sealer, tenant: TenantId, name: str, text: str, *, sign: bool, encrypt: bool) -> str:
    """The cookie's value as it goes to the browser."""
    if encrypt:
        text = base64url(sealer.seal(text.encode(), _context(tenant, name)))
    if sign:
        text = base64url(text.encode())
        return f"{text}.{_signature(sealer, tenant, name, text)}"
    return text


def _decoded(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        return ""


def _signature(sealer: Sealer, tenant: TenantId, name: str, text: str) -> str:
    key = sealer.derive("script-cookie")
    return base64url(hmac.digest(key, f"{tenant}:{len(name)}:{name}{text}".encode(), "sha256"))


def _context(tenant: TenantId, name: str) -> bytes:
    return f"script-cookie:{tenant}:{name}".encode()
