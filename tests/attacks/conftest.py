import secrets
from collections.abc import Iterator

import pytest

from identity.domain.tenants import RateLimit, TenantSettings
from tests.attacks.targets import Target
from tests.support.builders import Site
from tests.support.factors import bench
from tests.support.in_process import in_process_server, timed
from tests.support.server import RunningServer
from tests.userstores.fixtures import lane, open_database, open_sqlite, postgres_with_tables, slapd, tenant

__all__ = [
    "bench", "in_process_server", "lane", "open_database", "open_sqlite", "postgres_with_tables", "slapd", "tenant",
    "timed",
]  # fmt: skip


@pytest.fixture(scope="module")
def standing_site(server: RunningServer) -> Iterator[Site]:
    """A tenant for a whole table of refusals, where nothing that a row does may change anything."""
    settings = TenantSettings(login_limit_address=RateLimit(count=0, seconds=1))
    made = Site(server, f"t{secrets.token_hex(6)}", settings)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def target(standing_site: Site) -> Target:
    """A person signed in to an application there, and everything this gave."""
    return Target.made_in(standing_site)
