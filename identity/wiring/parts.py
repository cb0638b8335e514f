"""What several areas share: one of each per worker."""

from dataclasses import asdict, dataclass
from pathlib import Path

from identity.administration.context import Administration
from identity.authn.api_access import ApiAccess
from identity.authn.authenticators import FACTOR_NAMES, Factors
from identity.authn.authenticators.password import PasswordAuthenticator
from identity.authn.consent import Consents
from identity.authn.cookies import Cookies
from identity.authn.enrolled_factors import EnrolledFactors
from identity.authn.lockout import Lockout
from identity.authn.login_flow import LoginFlows
from identity.authn.login_steps import LoginSteps
from identity.authn.people import People
from identity.authn.role_grants import RoleGrantsOfPeople
from identity.authn.session_state import SessionStates
from identity.authn.sso_sessions import SsoSessions
from identity.clock import Clock
from identity.config import Settings
from identity.domain.applications import GRANT_TYPES
from identity.domain.deliveries import DeliveryKind
from identity.domain.mail import MAIL_TEMPLATES
from identity.messaging.guarded_client import GuardedClient
from identity.messaging.mail import MailCarrier, Mailer
from identity.messaging.mail_templates import MailTemplates
from identity.messaging.outbox import Outbox
from identity.messaging.smtp import SmtpServer
from identity.oauth2.clients.client_authentication import ClientAuthentication
from identity.oauth2.clients.client_metadata_documents import ClientMetadataDocuments
from identity.oauth2.clients.registration_rate import RegistrationRate
from identity.oauth2.clients.sender_constraint import SenderConstraint
from identity.oauth2.family import Families
from identity.oauth2.grant_starter import GrantStarter
from identity.oauth2.scope_policy import ScopePolicy
from identity.oauth2.token_answer import GrantTokens
from identity.secrets import Sealer
from identity.storage.configuration import Configuration
from identity.storage.database import Database
from identity.storage.events import recorded
from identity.storage.hot import HotStorage, open_hot_storage
from identity.telemetry import Log, Metrics, get_logger
from identity.tokens.client_keys import ClientKeys
from identity.tokens.dpop import DpopProofs
from identity.tokens.id_token import IdTokenIssuer
from identity.tokens.issuer import TokenIssuer
from identity.tokens.keyring import Keyring
from identity.tokens.reader import TokenReader
from identity.tokens.responses import ResponseTokens
from identity.web.http_protocol import refused
from identity.web.pages import PageResponses
from identity.web.rate_limits import RateLimits
from identity.web.templates import Pages
from identity.web.theme import Theme
from identity.wiring.api_callers import api_access, remembered_people
from identity.wiring.callers import client_authentication, dpop_proofs
from identity.wiring.sign_in_parts import SignInParts, build_sign_in
from userstores.passwords import PasswordLane
from userstores.registry import STORE_TYPES


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    settings: Settings
    base_url: str
    clock: Clock
    log: Log
    metrics: Metrics
    administration: Administration
    hot: HotStorage
    keyring: Keyring
    outbox: Outbox
    mailer: Mailer
    theme: Theme
    templates: Pages
    pages: PageResponses
    cookies: Cookies
    sessions: SsoSessions
    session_states: SessionStates
    consents: Consents
    authenticator: PasswordAuthenticator
    sign_in: SignInParts
    reader: TokenReader
    limits: RateLimits
    clients: ClientAuthentication
    outbound: GuardedClient
    documents: ClientMetadataDocuments
    client_keys: ClientKeys
    proofs: DpopProofs
    sender_constraint: SenderConstraint
    responses: ResponseTokens
    issuer: TokenIssuer
    id_tokens: IdTokenIssuer
    tokens: GrantTokens
    families: Families
    starter: GrantStarter
    scope_policy: ScopePolicy
    access: ApiAccess
    """Who may call our own interfaces."""

    @property
    def database(self) -> Database:
        return self.administration.database

    @property
    def configuration(self) -> Configuration:
        return self.administration.configuration

    @property
    def flows(self) -> LoginFlows:
        return self.sign_in.flows

    @property
    def factors(self) -> Factors:
        return self.sign_in.factors

    @property
    def enrolled(self) -> EnrolledFactors:
        return self.sign_in.enrolled

    @property
    def steps(self) -> LoginSteps:
        return self.sign_in.steps

    @property
    def people(self) -> People:
        return self.administration.people

    @property
    def sealer(self) -> Sealer:
        return self.administration.sealer


