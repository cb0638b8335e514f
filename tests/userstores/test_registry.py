import subprocess
import sys

import pytest

from tests.userstores.fixtures import OpenDatabase
from userstores.passwords import PasswordLane
from userstores.registry import InvalidSettings, StoreContext, build_store, check_store_name


@pytest.fixture
def context(open_sqlite: OpenDatabase, lane: PasswordLane) -> StoreContext:
    database = open_sqlite()
    return StoreContext(tenant=1, database=database, lane=lane)  # type: ignore[arg-type]  # never asked here


LDAP = {"urls": "ldaps://x.example.org", "user_search_base": "dc=x"}


class TestBuild:
    def test_each_type(self, context: StoreContext) -> None:
        sql = build_store("sql", "primary", {"login_by_email": False}, context)
        assert (sql.name, sql.type, sql.capabilities.create) == ("PRIMARY", "sql", True)
        ldap = build_store("ldap", "Corp", LDAP, context)
        assert (ldap.name, ldap.type, ldap.capabilities.create) == ("CORP", "ldap", False)

    @pytest.mark.parametrize(
        ("type", "name", "settings", "words"),
        [
            ("mongodb", "A", {}, "no type of user store"),
            ("sql", "A", {"url": "x"}, "url: there is no such setting"),
            ("sql", "A", {"login_by_email": 1}, "login_by_email"),
            ("ldap", "A", {}, "urls: is missing"),
            ("ldap", "A", LDAP | {"urls": "ldap://x.example.org"}, "in clear"),
            ("sql", "INTERNAL", {}, "cannot be a user store's name"),
        ],
    )
    def test_says_what_is_wrong(
        self, context: StoreContext, type: str, name: str, settings: dict[str, object], words: str
    ) -> None:
        with pytest.raises(InvalidSettings, match=words):
            build_store(type, name, settings, context)

    @pytest.mark.parametrize("name", ["", "a/b", "1a", "a b", "é", "x" * 33, "application", "a\n"])
    def test_names(self, name: str) -> None:
        with pytest.raises(InvalidSettings):
            check_store_name(name)


def test_a_directorys_library_is_imported_on_first_use_only() -> None:
    """Also when a store was built: it costs its time at the first sign-in, in the store's thread."""
    program = (
        "import sys, userstores.registry, userstores.routing, userstores.sql.store, userstores.ldap.store\n"
        "heavy = {'ldap3', 'argon2', 'passlib', 'pyasn1', 'asyncpg', 'identity'} & set(sys.modules)\n"
        "sys.exit(repr(sorted(heavy)) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
