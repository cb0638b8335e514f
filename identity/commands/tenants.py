"""`identity tenants`: the tenants of the installation."""

from pathlib import Path
from typing import Annotated, Any

import typer

from identity.commands.applications import parse_settings
from identity.commands.context import tell_findings, with_administration, with_scripting

app = typer.Typer(help="Tenants: list, create, change, switch off and on.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the embedded installation.")]
Setting = Annotated[list[str], typer.Option("--set", help="name=value as in docs/settings.md; repeatable.")]
Handle = Annotated[str, typer.Argument(help="Name in the path `/t/<handle>`.")]


@app.command("list")
def list_tenants(data: Data = None) -> None:
    """List the tenants, one line each."""
    from identity.storage.tenants import list_tenants

    for tenant in with_administration(data, lambda a: list_tenants(a.database)):
        print(f"{tenant.handle}\t{tenant.settings.display_name}{'' if tenant.enabled else '  (disabled)'}")


@app.command()
def create(handle: Handle, data: Data = None) -> None:
    """Create a tenant with keys of its own and an empty user store."""
    from identity.administration import tenants

    with_administration(data, lambda a: tenants.create_tenant(a, handle))
    print(f"Created {handle}: its paths begin with /t/{handle}.")


@app.command()
def update(handle: Handle, setting: Setting, data: Data = None) -> None:
    """Change settings of a tenant. Published scripts that run with its steps must still fit."""
    from identity.administration.published_scripts import change_tenant
    from identity.administration.tenants import require_tenant

    values: dict[str, Any] = parse_settings(setting)

    async def work(scripting: Any) -> Any:
        return await change_tenant(scripting, await require_tenant(scripting.administration, handle), values)

    tell_findings(with_scripting(data, work))
    print(f"Changed {handle}.")


@app.command()
def disable(handle: Handle, data: Data = None) -> None:
    """Answer 404 for this tenant; its tokens are inactive."""
    _switch(handle, False, data)


@app.command()
def enable(handle: Handle, data: Data = None) -> None:
    """Answer for this tenant again."""
    _switch(handle, True, data)


def _switch(handle: str, enabled: bool, data: Path | None) -> None:
    from identity.administration import tenants

    with_administration(data, lambda a: tenants.set_tenant_enabled(a, handle, enabled))
    print(f"{'Enabled' if enabled else 'Disabled'} {handle}.")
