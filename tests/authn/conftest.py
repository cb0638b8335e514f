import secrets
from collections.abc import Iterator

import pytest

from identity.domain.tenants import TenantSettings
from tests.adaptive_auth.conftest import guest_folder, sandbox
from tests.support.builders import Site
from tests.support.factors import bench
from tests.support.in_process import in_process_server, timed
from tests.support.server import RunningServer
from tests.userstores.fixtures import own_slapd

__all__ = ["bench", "guest_folder", "in_process_server", "own_slapd", "sandbox", "timed"]


@pytest.fixture
def other_site(server: RunningServer) -> Iterator[Site]:
    """Another tenant of the same server."""
    made = Site(server, f"t{secrets.token_hex(6)}", TenantSettings())
    try:
        yield made
    finally:
        made.close()
