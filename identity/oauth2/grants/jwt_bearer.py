"""jwt-bearer (RFC 7523 §2.1): an assertion about a person, by an issuer that an administrator trusts.

An application that may impersonate may also assert by itself, with its registered keys (`iss` its client id). What is
asserted is good once, whether it has a `jti` or not. Assertions of the type `oauth-id-jag+jwt` are identity assertions:
`identity_assertion.py`.
"""

from hashlib import sha256
from typing import Any

from identity.authn.people import People, Person, store_unavailable
from identity.clock import SECOND, Clock, seconds
from identity.domain.applications import JWT_BEARER, Application
from identity.domain.keys import SIGNING_ALGORITHMS
from identity.domain.tokens import TokenTerms
from identity.oauth2.authorization.asked_scope import asked_scope
from identity.oauth2.errors import OAuthError
from identity.oauth2.grant_starter import GrantStarter, NewGrant
from identity.oauth2.grants import TokenCall
from identity.oauth2.grants.identity_assertion import TYP as IDENTITY_ASSERTION
from identity.oauth2.grants.identity_assertion import IdentityAssertions
from identity.oauth2.resources import require_one
from identity.oauth2.scope_policy import ScopePolicy
from identity.oauth2.shown_subjects import ShownSubjects
from identity.oauth2.token_answer import gets_refresh_token
from identity.oauth2.trusted_assertions import SKEW, TrustedAssertions, is_visitor
from identity.storage.hot import HotStorage
from identity.tokens.addresses import base_of, issuer_of
from identity.tokens.claims import IDENTITY_SCOPES
from identity.tokens.client_keys import ClientKeys
from identity.tokens.jose import Claims, InvalidToken, check_times, kid_of, peek, read_header
from identity.tokens.single_use import first_use
from userstores.spi import StoreUnavailable

MAXIMUM_AGE = 1800
"""Seconds since `iat`: an assertion is made to be used at once."""
MAXIMUM_LIFETIME = 3600
MAXIMUM_JTI = 512
_TYP = frozenset({None, "JWT"})


