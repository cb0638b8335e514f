from tests.support.factors import bench
from tests.support.in_process import in_process_server, timed

__all__ = ["bench", "in_process_server", "timed"]