def build_parts(
    settings: Settings,
    base_url: str,
    administration: Administration,
    lane: PasswordLane,
    metrics_directory: Path | None,
) -> Parts:
    """Everything that is shared; nothing is opened yet."""
    clock, database, sealer = administration.clock, administration.database, administration.sealer
    hot = open_hot_storage(database, clock)
    keyring, limits = Keyring(sealer, clock), RateLimits(settings.workers, clock)
    metrics = _metrics(hot, administration.people, lane, metrics_directory)
    theme = Theme()
    templates = Pages(theme=theme, demo=settings.demo)
    cookies = Cookies(plain=settings.demo and base_url.startswith("http:"))
    sessions = SsoSessions(database, cookies, administration.outbox, clock)
    states = SessionStates(cookies, sealer.derive("browser-state"))
    authenticator = PasswordAuthenticator(administration.people, Lockout(database, clock), database, metrics)
    issuer = TokenIssuer(keyring, base_url, clock)
    outbound = GuardedClient(settings)
    client_keys = ClientKeys(outbound, clock)
    clients = client_authentication(settings, base_url, administration, hot, client_keys, limits, metrics)
    proofs = dpop_proofs(settings, base_url, administration, hot)
    responses = ResponseTokens(keyring, client_keys)
    id_tokens = IdTokenIssuer(responses, base_url, clock)
    tokens = GrantTokens(issuer, id_tokens, sealer)
    configuration = administration.configuration
    reader = TokenReader(hot, configuration, keyring, proofs, base_url, clock)
    roles = RoleGrantsOfPeople(database, administration.people)
    mailer = _mailer(settings, administration, theme, metrics)
    callers = remembered_people(settings, administration.people, authenticator, database, clock)
    return Parts(
        settings=settings,
        base_url=base_url,
        clock=clock,
        log=get_logger("identity"),
        metrics=metrics,
        administration=administration,
        hot=hot,
        keyring=keyring,
        outbox=administration.outbox,
        mailer=mailer,
        theme=theme,
        templates=templates,
        pages=PageResponses(templates, base_url=base_url, form_key=sealer.derive("form")),
        cookies=cookies,
        sessions=sessions,
        consents=Consents(database, administration.outbox, clock),
        authenticator=authenticator,
        session_states=states,
        sign_in=build_sign_in(
            settings,
            base_url,
            administration,
            authenticator=authenticator,
            sessions=sessions,
            states=states,
            cookies=cookies,
            roles=roles,
            mailer=mailer,
            outbound=outbound,
            metrics=metrics,
        ),
        reader=reader,
        limits=limits,
        clients=clients,
        outbound=outbound,
        documents=ClientMetadataDocuments(administration, outbound, RegistrationRate(limits, metrics)),
        client_keys=client_keys,
        proofs=proofs,
        sender_constraint=SenderConstraint(proofs),
        responses=responses,
        issuer=issuer,
        id_tokens=id_tokens,
        tokens=tokens,
        families=Families(database, administration.outbox, clock),
        starter=GrantStarter(database, clients, tokens, sealer, clock),
        scope_policy=ScopePolicy(configuration, roles),
        access=api_access(reader, configuration, clients, callers, roles, base_url),
    )


def _mailer(settings: Settings, administration: Administration, theme: Theme, metrics: Metrics) -> Mailer:
    """With what takes mail further registered in the outbox."""
    outbox, database = administration.outbox, administration.database
    log = get_logger("identity.messaging.mail")
    MailCarrier(SmtpServer.of(settings), database, administration.sealer, outbox.clock, log).register(outbox)
    return Mailer(outbox, database, MailTemplates(theme.folder / "mail"), metrics)


def _metrics(hot: HotStorage, people: People, lane: PasswordLane, directory: Path | None) -> Metrics:
    metrics = Metrics(
        grant_types=GRANT_TYPES,
        store_types=tuple(STORE_TYPES),
        delivery_kinds=tuple(DeliveryKind),
        mail_templates=MAIL_TEMPLATES,
        factors=FACTOR_NAMES,
        directory=directory,
    )
    counters, watch = hot.counters, metrics.watch
    watch("heads_refused", "Requests refused by their head", _refused_heads, label="status", kind="counter")
    watch("token_road_storage", "Work of the token road's database connections", lambda: asdict(counters),
          label="what", kind="counter")  # fmt: skip
    watch("password_hashes_waiting", "Passwords that wait for a hash", lambda: lane.waiting)
    watch("events_recorded", "Events written, by type", lambda: dict(recorded), label="type", kind="counter")
    watch("user_store_circuit_open", "1 while a user store is not asked because it did not answer",
          people.open_circuits, label="store", combine="max")  # fmt: skip
    return metrics


def _refused_heads() -> dict[str, int]:
    return {str(status): count for status, count in refused.items()}
