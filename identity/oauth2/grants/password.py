"""password (RFC 6749 §4.3): for applications of before the browser. Off unless the application has it.

The same authenticator as the sign-in page: the same lockout, limits and cost, so that nothing is gained by coming here
(attack row 21). Every refusal looks the same; a silent directory is 503, never a refusal.
"""

from typing import Any

from identity.authn.assurance import SINGLE_FACTOR
from identity.authn.authenticators import password
from identity.authn.authenticators.password import PasswordAuthenticator
from identity.authn.people import People, Person
from identity.authn.sign_in_plan import plan_of
from identity.clock import Clock
from identity.domain.tokens import TokenTerms
from identity.errors import Unavailable
from identity.oauth2.authorization.asked_scope import asked_scope
from identity.oauth2.errors import OAuthError
from identity.oauth2.grant_starter import GrantStarter, NewGrant
from identity.oauth2.grants import TokenCall
from identity.oauth2.resources import require_one
from identity.oauth2.scope_policy import ScopePolicy
from identity.oauth2.token_answer import gets_refresh_token
from identity.storage import attempts
from identity.storage.database import Database
from identity.storage.write_batch import WriteBatch

RETRY_AFTER = 5


class PasswordGrant:
    grant_type = "password"

    def __init__(
        self,
        authenticator: PasswordAuthenticator,
        people: People,
        scopes: ScopePolicy,
        starter: GrantStarter,
        database: Database,
        clock: Clock,
    ) -> None:
        self._authenticator = authenticator
        self._people = people
        self._scopes = scopes
        self._starter = starter
        self._database = database
        self._clock = clock

    async def handle(self, call: TokenCall) -> dict[str, Any]:
        application = call.application
        # Profiles forbid it; a public client gets it from an administrator only, never by registering itself.
        by_itself = application.public and application.registered_by != "administrator"
        if application.profile or by_itself:
            raise OAuthError("unauthorized_client", "This application may not use the password grant.")
        if not plan_of(call.tenant, application).password_alone:
            raise OAuthError("unauthorized_client", "Signing in to this application takes more than a password.")
        username, secret = call.required("username"), call.required("password")
        person = await self._authenticated(call, username, secret)
        asked = asked_scope(application, call.form.get("scope", ""))
        names = await self._scopes.allowed(call.tenant, application, person.subject.id, asked.split())
        scope = " ".join(names)
        require_one(application, call.resources)
        return await self._starter.start(
            call,
            NewGrant(
                kind="password",
                person=person,
                scope=scope,
                auth_time=self._clock.now(),
                acr=SINGLE_FACTOR,
                amr=password.AMR,
                terms=TokenTerms(resources=call.resources, authorization_details=call.authorization_details),
                refresh=gets_refresh_token(application, scope),
            ),
        )

    async def _authenticated(self, call: TokenCall, username: str, secret: str) -> Person:
        now = self._clock.now()
        answer = await self._authenticator.authenticate(call.request, username, secret, now)
        if answer.user is None:
            if answer.error == "refused":
                raise _refused()
            raise Unavailable(f"password grant: {answer.error}", retry_after=RETRY_AFTER)
        person = await self._people.person_of(call.tenant, answer.user)
        if not person.subject.enabled:
            await self._authenticator.refuse_disabled(call.request, answer, now)
            raise _refused()
        batch = WriteBatch()
        for counter in answer.counters:
            await attempts.clear_tries(batch, call.tenant.id, counter)
        await self._database.commit(batch)
        return person


def _refused() -> OAuthError:
    """RFC 6749 §5.2; one text for an unknown name, a wrong password and a locked or disabled account."""
    return OAuthError("invalid_grant", "The username or the password is not right, or the account cannot be used now.")
