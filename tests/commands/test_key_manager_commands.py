"""`identity roles`, `identity apis`, `identity notify`."""

from pathlib import Path

import pytest

from tests.commands.test_cli import Cli


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    data: Path = tmp_path_factory.mktemp("installation")
    made = Cli(data)
    assert "ready" in made.output("migrate")
    made.output("users", "create", "jane", "--group", "staff", password="correct horse battery")
    return made


def test_roles(cli: Cli) -> None:
    assert "admin\tevery internal scope" in cli.output("roles", "list")
    cli.output("apis", "create", "orders", "--scope", "orders:read", "--scope", "orders:write")
    cli.output("roles", "create", "clerk", "--scope", "orders:read", "--user", "jane")
    assert "clerk\torders:read" in cli.output("roles", "list")
    cli.output("roles", "add", "clerk", "--scope", "orders:write", "--group", "staff")
    shown = cli.output("roles", "show", "clerk").splitlines()
    assert shown == ["scope  orders:read", "scope  orders:write", "user   jane", "group  staff"]
    cli.output("roles", "remove", "clerk", "--scope", "orders:read", "--user", "jane", "--group", "staff")
    assert cli.output("roles", "show", "clerk").splitlines() == ["scope  orders:write"]
    cli.output("roles", "delete", "clerk")
    assert "There is no role" in cli.refusal("roles", "show", "clerk")


def test_roles_of_an_application(cli: Cli) -> None:
    created = cli.output("applications", "create", "Shop", "--machine")
    client_id = created.split()[1]
    cli.output("roles", "create", "seller", "--application", client_id)
    assert "seller\t\t" not in cli.output("roles", "list")
    assert "(application" in next(line for line in cli.output("roles", "list").splitlines() if "seller" in line)


def test_what_roles_refuse(cli: Cli) -> None:
    assert "There is no scope 'ghost'" in cli.refusal("roles", "create", "x", "--scope", "ghost")
    assert "There is no user" in cli.refusal("roles", "create", "x", "--user", "nobody")
    assert "There is no group" in cli.refusal("roles", "create", "x", "--group", "nowhere")
    assert "cannot be deleted" in cli.refusal("roles", "delete", "admin")
    assert cli("roles", "add", "admin").exit_code == 2


def test_apis(cli: Cli) -> None:
    id = cli.output("apis", "create", "stock", "--name", "Stock", "--scope", "stock:read").split()[1]
    assert f"stock\t{id}\tstock:read" in cli.output("apis", "list")
    cli.output("apis", "scopes", "stock", "--add", "stock:write", "--remove", "stock:read")
    assert f"stock\t{id}\tstock:write" in cli.output("apis", "list")
    assert "taken" in cli.refusal("apis", "create", "stock")
    cli.output("apis", "delete", "stock")
    assert id not in cli.output("apis", "list")
    assert "There is no API resource" in cli.refusal("apis", "delete", "stock")


def test_gateways(cli: Cli) -> None:
    url = "https://am.example.org:9443/internal/data/v1/notify"
    id = cli.output("notify", "add", url, "--username", "am", "--password", "secret").split()[1]
    assert f"{id}\t{url}" in cli.output("notify", "list")
    assert "secret" not in cli.output("notify", "list")
    cli.output("notify", "remove", id)
    assert cli.output("notify", "list") == ""
    assert "There is no notification target" in cli.refusal("notify", "remove", id)
    assert "must be like" in cli.refusal("notify", "add", "am.example.org")
