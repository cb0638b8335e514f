"""`identity notify`: gateways that hear of revocations."""

from pathlib import Path
from typing import Annotated, Any

import typer

from identity.commands.context import with_administration

app = typer.Typer(help="Gateways that hear of revocations: list, add, remove.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the embedded installation.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Handle of the tenant.")]


@app.command("list")
def list_targets(tenant: Tenant = "root", data: Data = None) -> None:
    """List them, one line each."""

    async def work(administration: Any) -> Any:
        return (await administration.tenant(tenant)).notification_targets

    for target in with_administration(data, work):
        print(f"{target.id}\t{target.url}")


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="Like https://am.example.org:9443/internal/data/v1/notify.")],
    username: Annotated[str, typer.Option(help="Of the gateway's Basic credentials.")] = "",
    password: Annotated[
        str, typer.Option(help="Of the gateway's Basic credentials; asked for when it is missing.")
    ] = "",
    key_manager: Annotated[str, typer.Option(help="Value of X-WSO2-KEY-MANAGER: the connector's type.")] = "WSO2-IS",
    tenant_domain: Annotated[str, typer.Option(help="How the gateway calls the tenant.")] = "",
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Tell this gateway of every revocation."""
    from identity.administration.notification_targets import create_notification_target

    if username and not password:
        password = typer.prompt("Password", hide_input=True)

    async def work(administration: Any) -> Any:
        place = await administration.tenant(tenant)
        return await create_notification_target(
            administration,
            place.tenant,
            url,
            username=username,
            password=password,
            key_manager=key_manager,
            tenant_domain=tenant_domain,
        )

    print(f"id  {with_administration(data, work).id}")


@app.command()
def remove(target: Annotated[str, typer.Argument(help="Its id.")], tenant: Tenant = "root", data: Data = None) -> None:
    """Tell it nothing more."""
    from identity.administration.notification_targets import delete_notification_target

    async def work(administration: Any) -> None:
        place = await administration.tenant(tenant)
        await delete_notification_target(administration, place.tenant, target)

    with_administration(data, work)
    print(f"Removed {target}.")
