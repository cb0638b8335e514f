"""How sure a sign-in is: `acr` from the methods that were really shown. Nobody can claim a level that they did not."""

from collections.abc import Iterable

SINGLE_FACTOR = "1"
"""Authentication context class of one factor (ISO/IEC 29115 level 1)."""
MULTI_FACTOR = "2"
"""Two factors of different kinds, or a passkey that has verified its user."""

REACHABLE_ACRS = (SINGLE_FACTOR, MULTI_FACTOR)
"""The authentication context classes that a sign-in here can reach, the weakest first."""

_KINDS = {
    "pwd": "knowledge",
    "pin": "knowledge",
    "otp": "possession",
    "hwk": "possession",
    "swk": "possession",
    "fpt": "inherence",  # codespell:ignore fpt
    "face": "inherence",
}
"""What each method of RFC 8176 §2 shows; others show nothing that counts."""


def acr_of(methods: Iterable[str]) -> str:
    """The class that these `amr` values reach; empty for none at all."""
    shown = frozenset(methods)
    kinds = {_KINDS[method] for method in shown if method in _KINDS}
    if "mfa" in shown or len(kinds) > 1:
        return MULTI_FACTOR
    return SINGLE_FACTOR if kinds else ""


def reaches(acr: str, wanted: str) -> bool:
    """Whether `acr` is at least `wanted`; an empty demand is always met, an unknown one never."""
    if not wanted:
        return True
    if acr not in REACHABLE_ACRS or wanted not in REACHABLE_ACRS:
        return acr == wanted
    return REACHABLE_ACRS.index(acr) >= REACHABLE_ACRS.index(wanted)


def raised(acr: str, amr: str, methods: Iterable[str]) -> tuple[str, str]:
    """`acr` and `amr` of a sign-in that has shown these methods, too."""
    together = joined((amr.split(), methods))
    reached = acr_of(together.split())
    return (reached if reaches(reached, acr) else acr), together


def joined(methods: Iterable[Iterable[str]]) -> str:
    """`amr` as sessions and grants keep it: every method once, in the order in which they were shown."""
    return " ".join(dict.fromkeys(method for shown in methods for method in shown))
