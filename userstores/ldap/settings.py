"""How to reach a directory and how to read it: the settings of one LDAP store, checked once."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from userstores.attributes import STANDARD_CLAIMS

INETORGPERSON_CLAIMS: Mapping[str, str] = MappingProxyType(
    {
        "displayName": "name",
        "cn": "name",
        "givenName": "given_name",
        "sn": "family_name",
        "mail": "email",
        "telephoneNumber": "phone_number",
        "preferredLanguage": "locale",
        "labeledURI": "website",
        "street": "address.street_address",
        "l": "address.locality",
        "st": "address.region",
        "postalCode": "address.postal_code",
        "postalAddress": "address.formatted",
        "modifyTimestamp": "updated_at",
    }
)
"""RFC 2798's attributes as claims. `address.x` is a member of `address`; of several values a text claim takes the
first, another name keeps them all. Of two attributes for one claim the first that has a value counts."""

_ATTRIBUTE = re.compile(r"(?:[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+)(?:;[A-Za-z0-9-]+)*")


@dataclass(frozen=True, slots=True)
class LdapUrl:
    host: str
    port: int
    tls: bool
    """LDAPS: TLS from the first byte."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'ldaps' if self.tls else 'ldap'}://{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapSettings:
    """Times are seconds. `repr` leaves the password out."""

    urls: tuple[LdapUrl, ...]
    """Tried in order; one that failed is left for the next, which is kept as long as it answers."""
    start_tls: bool = False
    verify: bool = True
    """False is refused unless every URL is a loopback address."""
    allow_plaintext: bool = False
    """Passwords in clear over the network; on loopback it needs no permission."""
    ca_file: Path | None = None
    """PEM file of the authorities to trust; without it the system's."""
    bind_dn: str = ""
    """The service account that searches. Empty: anonymous."""
    bind_password: str = field(default="", repr=False)
    user_search_base: str
    user_object_class: str = "inetOrgPerson"
    username_attribute: str = "uid"
    id_attribute: str = "entryUUID"
    login_attributes: tuple[str, ...] = ()
    """What may be typed beside the username, for example `mail`. A value that two people share logs nobody in."""
    group_search_base: str = ""
    """Empty: no groups are read."""
    group_object_class: str = "groupOfNames"
    group_name_attribute: str = "cn"
    membership_attribute: str = "member"
    member_of_attribute: str = "memberOf"
    """Read from the person when it is there, which saves the search. Empty: always search."""
    nested_groups: bool = False
    """Groups of groups count too; always searched."""
    attribute_claims: Mapping[str, str] = field(default_factory=lambda: INETORGPERSON_CLAIMS)
    trust_email: bool = False
    """The directory's mail addresses are known to be people's own: `email_verified` is true."""
    dummy_bind_dn: str = ""
    """Bound to for unknown names. Give a decoy entry whose password is hashed like people's when the directory hashes
    slowly; without it the name of an entry that does not exist is used."""
    refusal_seconds: float = 0.05
    """Refusals are answered at multiples of this: what a directory does for known, locked and unknown names differs by
    some tenths of a millisecond."""
    connect_seconds: float = 2.0
    """For one server: connect, TLS handshake and bind of the service account together."""
    read_seconds: float = 3.0
    operation_seconds: float = 5.0
    """The whole of a sign-in or look-up, waiting for a thread included."""
    pool_size: int = 8
    """Threads, and connections of each of the two kinds."""
    idle_seconds: float = 60.0
    """A connection that was idle longer is not used again."""
    breaker_failures: int = 3
    breaker_seconds: float = 5.0
    """After so many failures in a row the store refuses at once; after so many seconds one call tries again."""
    list_limit: int = 10_000
    """Entries that `list_users` is willing to read through."""

    def __post_init__(self) -> None:
        if not self.urls:
            raise ValueError("urls: give at least one, like ldaps://directory.example.org")
        if not self.verify and not all(url.loopback for url in self.urls):
            raise ValueError("verify: certificates are always verified, except of a directory on a loopback address")
        for url in self.urls:
            self._check_url(url)
        for name in ("user_search_base", "user_object_class", "username_attribute", "id_attribute"):
            if not getattr(self, name):
                raise ValueError(f"{name}: must not be empty")
        self._check_attribute_names()
        self._check_claims()
        self._check_numbers()
        if bool(self.bind_dn) != bool(self.bind_password):
            raise ValueError("bind_password: bind_dn and bind_password go together")
        if self.ca_file is not None and not self.ca_file.is_file():
            raise ValueError(f"ca_file: there is no file {self.ca_file}")

    def _check_url(self, url: LdapUrl) -> None:
        if url.tls and self.start_tls:
            raise ValueError(f"start_tls: {url} has TLS from the first byte already")
        if not (url.tls or self.start_tls or url.loopback or self.allow_plaintext):
            raise ValueError(f"urls: {url} would carry passwords in clear; use ldaps:// or start_tls")

    def _check_attribute_names(self) -> None:
        names = [self.username_attribute, self.id_attribute, *self.login_attributes, *self.attribute_claims]
        if self.group_search_base:
            names += [self.group_name_attribute, self.membership_attribute]
        if self.member_of_attribute:
            names.append(self.member_of_attribute)
        for name in names:
            if not _ATTRIBUTE.fullmatch(name):
                raise ValueError(f"{name[:60]!r} is not the name of an LDAP attribute")

    def _check_claims(self) -> None:
        for attribute, claim in self.attribute_claims.items():
            if not claim or claim == "sub" or claim == "address":
                raise ValueError(f"attribute_claims: {attribute} cannot become {claim!r}")
            if "." in claim and claim.split(".")[0] in STANDARD_CLAIMS - {"address"}:
                raise ValueError(f"attribute_claims: {claim!r} has no members")

    def _check_numbers(self) -> None:
        for name in (
            "connect_seconds",
            "read_seconds",
            "operation_seconds",
            "idle_seconds",
            "breaker_seconds",
            "refusal_seconds",
        ):
            if not 0 < getattr(self, name) <= 3600:
                raise ValueError(f"{name}: must be more than 0 and at most 3600")
        for name in ("pool_size", "breaker_failures", "list_limit"):
            if not 1 <= getattr(self, name) <= 1_000_000:
                raise ValueError(f"{name}: must be at least 1")


