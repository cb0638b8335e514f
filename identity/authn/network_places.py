"""Where an address is: from files in MaxMind's format, when an administrator gives them. Nobody else is asked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from identity.errors import ConfigurationError

if TYPE_CHECKING:
    from maxminddb import Reader

EARTH_KILOMETRES = 6371.0


@dataclass(frozen=True, slots=True)
class Place:
    latitude: float
    longitude: float


class NetworkPlaces:
    """`files`: a city or country database, an ASN database, or both. Opened at the first question."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)
        self._readers: list[Reader] | None = None

    def facts(self, address: str) -> dict[str, Any]:
        """`{private, country, city, asn, organization, latitude, longitude}`, null where nothing is known."""
        found: dict[str, Any] = {}
        for record in self._records(address):
            found |= {name: value for name, value in _read(record).items() if value is not None}
        names = ("country", "city", "asn", "organization", "latitude", "longitude")
        return {"private": _is_private(address), **{name: found.get(name) for name in names}}

    def place(self, address: str) -> Place | None:
        facts = self.facts(address)
        if facts["latitude"] is None or facts["longitude"] is None:
            return None
        return Place(facts["latitude"], facts["longitude"])

    def _records(self, address: str) -> list[dict[str, Any]]:
        try:
            parsed = ip_address(address)
        except ValueError:
            return []
        found = []
        for reader in self._open():
            if parsed.version == 6 and reader.metadata().ip_version == 4:
                continue
            record = reader.get(parsed)
            if isinstance(record, dict):
                found.append(record)
        return found

    def _open(self) -> "list[Reader]":
        if self._readers is None:
            if not self._files:
                self._readers = []
                return self._readers
            import maxminddb

            try:
                self._readers = [maxminddb.open_database(file) for file in self._files]
            except (OSError, maxminddb.InvalidDatabaseError) as error:
                raise ConfigurationError(f"Setting network_databases: {error}") from None
        return self._readers


def kilometres(one: Place, other: Place) -> float:
    """Along the great circle (haversine formula)."""
    first, second = math.radians(one.latitude), math.radians(other.latitude)
    half = math.sin((second - first) / 2) ** 2
    half += math.cos(first) * math.cos(second) * math.sin(math.radians(other.longitude - one.longitude) / 2) ** 2
    return 2 * EARTH_KILOMETRES * math.asin(math.sqrt(min(1.0, half)))


def _read(record: dict[str, Any]) -> dict[str, Any]:
    location = _member(record, "location")
    city = _member(_member(record, "city"), "names")
    return {
        "country": _member(record, "country").get("iso_code"),
        "city": city.get("en"),
        "asn": record.get("autonomous_system_number"),
        "organization": record.get("autonomous_system_organization"),
        "latitude": location.get("latitude"),
        "longitude": location.get("longitude"),
    }


def _member(record: dict[str, Any], name: str) -> dict[str, Any]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def _is_private(address: str) -> bool:
    try:
        return not ip_address(address).is_global
    except ValueError:
        return False
