"""How people sign in: factors, steps, scripts, and what a sign-in leaves behind."""

from dataclasses import dataclass
from pathlib import Path

from adaptive_auth.isolation import Isolation, OpenedEngine, opener
from adaptive_auth.lane import SUSPECTS_AT_ONCE, LaneSettings, ScriptLane
from identity.administration.backtests import all_processors
from identity.administration.context import Administration
from identity.authn.authenticators import Authenticator
from identity.authn.authenticators.password import PasswordAuthenticator
from identity.authn.authenticators.registry import build_factors
from identity.authn.cookies import Cookies
from identity.authn.enrolled_factors import EnrolledFactors
from identity.authn.login_end import LoginEnd
from identity.authn.login_flow import LoginFlows
from identity.authn.login_recording import LoginRecordings
from identity.authn.login_steps import LoginSteps
from identity.authn.login_trace import LoginTraces
from identity.authn.network_places import NetworkPlaces
from identity.authn.role_grants import RoleGrantsOfPeople
from identity.authn.script_answers import ScriptAnswers, Sources
from identity.authn.script_effects import ScriptEffects
from identity.authn.script_http import ScriptHttp
from identity.authn.script_runner import NOT_LOCKED, ScriptRunner
from identity.authn.script_trials import LaneTrials, OwnEngineTrials
from identity.authn.scripted_steps import ScriptedSteps
from identity.authn.session_state import SessionStates
from identity.authn.shadow import Shadow
from identity.authn.sign_in_scripts import SignInScripts
from identity.authn.sso_sessions import SsoSessions
from identity.config import Settings
from identity.messaging.guarded_client import GuardedClient
from identity.messaging.mail import Mailer
from identity.storage.tenants import count_tenants
from identity.telemetry import Metrics, get_logger


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInParts:
    factors: dict[str, Authenticator]
    enrolled: EnrolledFactors
    steps: LoginSteps
    scripts: SignInScripts
    runner: ScriptRunner
    traces: LoginTraces
    recordings: LoginRecordings
    flows: LoginFlows
    trials: LaneTrials
    shadow: Shadow


def build_sign_in(
    settings: Settings,
    base_url: str,
    administration: Administration,
    *,
    authenticator: PasswordAuthenticator,
    sessions: SsoSessions,
    states: SessionStates,
    cookies: Cookies,
    roles: RoleGrantsOfPeople,
    mailer: Mailer,
    outbound: GuardedClient,
    metrics: Metrics,
) -> SignInParts:
    database, people, sealer = administration.database, administration.people, administration.sealer
    clock, log = administration.clock, get_logger("identity.authn")
    factors, enrolled = build_factors(
        database=database, sealer=sealer, clock=clock, metrics=metrics, people=people, sessions=sessions,
        passwords=authenticator, mails=mailer, base_url=base_url,
    )  # fmt: skip
    steps = LoginSteps(factors, people)
    scripts = SignInScripts(database, sealer)
    runner = script_runner(settings, administration)
    places = NetworkPlaces(settings.network_databases)
    sources = Sources(
        database=database, people=people, sessions=sessions, roles=roles, outbox=administration.outbox, sealer=sealer,
        places=places,
    )  # fmt: skip
    effects = ScriptEffects(
        database=database, configuration=administration.configuration, people=people, mailer=mailer,
        outbox=administration.outbox, sealer=sealer, plain=cookies.plain, log=log,
    )  # fmt: skip
    scripted = ScriptedSteps(
        steps=steps, scripts=scripts, runner=runner, answers=ScriptAnswers(sources),
        http=ScriptHttp(outbound, scripts, log), effects=effects, people=people, metrics=metrics, log=log,
    )  # fmt: skip
    traces, recordings = LoginTraces(sealer), LoginRecordings(database, sealer)
    trials = LaneTrials(runner)
    shadow = Shadow(
        database=database, scripts=scripts, trials=trials, metrics=metrics, log=log, clock=clock
    )  # fmt: skip
    end = LoginEnd(
        sessions=sessions, people=people, traces=traces, recordings=recordings, places=places, sealer=sealer,
        cookies=cookies, states=states, shadow=shadow, metrics=metrics,
    )  # fmt: skip
    flows = LoginFlows(
        database=database, sessions=sessions, steps=steps, scripts=scripted, end=end, cookies=cookies, sealer=sealer,
        clock=clock,
    )  # fmt: skip
    return SignInParts(
        factors=factors, enrolled=enrolled, steps=steps, scripts=scripts, runner=runner, traces=traces,
        recordings=recordings, flows=flows, trials=trials, shadow=shadow,
    )  # fmt: skip


def script_runner(settings: Settings, administration: Administration) -> ScriptRunner:
    """Nothing is opened or compiled before the first script."""
    isolation = _isolation_of(settings)
    folder, key = settings.data / "cache", administration.sealer.derive("script-module")
    lane_settings = LaneSettings(at_once=settings.script_threads) if settings.script_threads else LaneSettings()
    lane = ScriptLane(
        isolation,
        opener(isolation, folder=folder, key=key, workers=lane_settings.at_once + SUSPECTS_AT_ONCE),
        lane_settings,
    )
    return ScriptRunner(lane, administration.database, administration.clock,
                        automatic=settings.script_isolation == "auto")  # fmt: skip


def own_trials(settings: Settings, administration: Administration, folder: Path) -> OwnEngineTrials:
    """For the command line: isolated as on a server with these settings. `folder` keeps the compiled guest."""

    async def refusal(opened: OpenedEngine) -> str:
        if settings.script_isolation != "auto" or opened.locked or await count_tenants(administration.database) < 2:
            return ""
        return NOT_LOCKED.format(reason=opened.reason)

    return OwnEngineTrials(opener(_isolation_of(settings), folder=folder, workers=all_processors()), refusal)


def _isolation_of(settings: Settings) -> Isolation:
    """`auto` prefers locked workers; whether it demands them depends on the number of tenants."""
    return "preferred" if settings.script_isolation == "auto" else settings.script_isolation
