"""The project's own lint finds what it is there to find."""

import pytest

from tools.check_sizes import check

TYPE_CHECKING = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import asyncpg\n"


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        ("identity/web/long.py", "x = 1\n" * 401, "401 lines"),
        ("identity/web/f.py", "def f():\n" + "    x = 1\n" * 80, "f has 81 lines"),
        ("identity/oauth2/utils.py", "", "its name says nothing"),
        ("identity/common/keys.py", "", "its name says nothing"),
        ("identity/oauth2/grants/code.py", "from sqlalchemy import select\n", "queries belong"),
        ("userstores/ldap/store.py", "import sqlalchemy as sa\n", "queries belong"),
        ("identity/oauth2/codes.py", "def f():\n    from sqlalchemy import text\n", "queries belong"),
        ("identity/authn/login_flow.py", "from starlette.responses import Response\n", "starlette belongs"),
        ("identity/web/x.py", "try:\n    import httpx.client\nfinally: pass\n", "import httpx.client inside"),
        ("identity/web/x.py", "class A:\n    from ldap3 import Server\n", "import ldap3 inside"),
    ],
)
def test_found(name: str, source: str, said: str) -> None:
    (problem,) = check(name, source)
    assert said in problem


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("identity/storage/users.py", "from sqlalchemy import select\n"),
        ("userstores/sql/queries.py", "from sqlalchemy import select\n"),
        ("identity/app.py", "from starlette.applications import Starlette\n"),
        ("identity/admin/users_endpoint.py", "from fastapi import APIRouter\n"),
        ("identity/storage/x.py", TYPE_CHECKING + "def f():\n    import asyncpg\n"),
        ("userstores/ldap/client.py", "import ldap3\n"),
        ("identity/web/x.py", "from .common_name import y\nfrom identity.web import z\n"),
        ("identity/web/f.py", "def f():\n" + "    x = 1\n" * 79),
    ],
)
def test_allowed(name: str, source: str) -> None:
    assert list(check(name, source)) == []
