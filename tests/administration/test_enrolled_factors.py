"""What administrators do about the factors of people."""

from dataclasses import replace

import pytest

from identity.administration import enrolled_factors
from identity.administration.context import Administration
from identity.authn.authenticators import TOTP
from identity.domain.tenants import TenantSettings
from identity.secrets import Sealer
from tests.support.builders import Person
from tests.support.factors import FactorBench, bench, wrong_code
from tests.support.in_process import TimedSite, in_process_server, timed

pytestmark = pytest.mark.long

__all__ = ["bench", "in_process_server", "timed"]


@pytest.fixture
def jane(timed: TimedSite) -> Person:
    return timed.person("jane")


def suspended(settings: TenantSettings) -> TenantSettings:
    return replace(settings, factor_failures_maximum=3, factor_attempts=3)


def test_let_back_in(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    timed.change_settings(suspended)
    secret = bench.add_app(jane)
    for _ in range(3):
        assert not bench.passes(TOTP, jane, answers={"code": wrong_code(bench.app_code(secret))})
    (listed,) = timed.in_tenant(lambda a, t: enrolled_factors.list_factors(a, t, "jane"))
    assert listed.failures == 3
    assert not bench.passes(TOTP, jane, answers={"code": bench.app_code(secret)})
    timed.in_tenant(lambda a, t: enrolled_factors.let_back_in(a, t, "jane"))
    assert bench.passes(TOTP, jane, answers={"code": bench.app_code(secret)})
    assert "user:factor:forgiven" in [event["type"] for event in timed.events()]


def test_removed_with_sessions_and_tokens(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    bench.add_app(jane)
    client = timed.application()
    token = timed.tokens(client, jane)["access_token"]
    timed.in_tenant(lambda a, t: enrolled_factors.remove_factors(a, t, "jane"))
    assert not bench.is_usable(TOTP, jane)
    assert not timed.is_active(client, token)


def test_secrets_are_sealed_anew(timed: TimedSite, bench: FactorBench, jane: Person) -> None:
    secret = bench.add_app(jane)
    old = bytes.fromhex(timed.in_process.master_key)
    both = Sealer.from_master_keys(b"n" * 32, old)

    async def rewrap(administration: Administration) -> int:
        return await enrolled_factors.rewrap_enrolled_factors(replace(administration, sealer=both), timed.tenant.id)

    assert timed.administer(rewrap) == 1
    (row,) = timed.in_tenant(lambda a, t: enrolled_factors.list_factors(a, t, "jane"))
    assert row.secret is not None
    opened = Sealer.from_master_keys(b"n" * 32).open(row.secret, f"enrolled-factor:{timed.tenant.id}:{row.id}".encode())
    assert opened.decode() == secret


def test_who_has_never_signed_in(timed: TimedSite, jane: Person) -> None:
    assert timed.in_tenant(lambda a, t: enrolled_factors.list_factors(a, t, "jane")) == []
    timed.in_tenant(lambda a, t: enrolled_factors.let_back_in(a, t, "jane"))
    timed.in_tenant(lambda a, t: enrolled_factors.remove_factors(a, t, "jane"))
