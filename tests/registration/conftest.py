"""Fixtures of these tests."""

from tests.support.in_process import in_process_server, timed

__all__ = ["in_process_server", "timed"]
