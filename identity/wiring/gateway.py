"""What API managers and administrators call: API resources, roles, scopes, claims; and the events sent to gateways."""

from identity.admin.api_resources_endpoint import ApiResourcesEndpoint
from identity.admin.authentication_sequence_endpoint import AuthenticationSequenceEndpoint
from identity.admin.details_types_endpoint import DetailsTypesEndpoint
from identity.admin.routes import admin_routes
from identity.admin.scopes_endpoint import ScopesEndpoint
from identity.admin.script_libraries_endpoint import ScriptLibrariesEndpoint
from identity.admin.script_routes import script_routes
from identity.admin.script_secrets_endpoint import ScriptSecretsEndpoint
from identity.admin.sign_in_scripts_endpoint import SignInScriptsEndpoint
from identity.admin.sign_in_traces_endpoint import SignInTracesEndpoint
from identity.administration.script_bundles import ScriptAdministration
from identity.config import Purpose
from identity.domain.deliveries import DeliveryKind
from identity.gateway.legacy_scopes_endpoint import LegacyScopesEndpoint
from identity.gateway.revocation_events import RevocationEvents
from identity.gateway.routes import gateway_routes
from identity.gateway.user_claims_endpoint import UserClaimsEndpoint
from identity.scim.me_endpoint import MeEndpoint
from identity.scim.roles_endpoint import RolesEndpoint
from identity.scim.routes import scim_routes
from identity.web.routing import Route
from identity.wiring.parts import Parts


def key_manager_routes(parts: Parts) -> list[Route]:
    events = RevocationEvents(parts.database, parts.sealer)
    parts.outbox.register(DeliveryKind.REVOCATION_EVENT, Purpose.NOTIFY, events.build)
    access, administered = parts.access, parts.administration
    scripting = ScriptAdministration(administered, parts.sign_in.trials)
    return [
        *admin_routes(
            api_resources=ApiResourcesEndpoint(access, administered),
            details_types=DetailsTypesEndpoint(access, administered),
            scopes=ScopesEndpoint(access, administered),
        ),
        *script_routes(
            sequences=AuthenticationSequenceEndpoint(access, scripting),
            scripts=SignInScriptsEndpoint(access, scripting),
            libraries=ScriptLibrariesEndpoint(access, scripting),
            secrets=ScriptSecretsEndpoint(access, administered),
            traces=SignInTracesEndpoint(access, administered),
        ),
        *scim_routes(roles=RolesEndpoint(access, administered), me=MeEndpoint(access, parts.people, parts.database)),
        *gateway_routes(
            scopes=LegacyScopesEndpoint(access, administered), claims=UserClaimsEndpoint(access, parts.people)
        ),
    ]
