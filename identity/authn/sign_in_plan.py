"""What signing in to an application takes: its steps or the tenant's, its script, and the least it is content with."""

from dataclasses import dataclass

from adaptive_auth.journal import Entry
from adaptive_auth.steps import Definition, Step
from identity.authn.assurance import SINGLE_FACTOR, reaches
from identity.authn.authenticators import BASIC, EMAIL_CODE, IDENTIFIER, PASSKEY, RECOVERY_CODE, SESSION_LIMIT, TOTP
from identity.domain.applications import Application
from identity.domain.sessions import SsoSession
from identity.storage.configuration import TenantConfiguration

SECOND_FACTORS = (PASSKEY, TOTP, EMAIL_CODE, RECOVERY_CODE)
"""What is asked for when a request wants more than the configured steps give (RFC 9470)."""


@dataclass(frozen=True, slots=True)
class Plan:
    steps: tuple[tuple[str, ...], ...]
    script: str = ""
    shadow: str = ""
    wanted_acr: str = ""
    accepted_acrs: tuple[str, ...] = ()

    @property
    def password_alone(self) -> bool:
        """Whether a name and a password are all that it takes: else there is no signing in without pages."""
        return (
            not self.script
            and all(BASIC in step for step in self.steps[:1])
            and len(self.steps) <= 1
            and (reaches(SINGLE_FACTOR, self.wanted_acr))
        )

    def satisfied_by(self, session: SsoSession) -> bool:
        """Whether nobody has to show anything more. A script has to be asked."""
        return (
            not self.script
            and len(entries_of_session(self.steps, session)) == len(self.steps)
            and reaches(session.acr, self.wanted_acr)
        )

    def needs_somebody(self, session: SsoSession) -> bool:
        """Whether the rest surely takes a person. A script has to be asked, a limit of sessions has to be counted."""
        if self.script:
            return False
        shown = {entry.step for entry in entries_of_session(self.steps, session)}
        missing = [step for number, step in enumerate(self.steps, 1) if number not in shown]
        counted = all(step == (SESSION_LIMIT,) for step in missing)
        return not shown or not counted or not reaches(session.acr, self.wanted_acr)


def plan_of(tenant: TenantConfiguration, application: Application | None, acr_values: tuple[str, ...] = ()) -> Plan:
    """`acr_values` of the request: the first that can be reached is the one to reach. None: our own pages."""
    settings = tenant.settings
    own = application is not None and (application.sign_in_steps or application.sign_in_script)
    steps = settings.sign_in_steps
    script, shadow = settings.sign_in_script, settings.shadow_script
    if application is not None and own:
        steps, script, shadow = application.sign_in_steps or steps, application.sign_in_script, ""
    if application is None:
        # Scripts decide about applications; they must not lock administrators and people out of our own pages.
        script = shadow = ""
    elif application.shadow_script:
        shadow = application.shadow_script
    wanted = [*acr_values[:1], *((application.minimum_acr,) if application is not None else ())]
    return Plan(tuple(step.authenticators for step in steps), script, shadow, max(wanted, default=""), acr_values[1:])


def definition(steps: tuple[tuple[str, ...], ...], *, one_more: bool) -> Definition:
    """`one_more`: the steps were done, and the level that is wanted was not reached."""
    extra = (SECOND_FACTORS,) if one_more else ()
    return Definition(tuple(Step(step) for step in (*steps, *extra)))


def entries_of_session(steps: tuple[tuple[str, ...], ...], session: SsoSession) -> tuple[Entry, ...]:
    """The steps that the running session has answered already: only what is missing is asked for.

    Where it has answered any, a name is not asked for either: another one could be typed.
    """
    shown = session.shown
    found = {
        number: name
        for number, step in enumerate(steps, 1)
        if (name := next((name for name in step if name in shown), None)) is not None
    }
    if not found:
        return ()
    named = {number: IDENTIFIER for number, step in enumerate(steps, 1) if IDENTIFIER in step}
    return tuple(
        Entry(
            step=number,
            authenticator=name,
            outcome="succeeded",
            at=session.auth_time,
            subject=session.subject,
            amr=shown.get(name, ()),
            reused=True,
        )
        for number, name in sorted((named | found).items())
    )
