"""userinfo, sign-out and what tells applications about it."""

from identity.config import Purpose
from identity.domain.deliveries import DeliveryKind
from identity.oidc.back_channel import BackChannelLogout
from identity.oidc.check_session_endpoint import CheckSessionEndpoint
from identity.oidc.logout_pages import LogoutPages
from identity.oidc.logout_request import LogoutRequests
from identity.oidc.routes import oidc_routes
from identity.oidc.userinfo_endpoint import UserinfoEndpoint
from identity.web.routing import Route
from identity.wiring.parts import Parts


def openid_connect_routes(parts: Parts) -> list[Route]:
    back_channel = BackChannelLogout(parts.configuration, parts.responses, parts.base_url, parts.clock)
    parts.outbox.register(DeliveryKind.BACKCHANNEL_LOGOUT, Purpose.LOGOUT, back_channel.build)
    return oidc_routes(
        userinfo=UserinfoEndpoint(
            parts.reader,
            parts.configuration,
            parts.people,
            parts.database,
            parts.sealer,
            parts.responses,
            parts.base_url,
        ),
        logout=LogoutPages(
            LogoutRequests(parts.configuration, parts.keyring, parts.base_url),
            parts.sessions,
            parts.cookies,
            parts.database,
            parts.pages,
            parts.base_url,
        ),
        check_session=CheckSessionEndpoint(parts.cookies, parts.theme, parts.base_url),
    )
