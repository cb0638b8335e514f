"""All stores of one tenant as one: which store a login name goes to.

* `DOMAIN/user` goes to that store only (`PRIMARY/user` too). When no store has that domain, the whole text is a bare
  name.
* A bare name is tried in the stores' order, PRIMARY first, **until one accepts the password**. So a failing sign-in
  costs every store one look-up and one hash or bind, whoever knows the name: its time tells nothing.
* A name that two stores have is told apart by its password. Only if both accept the same password the order decides;
  people in that position sign in as `DOMAIN/user`.
* A store that is silent does not hold up the ones after it: after `patience` seconds the next one is asked beside it,
  and an acceptance counts at once. If nobody accepts and a store did not answer, the result is StoreUnavailable, never
  a refusal: the person may live there.
* A look-up without a password (`find`) takes the first store in order that has the name, and fails when an earlier
  one does not answer, because acting upon the wrong person is worse than not acting.
"""

import asyncio
from collections.abc import Iterable, Iterator

from userstores.names import PRIMARY, split_login_name
from userstores.passwords import LaneFull, PasswordRefused, check_password
from userstores.spi import Authenticated, Outcome, RefusalReason, Refused, StoreUnavailable, StoreUser, UserStore

PATIENCE_SECONDS = 0.5


class UserStores:
    """Ordered stores of a tenant. Names are unique; PRIMARY comes first wherever it was given."""

    def __init__(self, stores: Iterable[UserStore], *, patience: float = PATIENCE_SECONDS) -> None:
        ordered = sorted(stores, key=lambda store: store.name != PRIMARY)
        self._stores = {store.name: store for store in ordered}
        if len(self._stores) != len(ordered):
            raise ValueError("two user stores of a tenant have the same name")
        self._patience = patience

    def __iter__(self) -> Iterator[UserStore]:
        return iter(self._stores.values())

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._stores)

    def get(self, name: str) -> UserStore | None:
        """By domain name, in any case."""
        return self._stores.get(name.upper())

    def route(self, login_name: str) -> tuple[tuple[UserStore, ...], str]:
        """The stores to ask, in order, and the name to ask them for."""
        domain, username = split_login_name(login_name)
        store = self._stores.get(domain) if domain is not None else None
        if store is not None:
            return (store,), username
        return tuple(self._stores.values()), login_name

    async def authenticate(self, login_name: str, password: str) -> Outcome:
        """Raises StoreUnavailable or LaneFull when nobody accepted and somebody could not be asked."""
        try:
            check_password(password)
        except PasswordRefused:
            return Refused(RefusalReason.WRONG_PASSWORD)
        stores, username = self.route(login_name)
        if len(stores) == 1:
            return await stores[0].authenticate(username, password)
        return await self._ask_in_order(stores, username, password)

    async def find(self, login_name: str) -> StoreUser | None:
        stores, username = self.route(login_name)
        for store in stores:
            user = await store.find_by_username(username)
            if user is not None:
                return user
        return None

    async def find_by_id(self, store_name: str, user_id: str) -> StoreUser | None:
        """None also when the tenant has no such store (any more)."""
        store = self.get(store_name)
        return None if store is None else await store.find_by_id(user_id)

    async def find_by_claim(self, claim: str, value: str) -> list[StoreUser]:
        """Everybody, or at least two, of all stores with this `username`, `email` or `phone_number`.

        Every store is asked: somebody is only unique when no store has another. Raises StoreUnavailable.
        """
        found: list[StoreUser] = []
        for store in self._stores.values():
            if claim == "username":
                user = await store.find_by_username(value)
                found += [] if user is None else [user]
            else:
                found += await store.find_by_claim(claim, value)
        return found

    async def close(self) -> None:
        await asyncio.gather(*(store.close() for store in self))

    async def _ask_in_order(self, stores: tuple[UserStore, ...], username: str, password: str) -> Outcome:
        asked: list[asyncio.Task[Outcome]] = []
        try:
            for store in stores:
                asked.append(asyncio.ensure_future(store.authenticate(username, password)))
                await asyncio.wait(asked[-1:], timeout=self._patience)
                accepted = _acceptance(asked)
                if accepted is not None:
                    return accepted
            return await self._await_all(asked)
        finally:
            await _abandon(asked)

    async def _await_all(self, asked: list[asyncio.Task[Outcome]]) -> Outcome:
        pending = {task for task in asked if not task.done()}
        while pending:
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            accepted = _acceptance(asked)
            if accepted is not None:
                return accepted
        return _refusal(asked)


def _acceptance(asked: list[asyncio.Task[Outcome]]) -> Authenticated | None:
    """The first acceptance in the stores' order among the answers that are there."""
    for task in asked:
        if task.done() and not task.cancelled() and task.exception() is None:
            outcome = task.result()
            if isinstance(outcome, Authenticated):
                return outcome
    return None


def _refusal(asked: list[asyncio.Task[Outcome]]) -> Refused:
    """What nobody's acceptance means: a store's failure first, then the refusal of a store that knows the name."""
    errors = [error for error in (task.exception() for task in asked) if error is not None]
    unexpected = [error for error in errors if not isinstance(error, StoreUnavailable | LaneFull)]
    if errors:
        raise (unexpected or errors)[0]
    refusals = [outcome for outcome in (task.result() for task in asked) if isinstance(outcome, Refused)]
    known = [refused for refused in refusals if refused.reason is not RefusalReason.UNKNOWN_USER]
    # A tenant may have disconnected every store it had.
    return (known or refusals or [Refused(RefusalReason.UNKNOWN_USER)])[0]


async def _abandon(asked: list[asyncio.Task[Outcome]]) -> None:
    """End the questions whose answer is not needed; their outcome is of no interest to anybody."""
    unfinished = [task for task in asked if not task.done()]
    for task in unfinished:
        task.cancel()
    if asked:
        await asyncio.gather(*asked, return_exceptions=True)
