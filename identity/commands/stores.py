"""`identity stores`: where the people of a tenant live."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from identity.commands.context import with_administration

app = typer.Typer(help="User stores: list, connect, test, switch, disconnect.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the embedded installation.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Handle of the tenant.")]
Name = Annotated[str, typer.Argument(help="Domain name in DOMAIN/user, upper case.")]


@app.command("list")
def list_stores(tenant: Tenant = "root", data: Data = None) -> None:
    """List the stores in the order in which a bare name is tried."""

    async def work(administration: Any) -> Any:
        return (await administration.tenant(tenant)).stores

    for store in with_administration(data, work):
        print(f"{store.name}\t{store.type}{'' if store.enabled else '  (disabled)'}")


@app.command()
def add(
    name: Name,
    type: Annotated[str, typer.Option(help="ldap or sql.")] = "ldap",
    settings: Annotated[
        Path | None,
        typer.Option(help="JSON file with the settings of docs/user-stores.md.", exists=True, dir_okay=False),
    ] = None,
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Connect a store, and test it."""
    from identity.administration import stores

    content = _read_settings(settings) if settings else {}

    async def work(administration: Any) -> Any:
        await stores.create_store(administration, await administration.tenant(tenant), name.upper(), type, content)
        return await stores.test_store(administration, await administration.tenant(tenant), name.upper())

    _report(name, with_administration(data, work))


@app.command()
def test(name: Name, tenant: Tenant = "root", data: Data = None) -> None:
    """Try the store's whole way and say what is wrong."""
    from identity.administration import stores

    async def work(administration: Any) -> Any:
        return await stores.test_store(administration, await administration.tenant(tenant), name.upper())

    _report(name, with_administration(data, work))


@app.command()
def disable(name: Name, tenant: Tenant = "root", data: Data = None) -> None:
    """Leave the store out; its people cannot sign in."""
    _switch(name, False, tenant, data)


@app.command()
def enable(name: Name, tenant: Tenant = "root", data: Data = None) -> None:
    """Use the store again."""
    _switch(name, True, tenant, data)


@app.command()
def remove(name: Name, tenant: Tenant = "root", data: Data = None) -> None:
    """Disconnect the store; the directory itself is left as it is."""
    from identity.administration import stores

    async def work(administration: Any) -> None:
        await stores.delete_store(administration, await administration.tenant(tenant), name.upper())

    with_administration(data, work)
    print(f"Disconnected {name.upper()}.")


def _read_settings(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
    except ValueError as error:
        raise typer.BadParameter(f"{file} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise typer.BadParameter(f"{file} must hold one JSON object")
    return content


def _switch(name: str, enabled: bool, tenant: str, data: Path | None) -> None:
    from identity.administration import stores

    async def work(administration: Any) -> None:
        place = await administration.tenant(tenant)
        await stores.update_store(administration, place, name.upper(), enabled=enabled)

    with_administration(data, work)
    print(f"{'Enabled' if enabled else 'Disabled'} {name.upper()}.")


def _report(name: str, report: Any) -> None:
    print(f"{name.upper()}: {report.reason}")
    if not report.ok:
        raise typer.Exit(1)
