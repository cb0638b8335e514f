"""Identifier first: the name alone is asked for, and nothing is said about whether it is anybody's."""

from collections.abc import Mapping
from typing import Any

from identity.authn.authenticators import IDENTIFIER, Attempt, Begun, Kinds, Named, PromptField, Rejected
from identity.authn.factor_policy import FactorPolicy
from identity.authn.people import People
from userstores.spi import StoreUnavailable

MOST_CHARACTERS = 256


class IdentifierAuthenticator:
    name = IDENTIFIER
    kinds: Kinds = frozenset()
    identifies = True
    template = "factors/identifier.html"
    fields: tuple[PromptField, ...] = (
        PromptField(name="username", display_name="Username", i18n_key="username.param"),
    )

    def __init__(self, people: People, policy: FactorPolicy) -> None:
        self._people = people
        self._policy = policy

    async def usable(self, attempt: Attempt) -> bool:
        return True

    async def begin(self, attempt: Attempt) -> Begun:
        return Begun()

    async def page(self, attempt: Attempt) -> dict[str, Any]:
        return {}

    async def verify(self, attempt: Attempt, answer: Mapping[str, str]) -> Named | Rejected:
        username = answer.get("username", "").strip()
        if not username or len(username) > MOST_CHARACTERS:
            return Rejected(error="refused")
        if not await self._policy.admit_address(attempt, IDENTIFIER):
            return Rejected(error="busy")
        try:
            return Named(username=username, person=await self._people.find_by_name(attempt.tenant, username))
        except StoreUnavailable:
            return Rejected(error="unavailable")
