"""`identity roles`: roles of a tenant, what they grant, and who has them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from identity.commands.context import with_administration

app = typer.Typer(help="Roles: list, show, create, change, give to people and groups, delete.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the embedded installation.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Handle of the tenant.")]
Name = Annotated[str, typer.Argument(help="The role's name.")]
Scopes = Annotated[list[str] | None, typer.Option("--scope", help="A scope that the role grants; repeatable.")]
Users = Annotated[list[str] | None, typer.Option("--user", help="`name` or `DOMAIN/name`; repeatable.")]
Groups = Annotated[list[str] | None, typer.Option("--group", help="`name` or `DOMAIN/name`; repeatable.")]


@app.command("list")
def list_roles(tenant: Tenant = "root", data: Data = None) -> None:
    """List the roles with what they grant."""
    from identity.storage.roles import load_role_grants

    async def work(administration: Any) -> Any:
        place = await administration.tenant(tenant)
        return await load_role_grants(administration.database, place.id)

    for _, grants in sorted(with_administration(data, work).items()):
        shown = "every internal scope" if grants.role.is_admin else " ".join(sorted(grants.scopes))
        audience = "" if grants.role.audience_type == "organization" else f"  (application {grants.role.audience})"
        print(f"{grants.role.name}\t{shown}{audience}")


@app.command()
def show(name: Name, tenant: Tenant = "root", data: Data = None) -> None:
    """Print a role's scopes and members."""
    from identity.administration import roles
    from identity.storage.roles import members_of_role, users_of_role

    async def work(administration: Any) -> Any:
        place = await administration.tenant(tenant)
        role = await roles.require_role_by_name(administration, place, name)
        database = administration.database
        return (
            await roles.permissions_of(administration, place, role),
            await users_of_role(database, place.id, role.id),
            await members_of_role(database, place.id, role.id, "group"),
        )

    scopes, users, groups = with_administration(data, work)
    for line in (*(f"scope  {scope}" for scope in scopes), *(f"user   {name}" for _, name in users)):
        print(line)
    for group in groups:
        print(f"group  {group}")


@app.command()
def create(
    name: Name,
    scope: Scopes = None,
    user: Users = None,
    group: Groups = None,
    application: Annotated[
        str | None, typer.Option(help="Client id of the one application that the role counts for.")
    ] = None,
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Create a role."""
    from identity.administration import applications, roles

    async def work(administration: Any) -> None:
        place = await administration.tenant(tenant)
        changes = roles.RoleChanges(
            add_scopes=frozenset(scope or ()),
            add_users=await roles.subjects_of_usernames(administration, place, user or ()),
            add_groups=frozenset(group or ()),
        )
        if application is None:
            await roles.create_role(administration, place, name, changes)
            return
        owner = await applications.require_application(administration, place.tenant, application)
        await roles.create_role(administration, place, name, changes, audience_type="application", audience=owner.id)

    with_administration(data, work)
    print(f"Created {name}.")


@app.command()
def add(
    name: Name,
    scope: Scopes = None,
    user: Users = None,
    group: Groups = None,
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Let a role grant more scopes, or give it to people and groups."""
    _change(data, tenant, name, "add", scope, user, group)


@app.command()
def remove(
    name: Name,
    scope: Scopes = None,
    user: Users = None,
    group: Groups = None,
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Take scopes from a role, or the role from people and groups."""
    _change(data, tenant, name, "remove", scope, user, group)


@app.command()
def delete(name: Name, tenant: Tenant = "root", data: Data = None) -> None:
    """Delete a role."""
    from identity.administration import roles

    async def work(administration: Any) -> None:
        place = await administration.tenant(tenant)
        await roles.delete_role(administration, place, await roles.require_role_by_name(administration, place, name))

    with_administration(data, work)
    print(f"Deleted {name}.")


def _change(
    data: Path | None,
    tenant: str,
    name: str,
    how: str,
    scopes: list[str] | None,
    users: list[str] | None,
    groups: list[str] | None,
) -> None:
    from identity.administration import roles

    if not (scopes or users or groups):
        raise typer.BadParameter("say what with --scope, --user or --group")

    async def work(administration: Any) -> None:
        place = await administration.tenant(tenant)
        role = await roles.require_role_by_name(administration, place, name)
        members: dict[str, Any] = {
            f"{how}_scopes": frozenset(scopes or ()),
            f"{how}_users": await roles.subjects_of_usernames(administration, place, users or ()),
            f"{how}_groups": frozenset(groups or ()),
        }
        await roles.change_role(administration, place, role, roles.RoleChanges(**members))

    with_administration(data, work)
    print(f"Changed {name}.")
