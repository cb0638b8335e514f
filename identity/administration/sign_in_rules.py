"""What the steps of a sign-in must be, for applications and for the tenant."""

from collections.abc import Sequence

from identity.authn.assurance import REACHABLE_ACRS
from identity.authn.authenticators import BASIC, FACTOR_NAMES, IDENTIFIER, PASSKEY
from identity.domain.tenants import SignInStep

MAXIMUM_STEPS = 20
_IDENTIFYING = frozenset({BASIC, IDENTIFIER, PASSKEY})
"""These find out who it is; every other factor has to be told."""


def steps_problem(steps: Sequence[SignInStep]) -> str | None:
    """What is wrong, in words for an administrator, or None."""
    if len(steps) > MAXIMUM_STEPS:
        return f"A sign-in has at most {MAXIMUM_STEPS} steps."
    for number, step in enumerate(steps, 1):
        if not step.authenticators:
            return f"Step {number} of sign_in_steps needs at least one factor."
        unknown = [name for name in step.authenticators if name not in FACTOR_NAMES]
        if unknown:
            known = ", ".join(FACTOR_NAMES)
            return f"Step {number} of sign_in_steps: there is no factor {unknown[0]!r}; there are {known}."
        if len(set(step.authenticators)) < len(step.authenticators):
            return f"Step {number} of sign_in_steps names a factor twice."
    if steps and not _IDENTIFYING.issuperset(steps[0].authenticators):
        return f"The first of sign_in_steps finds out who it is: {', '.join(sorted(_IDENTIFYING))}."
    return None


def minimum_acr_problem(acr: str) -> str | None:
    if acr and acr not in REACHABLE_ACRS:
        return f"minimum_acr is empty or one of {', '.join(REACHABLE_ACRS)}."
    return None