def parse_url(text: str) -> LdapUrl:
    """`ldap://host[:389]` or `ldaps://host[:636]`, nothing behind. Raises ValueError."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"urls: {text[:100]!r} is not an LDAP address") from None
    rest = (parts.path.strip("/"), parts.query, parts.fragment, parts.username)
    if parts.scheme not in ("ldap", "ldaps") or not parts.hostname or any(rest):
        raise ValueError(f"urls: {text[:100]!r} is not like ldaps://directory.example.org")
    tls = parts.scheme == "ldaps"
    return LdapUrl(parts.hostname, port or (636 if tls else 389), tls)


def parse_settings(given: Mapping[str, object]) -> LdapSettings:
    """From JSON-like values, as an administrator gives them; `urls` is a list or text with blanks between.

    Raises ValueError whose text begins with the setting's name.
    """
    known = {each.name: each.type for each in fields(LdapSettings)}
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"{unknown[0]}: there is no such setting")
    missing = sorted({"urls", "user_search_base"} - set(given))
    if missing:
        raise ValueError(f"{missing[0]}: is missing")
    values = {name: _converted(name, str(known[name]), value) for name, value in given.items()}
    return LdapSettings(**values)  # type: ignore[arg-type]  # each was checked against its field's type


def _converted(name: str, kind: str, value: object) -> object:
    texts = value.split() if isinstance(value, str) and kind.startswith("tuple") else value
    if name == "urls" and _are_texts(texts):
        return tuple(parse_url(text) for text in texts)  # type: ignore[attr-defined]
    if name == "login_attributes" and _are_texts(texts):
        return tuple(texts)  # type: ignore[arg-type]
    if name == "attribute_claims" and isinstance(value, Mapping) and _are_texts([*value, *value.values()]):
        return MappingProxyType(dict(value))
    if name == "ca_file" and (value is None or isinstance(value, str | Path)):
        return Path(value) if value else None
    if "bool" in kind and isinstance(value, bool):
        return value
    if "int" in kind and isinstance(value, int) and not isinstance(value, bool):
        return value
    if "float" in kind and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if "'str'" in kind and isinstance(value, str) and "\0" not in value:
        return value
    raise ValueError(f"{name}: has a value of the wrong kind")


def _are_texts(values: object) -> bool:
    return isinstance(values, list | tuple) and all(isinstance(value, str) for value in values)
