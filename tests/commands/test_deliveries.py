"""What the command line says about sign-out: the delivery log, and applications that will miss one."""

import json
from typing import Any

from identity.commands.context import with_administration
from identity.domain.deliveries import DeliveryKind
from tests.commands.test_cli import Cli, cli

__all__ = ["cli"]


def test_the_log(cli: Cli) -> None:
    async def enqueue(administration: Any) -> None:
        tenant = await administration.tenant("root")
        async with administration.database.transaction() as transaction:
            await administration.outbox.enqueue(
                transaction,
                DeliveryKind.BACKCHANNEL_LOGOUT,
                tenant=tenant.id,
                target="https://app.example/logout",
                payload=b"a secret",
            )

    with_administration(cli.data, enqueue)
    (line,) = cli.output("deliveries", "list").splitlines()
    assert line.split("\t")[1:] == ["backchannel_logout", "waiting", "0", "https://app.example/logout"]
    assert cli.refusal("deliveries", "list", "--tenant", "nowhere")


def application(cli: Cli, name: str, **addresses: str) -> str:
    settings = [f"--set={name}={address}" for name, address in addresses.items()]
    created = cli.output("applications", "create", name, "--redirect-uri", "https://app.example/cb", *settings)
    return created.split()[1]


def test_an_application_with_only_the_front_channel_is_warned_about(cli: Cli) -> None:
    """Decision 21."""
    front = {"frontchannel_logout_uri": "https://app.example/out"}
    both = front | {"backchannel_logout_uri": "https://app.example/logout"}
    warned, quiet = application(cli, "Front", **front), application(cli, "Both", **both)
    shown = cli("applications", "show", warned)
    assert "backchannel_logout_uri" in shown.stderr
    assert json.loads(shown.stdout)["client_id"] == warned
    assert cli("applications", "show", quiet).stderr == ""
    checked = cli.output("check")
    assert f"WARNING  tenant root: application {warned}: It has only a frontchannel_logout_uri" in checked
    assert quiet not in checked
