"""Who may call our own interfaces: what `authn.api_access` is made of."""

from identity.authn.api_access import ApiAccess
from identity.authn.authenticators.password import PasswordAuthenticator
from identity.authn.people import People
from identity.authn.remembered_people import RememberedPeople
from identity.authn.role_grants import RoleGrantsOfPeople
from identity.clock import Clock
from identity.config import Settings
from identity.oauth2.clients.client_authentication import ClientAuthentication
from identity.oauth2.clients.client_certificates import CertificateAuthorities, has_subject
from identity.storage.configuration import Configuration
from identity.storage.database import Database
from identity.tokens.reader import TokenReader
from identity.web.messages import Request


def remembered_people(
    settings: Settings, people: People, authenticator: PasswordAuthenticator, database: Database, clock: Clock
) -> RememberedPeople:
    authorities = CertificateAuthorities(settings.tls_client_ca, clock)

    def named(request: Request, subject: str) -> bool:
        certificate = request.client_certificate
        if certificate is None or not authorities.vouch(certificate, request.certificate_chain):
            return False
        return has_subject(certificate, subject)

    return RememberedPeople(people, authenticator, database, named, clock)


def api_access(
    reader: TokenReader,
    configuration: Configuration,
    clients: ClientAuthentication,
    people: RememberedPeople,
    roles: RoleGrantsOfPeople,
    base_url: str,
) -> ApiAccess:
    return ApiAccess(reader, configuration, clients.authenticate, people, roles, base_url)
