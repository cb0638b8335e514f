"""`identity library`: libraries that sign-in scripts require."""

from pathlib import Path
from typing import Annotated, Any

import typer

from identity.commands.context import with_administration, with_scripting
from identity.commands.script import read_text

app = typer.Typer(help="Libraries of sign-in scripts: list, show, save, delete.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the embedded installation.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Handle of the tenant.")]
Name = Annotated[str, typer.Argument(help="As scripts require it, such as risk.js.")]


@app.command("list")
def list_libraries(tenant: Tenant = "root", data: Data = None) -> None:
    """List the libraries."""
    from identity.storage import scripts

    async def work(administration: Any) -> Any:
        place = await administration.tenant(tenant)
        return await scripts.list_libraries(administration.database, place.id)

    for library in with_administration(data, work):
        print(f"{library.name}\t{library.description}".rstrip())


@app.command()
def show(name: Name, tenant: Tenant = "root", data: Data = None) -> None:
    """Print a library."""
    from identity.administration.script_libraries import require_library

    async def work(administration: Any) -> Any:
        place = await administration.tenant(tenant)
        return await require_library(administration, place.tenant, name)

    library = with_administration(data, work)
    print(library.source, end="" if library.source.endswith("\n") else "\n")


@app.command()
def save(
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE.js")],
    description: Annotated[str, typer.Option()] = "",
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Add or change a library. Published scripts that require it are tested and bundled anew, all or none."""
    from identity.administration.script_libraries import put_library

    source = read_text(file)

    async def work(scripting: Any) -> Any:
        place = await scripting.administration.tenant(tenant)
        return await put_library(scripting, place.tenant, name, source, description=description)

    _, bundled = with_scripting(data, work)
    for owner in bundled:
        print(f"bundled anew: the script of {owner}")
    print(f"Saved {name}.")


@app.command()
def delete(name: Name, tenant: Tenant = "root", data: Data = None) -> None:
    """Delete a library that no published script requires."""
    from identity.administration.script_libraries import delete_library

    async def work(administration: Any) -> None:
        place = await administration.tenant(tenant)
        await delete_library(administration, place.tenant, name)

    with_administration(data, work)
    print(f"Deleted {name}.")
