"""People: created and changed in the stores that allow it. What ends their access ends sessions and grants."""

from collections.abc import Mapping
from typing import Any

from identity.administration.context import Administration
from identity.authn.logout_notices import enqueue_logout_notices
from identity.authn.revocation_notices import tell_subject_ended
from identity.domain.events import Event, EventType
from identity.domain.users import Subject
from identity.errors import IdentityError
from identity.secrets import Secret
from identity.storage import subjects
from identity.storage.configuration import TenantConfiguration
from identity.storage.database import Transaction
from identity.storage.enrolled_factors import delete_factors_of_subject
from identity.storage.events import record
from identity.storage.last_logins import forget_last_login
from identity.storage.login_traces import forget_login_traces
from identity.storage.pending_enrolments import forget_pending_enrolments
from identity.storage.recorded_logins import forget_recorded_logins
from identity.storage.roles import forget_user
from identity.storage.session_applications import list_applications_of_running_sessions
from userstores.passwords import PasswordRefused
from userstores.spi import InvalidUser, NewUser, NotSupported, StoreUser, UnknownUser, UserChanges, UserExists


async def create_user(
    administration: Administration,
    tenant: TenantConfiguration,
    username: str,
    password: Secret | str,
    *,
    store: str = "PRIMARY",
    attributes: Mapping[str, Any] | None = None,
    groups: tuple[str, ...] = (),
) -> StoreUser:
    """A person in a store of ours. Raises IdentityError: taken name, unfit password, store that cannot."""
    target = administration.people.stores(tenant).get(store)
    if target is None:
        raise IdentityError("unknown_store", f"There is no user store {store!r}.", status=404)
    try:
        user = await target.create_user(
            NewUser(username=username, password=str(password), attributes=attributes or {}, groups=groups)
        )
    except UserExists:
        raise IdentityError("user_exists", f"The username {username!r} is taken.", status=409) from None
    except (PasswordRefused, InvalidUser) as error:
        raise IdentityError("invalid_user", str(error)) from None
    except NotSupported:
        raise IdentityError("not_supported", f"The store {store} cannot create users.", status=501) from None
    async with administration.database.transaction() as transaction:
        await _record(transaction, administration, tenant, EventType.USER_CREATED, "", {"username": username})
    return user


async def list_all_users(administration: Administration, tenant: str, store: str) -> list[StoreUser]:
    """Everybody in a store, in the order of their names. Raises IdentityError."""
    target = administration.people.stores(await administration.tenant(tenant)).get(store)
    if target is None:
        raise IdentityError("unknown_store", f"There is no user store {store!r}.", status=404)
    found: list[StoreUser] = []
    after: str | None = None
    try:
        while True:
            page = await target.list_users(after)
            found.extend(page.users)
            after = page.next
            if after is None:
                return found
    except NotSupported:
        raise IdentityError("not_supported", f"The store {store} cannot list users.", status=501) from None


async def find_user(administration: Administration, tenant: TenantConfiguration, username: str) -> StoreUser:
    """By `name` or `DOMAIN/name`. Raises IdentityError."""
    user = await administration.people.stores(tenant).find(username)
    if user is None:
        raise IdentityError("unknown_user", f"There is no user {username!r}.", status=404)
    return user


async def update_user(
    administration: Administration, tenant: TenantConfiguration, username: str, changes: UserChanges
) -> StoreUser:
    """Change attributes, groups or name; userinfo shows them with its next call."""
    user = await find_user(administration, tenant, username)
    target = administration.people.stores(tenant).get(user.store)
    assert target is not None
    try:
        changed = await target.update_user(user.id, changes)
    except (UserExists, InvalidUser) as error:
        raise IdentityError("invalid_user", str(error)) from None
    except NotSupported:
        raise IdentityError("not_supported", f"The store {user.store} cannot change users.", status=501) from None
    async with administration.database.transaction() as transaction:
        subject = await subjects.find_subject_of_user(transaction, tenant.id, user.store, user.id)
        if subject is not None:
            await subjects.touch_subject(transaction, tenant.id, subject.id)
        await _record(
            transaction,
            administration,
            tenant,
            EventType.USER_UPDATED,
            subject.id if subject else "",
            {"username": user.username},
        )
    return changed


