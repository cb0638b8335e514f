"""A person's groups: from `memberOf` where the entry shows it, else by searching; nested ones always by searching."""

import re

from userstores.ldap.answers import Entry
from userstores.ldap.connection import Session
from userstores.ldap.filters import And, Equal, Filter, Or
from userstores.ldap.settings import LdapSettings

GROUP_LIMIT = 1000
DEPTH_LIMIT = 10
_CHUNK = 50

_ESCAPE = re.compile(rb"\\([0-9A-Fa-f]{2})|\\(.)", re.DOTALL)


def groups_of(session: Session, entry: Entry, settings: LdapSettings) -> list[str]:
    """Names of the groups, in no order."""
    if not settings.group_search_base:
        return []
    shown = entry.texts(settings.member_of_attribute) if settings.member_of_attribute else ()
    if shown and not settings.nested_groups:
        names = [_group_name(dn, settings) for dn in shown if _is_below(dn, settings.group_search_base)]
        if all(name is not None for name in names):
            return [name for name in names if name is not None]
    return _search_groups(session, entry.dn, settings)


def all_groups(session: Session, settings: LdapSettings) -> list[str]:
    if not settings.group_search_base:
        return []
    tree = Equal("objectClass", settings.group_object_class)
    entries = session.scan(settings.group_search_base, tree, [settings.group_name_attribute], GROUP_LIMIT * 10)
    return sorted({entry.text(settings.group_name_attribute) for entry in entries} - {""})


def _search_groups(session: Session, dn: str, settings: LdapSettings) -> list[str]:
    """Upward from the person, level by level; a ring of groups ends because each group counts once."""
    found: dict[str, str] = {}
    level = [dn]
    for _ in range(DEPTH_LIMIT if settings.nested_groups else 1):
        parents: dict[str, str] = {}
        for start in range(0, len(level), _CHUNK):
            parents |= _parents(session, level[start : start + _CHUNK], settings)
        level = [parent for parent in parents if parent not in found]
        found |= parents
        if not level or len(found) >= GROUP_LIMIT:
            break
    return [name for name in found.values() if name]


def _parents(session: Session, members: list[str], settings: LdapSettings) -> dict[str, str]:
    """DN and name of the groups that have one of `members`."""
    is_member: Filter = Or(tuple(Equal(settings.membership_attribute, member) for member in members))
    tree = And((Equal("objectClass", settings.group_object_class), is_member))
    name = settings.group_name_attribute
    return {
        entry.dn: entry.text(name) for entry in session.search(settings.group_search_base, tree, [name], GROUP_LIMIT)
    }


def _is_below(dn: str, base: str) -> bool:
    return _plain(dn).endswith("," + _plain(base))


def _plain(dn: str) -> str:
    return re.sub(r"\s*([,=])\s*", r"\1", dn).casefold()


def _group_name(dn: str, settings: LdapSettings) -> str | None:
    """The name in a group's DN; None when its first part is another attribute, or several: only a search knows."""
    first = re.match(r"((?:[^,\\]|\\.)*)", dn, re.DOTALL)
    attribute, _, value = (first[1] if first else "").partition("=")
    if attribute.strip().lower() != settings.group_name_attribute.lower() or re.search(r"(?<!\\)\+", value):
        return None
    return _unescaped(value)


def _unescaped(value: str) -> str:
    """RFC 4514 §2.4: `\\,` and `\\2c` are both a comma."""
    octets = _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else found[2], value.encode())
    return octets.decode(errors="replace").strip()
