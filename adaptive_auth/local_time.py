"""The answer to `getLocalTime`."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def local_time(zone: str, at: int) -> dict[str, int]:
    """The wall clock of an IANA zone at epoch milliseconds. Raises ValueError when there is no such zone."""
    try:
        place = ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        raise ValueError(f"there is no time zone {zone!r}") from None
    moment = datetime.fromtimestamp(at / 1000, UTC).astimezone(place)
    return {
        "year": moment.year,
        "month": moment.month,
        "day": moment.day,
        "hour": moment.hour,
        "minute": moment.minute,
        "weekday": moment.isoweekday(),
    }
