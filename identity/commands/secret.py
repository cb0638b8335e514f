"""`identity secret`: what HTTP calls of sign-in scripts may carry. Values are written and never shown."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from identity.commands.context import with_administration

app = typer.Typer(help="Secrets of sign-in scripts: list, set, delete.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the embedded installation.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Handle of the tenant.")]
Name = Annotated[str, typer.Argument(help="As scripts name it: `secrets.name`.")]


@app.command("list")
def list_secrets(tenant: Tenant = "root", data: Data = None) -> None:
    """List names and hosts."""
    from identity.storage import scripts

    async def work(administration: Any) -> Any:
        place = await administration.tenant(tenant)
        return await scripts.list_secrets(administration.database, place.id)

    for secret in with_administration(data, work):
        print(f"{secret.name}\t{' '.join(secret.hosts) or '(no hosts)'}\t{secret.description}".rstrip())


@app.command("set")
def set_secret(
    name: Name,
    host: Annotated[
        list[str] | None, typer.Option(help="Where calls may carry it: a host or *.suffix; repeatable.")
    ] = None,
    description: Annotated[str | None, typer.Option()] = None,
    keep_value: Annotated[bool, typer.Option("--keep-value", help="Change the hosts or the text only.")] = False,
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Add or change a secret. Its value is read from standard input, or asked for."""
    from identity.administration.script_secrets import put_secret

    value = None if keep_value else _value()

    async def work(administration: Any) -> None:
        place = await administration.tenant(tenant)
        await put_secret(administration, place.tenant, name, value=value, hosts=host, description=description)

    with_administration(data, work)
    print(f"Set {name}.")


@app.command()
def delete(
    name: Name,
    force: Annotated[
        bool, typer.Option("--force", help="Also where a published script names it: it will fail.")
    ] = False,
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Delete a secret that no published script names."""
    from identity.administration.script_secrets import delete_secret

    async def work(administration: Any) -> None:
        place = await administration.tenant(tenant)
        await delete_secret(administration, place.tenant, name, force=force)

    with_administration(data, work)
    print(f"Deleted {name}.")


def _value() -> str:
    if sys.stdin.isatty():
        text: str = typer.prompt("Value", hide_input=True)
        return text
    return sys.stdin.read().removesuffix("\n")
