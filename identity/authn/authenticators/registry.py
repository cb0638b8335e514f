"""Every factor of this server. A new one is a file beside this and a line here."""

from identity.authn.authenticators import Authenticator
from identity.authn.authenticators.email_code import EmailCodeAuthenticator
from identity.authn.authenticators.identifier_first import IdentifierAuthenticator
from identity.authn.authenticators.passkey import PasskeyAuthenticator
from identity.authn.authenticators.password import BasicAuthenticator, PasswordAuthenticator
from identity.authn.authenticators.recovery_code import RecoveryCodeAuthenticator
from identity.authn.authenticators.session_limit import SessionLimitExecutor
from identity.authn.authenticators.totp import TotpAuthenticator
from identity.authn.enrolled_factors import EnrolledFactors, Mails
from identity.authn.factor_policy import FactorPolicy
from identity.authn.people import People
from identity.authn.sso_sessions import SsoSessions
from identity.clock import Clock
from identity.secrets import Sealer
from identity.storage.database import Database
from identity.telemetry import Metrics


def build_factors(
    *,
    database: Database,
    sealer: Sealer,
    clock: Clock,
    metrics: Metrics,
    people: People,
    sessions: SsoSessions,
    passwords: PasswordAuthenticator,
    mails: Mails,
    base_url: str,
) -> tuple[dict[str, Authenticator], EnrolledFactors]:
    """The factors by name, in the order in which choices show them, and what people have set up of them."""
    policy = FactorPolicy(database, metrics, clock)
    enrolled = EnrolledFactors(database, sealer, mails, policy)
    factors: tuple[Authenticator, ...] = (
        IdentifierAuthenticator(people, policy),
        BasicAuthenticator(passwords, people),
        PasskeyAuthenticator(enrolled, policy, people, database, base_url),
        TotpAuthenticator(enrolled, policy, database),
        EmailCodeAuthenticator(enrolled, policy, people, mails, sealer),
        RecoveryCodeAuthenticator(enrolled, policy, sealer),
        SessionLimitExecutor(sessions, database),
    )
    return {factor.name: factor for factor in factors}, enrolled
