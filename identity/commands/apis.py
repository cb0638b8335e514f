"""`identity apis`: API resources and their scopes."""

from pathlib import Path
from typing import Annotated, Any

import typer

from identity.commands.context import with_administration

app = typer.Typer(help="API resources: list, register, scopes, delete.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the embedded installation.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Handle of the tenant.")]
Identifier = Annotated[str, typer.Argument(help="What the API calls itself, like https://api.example.org/orders.")]


@app.command("list")
def list_apis(tenant: Tenant = "root", data: Data = None) -> None:
    """List the API resources with their ids and scopes."""
    from identity.storage import api_resources

    async def work(administration: Any) -> list[tuple[str, str, str]]:
        place = await administration.tenant(tenant)
        database, after = administration.database, ""
        found: list[tuple[str, str, str]] = []
        while page := await api_resources.list_api_resources_page(database, place.id, after=after):
            for each in page:
                scopes = await api_resources.list_scopes_of_api(database, place.id, each.id)
                found.append((each.identifier, each.id, " ".join(scope.name for scope in scopes)))
            after = page[-1].id
        return found

    for line in with_administration(data, work):
        print("\t".join(line))


@app.command()
def create(
    identifier: Identifier,
    name: Annotated[str, typer.Option(help="What administrators see.")] = "",
    scope: Annotated[list[str] | None, typer.Option(help="A scope of it; repeatable.")] = None,
    details_type: Annotated[
        list[str] | None, typer.Option(help="A type of authorization details (RFC 9396); repeatable.")
    ] = None,
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Register an API resource; its id is what applications are authorized for."""
    from identity.administration import api_resources
    from identity.domain.api_resources import ApiResourceId, ApiScope

    async def work(administration: Any) -> Any:
        place = await administration.tenant(tenant)
        return await api_resources.create_api_resource(
            administration,
            place.tenant,
            identifier=identifier,
            name=name,
            scopes=[ApiScope(name=each, api=ApiResourceId("")) for each in scope or ()],
            details_types=[api_resources.details_type(each) for each in details_type or ()],
        )

    print(f"id  {with_administration(data, work).id}")


@app.command()
def scopes(
    identifier: Identifier,
    add: Annotated[list[str] | None, typer.Option(help="A new scope; repeatable.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="A scope to delete; repeatable.")] = None,
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Add and remove scopes of an API resource."""
    from identity.administration import api_resources
    from identity.domain.api_resources import ApiResourceId, ApiScope

    async def work(administration: Any) -> None:
        place = await administration.tenant(tenant)
        resource = await api_resources.require_by_identifier(administration, place.tenant, identifier)
        await api_resources.update_api_resource(
            administration,
            place.tenant,
            resource,
            add_scopes=[ApiScope(name=each, api=ApiResourceId("")) for each in add or ()],
            remove_scopes=remove or (),
        )

    with_administration(data, work)
    print(f"Changed {identifier}.")


@app.command()
def delete(identifier: Identifier, tenant: Tenant = "root", data: Data = None) -> None:
    """Delete an API resource and its scopes."""
    from identity.administration import api_resources

    async def work(administration: Any) -> None:
        place = await administration.tenant(tenant)
        resource = await api_resources.require_by_identifier(administration, place.tenant, identifier)
        await api_resources.delete_api_resource(administration, place.tenant, resource)

    with_administration(data, work)
    print(f"Deleted {identifier}.")
