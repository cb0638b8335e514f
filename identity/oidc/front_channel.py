"""Front-channel logout: a frame for each application that the session reached (Front-Channel Logout 1.0).

It reaches only what runs in the browser at hand, and only where that lets frames use their cookies; what has to be
told for certain is told by the back channel (decision 21).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from identity.domain.tenants import Tenant
from identity.storage.session_applications import ReachedApplication
from identity.tokens.addresses import issuer_of
from identity.web.security_headers import form_action_source


@dataclass(frozen=True, slots=True)
class LogoutFrame:
    """`source` is the origin that the page has to allow (CSP `frame-src`)."""

    name: str
    address: str
    source: str


def logout_frames(base_url: str, tenant: Tenant, reached: Iterable[ReachedApplication]) -> list[LogoutFrame]:
    frames = []
    for use in reached:
        uri = use.application.frontchannel_logout_uri
        if uri is None:
            continue
        source = form_action_source(uri)
        if source.endswith(":"):
            # A literal IPv6 address has no source of its own, and its scheme alone would allow everybody.
            continue
        # Front-Channel Logout §2: `iss` and `sid` together, required or not; a query that is there stays.
        named = urlencode({"iss": issuer_of(base_url, tenant), "sid": use.session})
        address = f"{uri}{'&' if '?' in uri else '?'}{named}"
        frames.append(LogoutFrame(use.application.name, address, source))
    return frames
