"""Browsers that have finished a sign-in before: a cookie of marks, one for each person, bound to the kind of browser.

Nothing is stored: a mark is an HMAC over tenant, person, browser and system, so a cookie that was copied to another
kind of browser, or made up, marks nobody.
"""

import hmac

from identity.secrets import Sealer, base64url
from identity.storage.configuration import TenantConfiguration
from identity.web.messages import Request
from identity.web.user_agents import browser_and_system

MAXIMUM_PEOPLE = 5
MARK_BYTES = 18
SECONDS = 365 * 86_400


def cookie_name(tenant: TenantConfiguration) -> str:
    """Without the prefix that `Cookies` puts before it."""
    return f"device-{tenant.tenant.handle}"


def is_known_device(sealer: Sealer, request: Request, subject: str) -> bool:
    mark = _mark(sealer, request, subject)
    return any(hmac.compare_digest(mark.encode(), known.encode()) for known in _marks(request))


def marks_with(sealer: Sealer, request: Request, subject: str) -> str:
    """The cookie's new value: this person first, then the others of the same browser."""
    mark = _mark(sealer, request, subject)
    return ".".join([mark, *(known for known in _marks(request) if known != mark)][:MAXIMUM_PEOPLE])


def _marks(request: Request) -> list[str]:
    name = cookie_name(request.tenant)
    cookies = request.cookies()
    value = cookies.get(f"__Host-{name}") or cookies.get(name) or ""
    return value[:256].split(".")[:MAXIMUM_PEOPLE] if value else []


def _mark(sealer: Sealer, request: Request, subject: str) -> str:
    browser, system = browser_and_system(request.header(b"user-agent") or "")
    text = "\0".join((str(request.tenant.id), subject, browser, system))
    return base64url(hmac.digest(sealer.derive("device"), text.encode(), "sha256")[:MARK_BYTES])
