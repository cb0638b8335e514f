"""The token road and the authorization endpoint."""

from identity.demo import DemoApplication
from identity.demo_mailbox import DemoMailbox
from identity.oauth2.asked_targets import AskedTargets
from identity.oauth2.authorization.authorization_endpoint import AuthorizationEndpoint
from identity.oauth2.authorization.authorization_issuer import AuthorizationIssuer
from identity.oauth2.authorization.authorization_request import Grounds
from identity.oauth2.authorization.authorization_response import AuthorizationResponses
from identity.oauth2.authorization.front_channel_tokens import FrontChannelTokens
from identity.oauth2.authorization.pushed_request_endpoint import PushedRequestEndpoint
from identity.oauth2.authorization.request_object import RequestObjects
from identity.oauth2.authorization.request_sources import RequestSources
from identity.oauth2.clients.caller_metadata import CallerMetadata
from identity.oauth2.introspection_endpoint import IntrospectionEndpoint
from identity.oauth2.metadata.metadata_endpoint import JwksEndpoint, MetadataEndpoint
from identity.oauth2.metadata.server_metadata import ServerMetadata
from identity.oauth2.revocation_endpoint import RevocationEndpoint
from identity.oauth2.routes import oauth2_routes
from identity.oauth2.token_endpoint import TokenEndpoint
from identity.web.routing import Route
from identity.wiring.grants import grants
from identity.wiring.native import native_login_routes, native_login_start
from identity.wiring.parts import Parts


def token_road_routes(parts: Parts) -> list[Route]:
    sources = _request_sources(parts)
    grounds = Grounds(database=parts.database, keyring=parts.keyring, base_url=parts.base_url)
    token = TokenEndpoint(
        parts.clients,
        parts.sender_constraint.confirmation,
        AskedTargets(parts.database, parts.base_url),
        grants(parts),
        parts.metrics,
    )
    introspect = IntrospectionEndpoint(
        parts.clients,
        parts.access,
        parts.reader,
        parts.configuration,
        parts.hot,
        parts.families,
        parts.keyring,
        parts.responses,
        parts.sealer,
        parts.metrics,
        parts.base_url,
        parts.clock,
    )
    authorize = _authorization_endpoint(parts, sources, grounds)
    routes = oauth2_routes(
        authorize=authorize,
        pushed_request=PushedRequestEndpoint(
            parts.clients, parts.documents, sources, parts.sender_constraint.pushed_confirmation, grounds, parts.clock
        ),
        token=token,
        introspect=introspect,
        revoke=RevocationEndpoint(parts.clients, parts.reader, parts.database, parts.outbox, parts.clock),
        metadata=MetadataEndpoint(
            parts.keyring,
            ServerMetadata(
                parts.database,
                CallerMetadata(parts.settings, parts.base_url),
                parts.base_url,
                token.grant_types,
            ),
            parts.base_url,
        ),
        jwks=JwksEndpoint(parts.keyring),
    )
    routes += native_login_routes(parts, authorize)
    if parts.settings.demo:
        routes += DemoApplication(parts.administration, introspect, parts.pages, parts.base_url).routes()
        if parts.settings.smtp_host is None:
            routes += DemoMailbox(parts.database, parts.sealer, parts.pages, parts.clock).routes()
    return routes


def _authorization_endpoint(parts: Parts, sources: RequestSources, grounds: Grounds) -> AuthorizationEndpoint:
    return AuthorizationEndpoint(
        configuration=parts.configuration,
        documents=parts.documents,
        sources=sources,
        grounds=grounds,
        sessions=parts.sessions,
        flows=parts.flows,
        scopes=parts.scope_policy,
        issuer=AuthorizationIssuer(
            parts.database,
            parts.consents,
            parts.people,
            FrontChannelTokens(parts.issuer, parts.id_tokens),
            parts.sealer,
            parts.clock,
        ),
        responses=AuthorizationResponses(
            parts.pages, parts.responses, parts.session_states, parts.base_url, parts.clock
        ),
        native=native_login_start(parts),
        cookies=parts.cookies,
        clock=parts.clock,
    )


def _request_sources(parts: Parts) -> RequestSources:
    objects = RequestObjects(parts.keyring, parts.client_keys, parts.hot, parts.base_url, parts.clock)
    return RequestSources(objects, parts.outbound, parts.database, parts.clock)
