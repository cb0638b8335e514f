"""Registration of applications, their logos, and what tells strangers where to begin."""

from identity.oauth2.clients.caller_metadata import CallerMetadata
from identity.oauth2.clients.registration_rate import RegistrationRate
from identity.oauth2.metadata.discovery_routes import discovery_routes
from identity.oauth2.metadata.resource_metadata_endpoint import ResourceMetadataEndpoint
from identity.oauth2.metadata.webfinger_endpoint import WebfingerEndpoint
from identity.registration.logos import LogoEndpoint
from identity.registration.registered_metadata import MetadataReader
from identity.registration.registrars import Registrars
from identity.registration.registration_endpoint import RegistrationEndpoint
from identity.registration.routes import registration_routes
from identity.registration.software_statements import SoftwareStatements
from identity.web.routing import Route
from identity.wiring.parts import Parts


def discovery_routes_of(parts: Parts) -> list[Route]:
    callers = CallerMetadata(parts.settings, parts.base_url)
    return discovery_routes(
        resources=ResourceMetadataEndpoint(parts.database, parts.base_url, certificates=callers.certificates),
        webfinger=WebfingerEndpoint(parts.base_url),
    )


def application_registration_routes(parts: Parts) -> list[Route]:
    statements = SoftwareStatements(parts.database, parts.client_keys, parts.clock)
    metadata = MetadataReader(statements, parts.outbound, parts.database)
    registrars = Registrars(parts.access, parts.administration, RegistrationRate(parts.limits, parts.metrics))
    return registration_routes(
        registration=RegistrationEndpoint(parts.administration, registrars, metadata, parts.base_url),
        logo=LogoEndpoint(parts.database, parts.outbound, parts.clock),
    )
