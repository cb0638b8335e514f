from tests.userstores.fixtures import own_slapd, slapd

__all__ = ["own_slapd", "slapd"]