class JwtBearerGrant:
    grant_type = JWT_BEARER

    def __init__(
        self,
        *,
        trusted: TrustedAssertions,
        identity_assertions: IdentityAssertions,
        subjects: ShownSubjects,
        people: People,
        client_keys: ClientKeys,
        hot: HotStorage,
        scopes: ScopePolicy,
        starter: GrantStarter,
        base_url: str,
        clock: Clock,
    ) -> None:
        self._trusted = trusted
        self._identity_assertions = identity_assertions
        self._subjects = subjects
        self._people = people
        self._client_keys = client_keys
        self._hot = hot
        self._scopes = scopes
        self._starter = starter
        self._base_url = base_url
        self._clock = clock

    async def handle(self, call: TokenCall) -> dict[str, Any]:
        assertion = call.required("assertion")
        try:
            if is_typ(assertion, IDENTITY_ASSERTION):
                granted = await self._identity_assertions.read(call, assertion)
                person, claims = granted.person, granted.claims
                scope, resources = granted.scope, granted.resources
            else:
                person, claims = await self._read(call, assertion)
                scope, resources = asked_scope(call.application, call.form.get("scope", "")), call.resources
            await self._use_up(call, assertion, claims)
        except InvalidToken as error:
            raise invalid_assertion(error.detail) from None
        except StoreUnavailable as error:
            raise store_unavailable(error) from None
        return await self._start(call, person, scope, resources)

    async def _start(self, call: TokenCall, person: Person, scope: str, resources: tuple[str, ...]) -> dict[str, Any]:
        wanted = [name for name in scope.split() if not (is_visitor(person) and name in IDENTITY_SCOPES)]
        names = await self._scopes.allowed(call.tenant, call.application, person.subject.id, wanted)
        granted = " ".join(names)
        require_one(call.application, resources)
        return await self._starter.start(
            call,
            NewGrant(
                kind="jwt_bearer",
                person=person,
                scope=granted,
                auth_time=self._clock.now(),
                terms=TokenTerms(resources=resources, authorization_details=call.authorization_details),
                refresh=gets_refresh_token(call.application, granted) and not is_visitor(person),
            ),
        )

    async def _read(self, call: TokenCall, assertion: str) -> tuple[Person, Claims]:
        """Raises InvalidToken."""
        application = call.application
        if peek(assertion).get("iss") == application.client_id:
            claims = await self._own(call, assertion)
            person = await self._asserted_by_client(call, application, claims)
        else:
            found = await self._trusted.read(call, assertion, _TYP, maximum_age=MAXIMUM_AGE)
            claims, person = found.claims, await self._trusted.person(call.tenant, found)
        if person is None:
            raise InvalidToken("nobody is known by it")
        return person, claims

    async def _own(self, call: TokenCall, assertion: str) -> Claims:
        """The client's own assertion: only where an administrator lets it speak for people."""
        application = call.application
        if not application.may_impersonate:
            raise InvalidToken("the application may not assert by itself")
        keys = await self._client_keys.keys_of(application, kid=kid_of(assertion))
        allowed = frozenset(filter(application.rules.allows_algorithm, SIGNING_ALGORITHMS))
        claims = keys.verify(assertion, allowed, _TYP)[1]
        ours = {
            issuer_of(self._base_url, call.tenant.tenant),
            f"{base_of(self._base_url, call.tenant.tenant)}/oauth2/token",
        }
        audience = claims.get("aud")
        listed = audience if isinstance(audience, list) else [audience]
        if not all(isinstance(item, str) for item in listed) or ours.isdisjoint(listed):
            raise InvalidToken("aud")
        now = seconds(self._clock.now())
        age = MAXIMUM_AGE if "iat" in claims else None
        check_times(claims, now, skew=SKEW, maximum_age=age, maximum_lifetime=MAXIMUM_LIFETIME + SKEW)
        return claims

    async def _asserted_by_client(self, call: TokenCall, application: Application, claims: Claims) -> Person | None:
        """`sub` as the client's ID tokens have it, or a username."""
        sub = claims.get("sub")
        # A client that asserts about itself wants client_credentials.
        if not isinstance(sub, str) or not 0 < len(sub) <= 255 or sub == application.client_id:
            raise InvalidToken("sub")
        found = await self._subjects.person(call.tenant, application, sub, None)
        if found is None:
            found = await self._people.find_by_name(call.tenant, sub)
        live = found is not None and found.user.enabled and found.subject.enabled
        return found if live else None

    async def _use_up(self, call: TokenCall, assertion: str, claims: Claims) -> None:
        # RFC 7523 §3 (7): by its jti; without one, by all that is signed. The signature is no part of it: from one by
        # ECDSA anybody makes another one that is as good.
        jti = claims.get("jti", "")
        if not isinstance(jti, str) or len(jti) > MAXIMUM_JTI:
            raise InvalidToken("jti")
        named = f"{claims['iss']}\0{jti}" if jti else assertion.rpartition(".")[0]
        spent = sha256(f"jwt_bearer\0{named}".encode()).digest()
        if not await first_use(self._hot, call.request, spent, (int(claims["exp"]) + SKEW + 1) * SECOND):
            raise InvalidToken("used before")


def is_typ(token: str, typ: str) -> bool:
    """Whether its header says this `typ`, in whichever spelling (RFC 7515 §4.1.9). Raises InvalidToken."""
    found = read_header(token).get("typ")
    return isinstance(found, str) and found.lower().removeprefix("application/") == typ


def invalid_assertion(detail: str) -> OAuthError:
    """RFC 7523 §3.1: one text for every cause."""
    return OAuthError(
        "invalid_grant",
        "The assertion is not valid: unknown issuer or key, not for this server, expired, used before, or nobody is "
        "known by it.",
        detail=detail,
    )
