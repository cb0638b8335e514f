"""When a JWT of somebody else is good (RFC 7519 §4.1.4 to §4.1.6)."""

from collections.abc import Iterable
from typing import Any

from identity.tokens.compact import Claims, InvalidToken

_LAST = 2**53
"""Numbers beyond are not exact in JSON (RFC 8259 §6)."""


def check_times(
    claims: Claims,
    now_s: int,
    *,
    skew: int,
    maximum_age: int | None = None,
    maximum_lifetime: int | None = None,
    require: Iterable[str] = ("exp",),
) -> None:
    """Raises InvalidToken unless the JWT is good at `now_s`; all figures are seconds.

    `skew`: how far the other clock may be off. `maximum_age`: neither `iat` nor `nbf` lies further back, and one of
    them is there. `maximum_lifetime`: from the first of them, or else from now, until `exp`. `require`: the claims of
    `exp`, `iat`, `nbf` that must be there.
    """
    for name in require:
        if name not in claims:
            raise InvalidToken(f"no {name}")
    expires, issued, begins = (_moment(claims, name) for name in ("exp", "iat", "nbf"))
    # RFC 7519 §4.1.4: the current time must be before it.
    if expires is not None and now_s >= expires + skew:
        raise InvalidToken("exp: expired")
    for name, start in (("iat", issued), ("nbf", begins)):
        if start is not None and start > now_s + skew:
            raise InvalidToken(f"{name}: in the future")
    starts = [start for start in (issued, begins) if start is not None]
    if maximum_age is not None and (not starts or now_s - min(starts) > maximum_age + skew):
        raise InvalidToken("iat or nbf: too old")
    if maximum_lifetime is not None and (expires is None or expires - min(starts, default=now_s) > maximum_lifetime):
        raise InvalidToken("exp: too far away")


def _moment(claims: Claims, name: str) -> float | None:
    """A NumericDate (RFC 7519 §2), None when it is not there. Raises InvalidToken."""
    value: Any = claims.get(name)
    if value is None and name not in claims:
        return None
    # bool is an int to Python, and not a moment.
    if type(value) not in (int, float) or not 0 <= value <= _LAST:
        raise InvalidToken(f"{name}: not a moment")
    return float(value)
