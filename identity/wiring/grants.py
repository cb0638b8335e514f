"""What the token endpoint knows: a grant is one file and one line here."""

from identity.oauth2.approvals.polling import Polling
from identity.oauth2.grants import Grant
from identity.oauth2.grants.authorization_code import AuthorizationCodeGrant
from identity.oauth2.grants.ciba import CibaGrant
from identity.oauth2.grants.client_credentials import ClientCredentials
from identity.oauth2.grants.device_code import DeviceCodeGrant
from identity.oauth2.grants.identity_assertion import IdentityAssertions
from identity.oauth2.grants.jwt_bearer import JwtBearerGrant
from identity.oauth2.grants.password import PasswordGrant
from identity.oauth2.grants.refresh_token import RefreshTokenGrant
from identity.oauth2.grants.token_exchange import TokenExchangeGrant
from identity.oauth2.person_check import PersonCheck
from identity.oauth2.presented_tokens import PresentedTokens
from identity.oauth2.shown_subjects import ShownSubjects
from identity.oauth2.trusted_assertions import TrustedAssertions
from identity.wiring.parts import Parts


def grants(parts: Parts) -> list[Grant]:
    persons = PersonCheck(parts.people, parts.families)
    polling = Polling(parts.hot, parts.database, parts.tokens, parts.families, persons, parts.clock)
    trusted = TrustedAssertions(parts.database, parts.people, parts.client_keys, parts.base_url, parts.clock)
    return [
        AuthorizationCodeGrant(parts.hot, parts.tokens, parts.families, parts.clock),
        RefreshTokenGrant(parts.hot, parts.tokens, parts.families, persons, parts.scope_policy, parts.clock),
        ClientCredentials(parts.issuer, parts.hot, parts.scope_policy),
        DeviceCodeGrant(polling),
        CibaGrant(polling),
        _token_exchange(parts, trusted),
        _jwt_bearer(parts, trusted),
        PasswordGrant(
            parts.authenticator, parts.people, parts.scope_policy, parts.starter, parts.database, parts.clock
        ),
    ]


def _token_exchange(parts: Parts, trusted: TrustedAssertions) -> Grant:
    tokens = PresentedTokens(
        parts.reader,
        parts.keyring,
        trusted,
        parts.people,
        parts.configuration,
        parts.database,
        parts.base_url,
        parts.clock,
    )
    return TokenExchangeGrant(tokens, parts.scope_policy, parts.consents, parts.starter)


def _jwt_bearer(parts: Parts, trusted: TrustedAssertions) -> Grant:
    return JwtBearerGrant(
        trusted=trusted,
        identity_assertions=IdentityAssertions(trusted, parts.database),
        subjects=ShownSubjects(parts.people, parts.database, parts.clock),
        people=parts.people,
        client_keys=parts.client_keys,
        hot=parts.hot,
        scopes=parts.scope_policy,
        starter=parts.starter,
        base_url=parts.base_url,
        clock=parts.clock,
    )
