from tests.support.in_process import in_process_server, timed
from tests.userstores.fixtures import own_slapd

__all__ = ["in_process_server", "own_slapd", "timed"]
