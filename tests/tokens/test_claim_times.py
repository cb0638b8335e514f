"""When somebody else's JWT is good (RFC 7519 §4.1.4 to §4.1.6). Moments are seconds around a now of 10,000."""

from typing import Any

import pytest

from identity.tokens.jose import InvalidToken, check_times

NOW = 10_000
SKEW = 5


def good(claims: dict[str, Any], **rules: Any) -> bool:
    try:
        check_times(claims, NOW, skew=SKEW, **rules)
    except InvalidToken:
        return False
    return True


@pytest.mark.spec("RFC 7519", "4.1.4")
def test_a_token_ends_with_exp() -> None:
    assert good({"exp": NOW + 1})
    assert good({"exp": NOW - SKEW + 1})
    assert good({"exp": NOW + 0.5})
    assert not good({"exp": NOW - SKEW})
    assert not good({"exp": 0})
    assert not good({})
    assert good({}, require=())


@pytest.mark.spec("RFC 7519", "4.1.5")
@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_a_token_from_the_future_is_refused(name: str) -> None:
    assert good({"exp": NOW + 60, name: NOW + SKEW})
    assert not good({"exp": NOW + 60, name: NOW + SKEW + 1})


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_a_claim_that_is_demanded_must_be_there(name: str) -> None:
    whole = {"exp": NOW + 60, "iat": NOW, "nbf": NOW}
    demanded = ("exp", "iat", "nbf")
    assert good(whole, require=demanded)
    assert not good({key: value for key, value in whole.items() if key != name}, require=demanded)


@pytest.mark.spec("RFC 7519", "2")
@pytest.mark.parametrize("value", ["10060", None, True, [], {}, -1, 1e300, 2**60, float("inf"), float("nan")])
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_what_is_not_a_moment_is_refused(name: str, value: Any) -> None:
    assert not good({"exp": NOW + 60} | {name: value})


def test_a_token_may_be_too_old() -> None:
    """FAPI 1 Advanced §5.2.2 (14): `nbf` no longer ago than this."""
    rules = {"maximum_age": 60}
    for name in ("iat", "nbf"):
        assert good({"exp": NOW + 60, name: NOW - 60 - SKEW}, **rules)
        assert not good({"exp": NOW + 60, name: NOW - 61 - SKEW}, **rules)
    assert not good({"exp": NOW + 60, "iat": NOW, "nbf": NOW - 100}, **rules)
    assert not good({"exp": NOW + 60}, **rules)


def test_a_token_may_last_too_long() -> None:
    """FAPI 1 Advanced §5.2.2 (13): from `nbf` to `exp`."""
    rules = {"maximum_lifetime": 60}
    assert good({"exp": NOW + 60}, **rules)
    assert not good({"exp": NOW + 61}, **rules)
    assert good({"exp": NOW + 50, "nbf": NOW - 10}, **rules)
    assert not good({"exp": NOW + 51, "nbf": NOW - 10}, **rules)
    assert not good({"exp": NOW + 51, "nbf": NOW, "iat": NOW - 10}, **rules)
    assert not good({}, require=(), **rules)
