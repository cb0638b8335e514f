"""A directory entry as a person: id, username, claims, groups."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from userstores.attributes import FLAG_CLAIMS, TEXT_CLAIMS, VALUE_LIMIT, as_presented
from userstores.ldap.answers import Entry
from userstores.ldap.settings import LdapSettings
from userstores.names import username_key
from userstores.spi import AttributeValue, StoreUser

STATE_ATTRIBUTES = ("nsAccountLock", "pwdAccountLockedTime", "userAccountControl")
_PERMANENTLY_LOCKED = "000001010000Z"
"""draft-behera-ldap-password-policy-11 §5.3.3: only an administrator unlocks."""
_ACCOUNT_DISABLE = 0x2


def wanted_attributes(settings: LdapSettings) -> tuple[str, ...]:
    """What to ask for: operational attributes come only when they are named."""
    names = [settings.id_attribute, settings.username_attribute, *settings.login_attributes]
    names += [*settings.attribute_claims, *STATE_ATTRIBUTES]
    if settings.member_of_attribute:
        names.append(settings.member_of_attribute)
    return tuple(dict.fromkeys(names))


def entry_id(entry: Entry, settings: LdapSettings) -> str:
    """The immutable id as text, or nothing when the entry shows none."""
    values = entry.attributes.get(settings.id_attribute.lower(), ())
    if not values:
        return ""
    if settings.id_attribute.lower() == "objectguid" and len(values[0]) == 16:
        return str(uuid.UUID(bytes_le=values[0]))
    return entry.text(settings.id_attribute)


def id_value(user_id: str, settings: LdapSettings) -> str | bytes:
    """The id as the directory keeps it. Raises ValueError."""
    if settings.id_attribute.lower() == "objectguid":
        return uuid.UUID(user_id).bytes_le
    if settings.id_attribute.lower() == "entryuuid":
        return str(uuid.UUID(user_id))
    return user_id


def usernames(entry: Entry, settings: LdapSettings) -> tuple[str, ...]:
    return entry.texts(settings.username_attribute)


def answers_to(entry: Entry, settings: LdapSettings, login: str) -> bool:
    """Whether a login attribute is what was typed, by our own rule: directories also ignore blanks and widths."""
    key = username_key(login)
    names = (settings.username_attribute, *settings.login_attributes)
    return any(username_key(value) == key for name in names for value in entry.texts(name))


def is_named(entry: Entry, settings: LdapSettings, username: str) -> bool:
    key = username_key(username)
    return any(username_key(value) == key for value in usernames(entry, settings))


def is_enabled(entry: Entry) -> bool:
    if entry.text("nsAccountLock").lower() == "true" or entry.text("pwdAccountLockedTime") == _PERMANENTLY_LOCKED:
        return False
    control = entry.text("userAccountControl")
    return not (control.isdecimal() and int(control) & _ACCOUNT_DISABLE)


def user_of(entry: Entry, settings: LdapSettings, store: str, groups: Sequence[str]) -> StoreUser:
    # Of several usernames always the same one, so that the person has one name whatever they typed.
    username = min(usernames(entry, settings))
    return StoreUser(
        store=store,
        id=entry_id(entry, settings),
        username=username,
        attributes=as_presented(claims_of(entry, settings), username),
        groups=tuple(sorted(set(groups))),
        enabled=is_enabled(entry),
    )


def claims_of(entry: Entry, settings: LdapSettings) -> dict[str, AttributeValue]:
    claims: dict[str, AttributeValue] = {}
    address: dict[str, str] = {}
    for attribute, claim in settings.attribute_claims.items():
        texts = tuple(text for text in entry.texts(attribute) if "\0" not in text and len(text) <= VALUE_LIMIT)
        if not texts:
            continue
        if claim.startswith("address."):
            # RFC 4517 §3.3.28: `$` separates the lines of a postal address.
            address.setdefault(claim.removeprefix("address."), texts[0].replace("$", "\n"))
            continue
        value = claim_value(claim, texts)
        if value is not None:
            claims.setdefault(claim, value)
    if address:
        claims["address"] = address
    if settings.trust_email and "email" in claims:
        claims["email_verified"] = True
    return claims


def claim_value(claim: str, texts: tuple[str, ...]) -> AttributeValue | None:
    """Values as a claim: a standard text claim takes the first, another name all when there are several."""
    if claim in FLAG_CLAIMS:
        return texts[0].lower() in ("true", "1", "yes")
    if claim == "updated_at":
        return generalized_time(texts[0])
    if claim in TEXT_CLAIMS or len(texts) == 1:
        return texts[0]
    return texts


def generalized_time(text: str) -> int | None:
    """Seconds since the epoch of `20260102030405[.6]Z` (RFC 4517 §3.3.13); None for other forms."""
    digits, _, fraction = text.removesuffix("Z").partition(".")
    if not text.endswith("Z") or (fraction and not fraction.isdecimal()):
        return None
    try:
        return int(datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None
