import pytest

from tests.support.builders import Person, Site
from tests.support.in_process import in_process_server, timed
from tests.support.key_manager import administrator

__all__ = ["in_process_server", "timed"]


@pytest.fixture
def root(site: Site) -> Person:
    return administrator(site)