async def set_password(
    administration: Administration, tenant: TenantConfiguration, username: str, password: Secret | str
) -> None:
    """A new password: sessions and grants made with the old one are over."""
    user = await find_user(administration, tenant, username)
    target = administration.people.stores(tenant).get(user.store)
    assert target is not None
    try:
        await target.set_password(user.id, str(password))
    except PasswordRefused as error:
        raise IdentityError("invalid_password", str(error)) from None
    except NotSupported:
        raise IdentityError("not_supported", f"The store {user.store} cannot set passwords.", status=501) from None
    await _end_everything(administration, tenant, user, EventType.PASSWORD_CHANGED, enabled=None)


async def set_user_enabled(
    administration: Administration, tenant: TenantConfiguration, username: str, enabled: bool
) -> None:
    """Disable (sessions and grants are over at once) or enable again. Works for every store: ours is the last word."""
    user = await find_user(administration, tenant, username)
    target = administration.people.stores(tenant).get(user.store)
    assert target is not None
    if target.capabilities.set_enabled:
        await target.set_enabled(user.id, enabled)
    event = EventType.USER_ENABLED if enabled else EventType.USER_DISABLED
    await _end_everything(administration, tenant, user, event, enabled=enabled)


async def delete_user(administration: Administration, tenant: TenantConfiguration, username: str) -> None:
    user = await find_user(administration, tenant, username)
    target = administration.people.stores(tenant).get(user.store)
    assert target is not None
    try:
        await target.delete_user(user.id)
    except NotSupported:
        raise IdentityError("not_supported", f"The store {user.store} cannot delete users.", status=501) from None
    except UnknownUser:
        raise IdentityError("unknown_user", f"There is no user {username!r}.", status=404) from None
    await _end_everything(administration, tenant, user, EventType.USER_DELETED, enabled=False)


async def end_sessions(administration: Administration, tenant: TenantConfiguration, username: str) -> None:
    """Sign a person out everywhere: every session, grant and token is over."""
    user = await find_user(administration, tenant, username)
    await _end_everything(administration, tenant, user, EventType.SESSION_ENDED, enabled=None)


async def end_departed(administration: Administration, tenant: TenantConfiguration, subject: Subject) -> None:
    """Everything of somebody whose directory has them no more. They may come back: we do not disable them."""
    user = StoreUser(store=subject.store, id=subject.external_id, username=subject.username)
    await _end_everything(administration, tenant, user, EventType.USER_LEFT, enabled=None)


async def _end_everything(
    administration: Administration,
    tenant: TenantConfiguration,
    user: StoreUser,
    event: EventType,
    *,
    enabled: bool | None,
) -> Subject:
    """Raise the subject's epoch, in the transaction that says why. `enabled` None leaves it as it is.

    The applications of every running session are told.
    """
    now = administration.clock.now()
    async with administration.database.transaction() as transaction:
        subject = await subjects.ensure_subject(
            transaction,
            tenant.id,
            store=user.store,
            external_id=user.id,
            username=user.username,
            now=now,
        )
        reached = await list_applications_of_running_sessions(transaction, tenant.id, subject.id, now)
        await enqueue_logout_notices(administration.outbox, transaction, tenant, reached)
        if event is not EventType.USER_ENABLED:
            await tell_subject_ended(administration.outbox, transaction, tenant, subject.id)
        if event is EventType.USER_DELETED:
            await forget_user(transaction, tenant.id, subject.id)
            await delete_factors_of_subject(transaction, tenant.id, subject.id)
            await _forget_sign_ins(transaction, tenant, subject)
        await subjects.end_everything_of_subject(
            transaction, tenant.id, subject.id, enabled=subject.enabled if enabled is None else enabled
        )
        await _record(transaction, administration, tenant, event, subject.id, {"username": user.username})
    return subject


async def _forget_sign_ins(transaction: Transaction, tenant: TenantConfiguration, subject: Subject) -> None:
    """What sign-ins have left behind of somebody who is erased: recordings, traces, when and where they were last; and
    what they had begun to add."""
    await forget_recorded_logins(transaction, tenant.id, subject.id)
    await forget_login_traces(transaction, tenant.id, subject.id)
    await forget_last_login(transaction, tenant.id, subject.id)
    await forget_pending_enrolments(transaction, tenant.id, subject.id)


async def _record(
    transaction: Transaction,
    administration: Administration,
    tenant: TenantConfiguration,
    event: EventType,
    subject: str,
    data: dict[str, str],
) -> None:
    await record(
        transaction,
        Event(tenant=tenant.id, type=event, at=administration.clock.now(), subject=subject, data=data),
    )
