"""`identity applications`: the applications of a tenant."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from identity.commands.context import tell_findings, with_administration, with_scripting

app = typer.Typer(help="Applications: list, register, change, new secret, delete.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the embedded installation.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Handle of the tenant.")]
ClientId = Annotated[str, typer.Argument(help="The application's client id.")]
Setting = Annotated[
    list[str] | None,
    typer.Option("--set", help="name=value as in docs/settings.md; JSON values for lists and flags; repeatable."),
]


@app.command("list")
def list_applications(tenant: Tenant = "root", data: Data = None) -> None:
    """List the applications, one line each."""
    from identity.administration import applications

    for application in with_administration(data, lambda a: applications.list_all_applications(a, tenant)):
        state = "" if application.enabled else "  (disabled)"
        print(f"{application.client_id}\t{application.name}\t{' '.join(application.grant_types)}{state}")


@app.command()
def show(client_id: ClientId, tenant: Tenant = "root", data: Data = None) -> None:
    """Print an application's settings as JSON; secrets are left out."""
    from dataclasses import asdict

    from identity.administration import applications
    from identity.administration.application_advice import application_advice

    async def work(administration: Any) -> Any:
        place = await administration.tenant(tenant)
        return await applications.require_application(administration, place.tenant, client_id)

    application = with_administration(data, work)
    for advice in application_advice(application):
        print(f"WARNING  {advice}", file=sys.stderr)
    document = asdict(application)
    document["secrets"] = [{"id": secret["id"], "expires_at": secret["expires_at"]} for secret in document["secrets"]]
    del document["registration_token"]
    print(json.dumps(document, indent=2))


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What people see on the sign-in page.")],
    redirect_uri: Annotated[list[str] | None, typer.Option(help="May be repeated.")] = None,
    client_id: Annotated[str | None, typer.Option(help="Default: a new id.")] = None,
    public: Annotated[
        bool, typer.Option("--public", help="A browser or native application, without a secret.")
    ] = False,
    machine: Annotated[bool, typer.Option("--machine", help="client_credentials instead of people.")] = False,
    setting: Setting = None,
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Register an application; its secret is printed this once."""
    from identity.administration import applications

    fields: dict[str, Any] = {
        "redirect_uris": tuple(redirect_uri or ()),
        "grant_types": ("client_credentials",) if machine else ("authorization_code", "refresh_token"),
        "token_endpoint_auth_method": "none" if public else "client_secret_basic",
    }
    settings = parse_settings(setting or [])
    for name_of_option in ("name", "client_id", "client_secret"):
        if name_of_option in settings:
            raise typer.BadParameter(f"{name_of_option} has a place of its own; it cannot be given with --set")
    fields |= settings

    async def work(administration: Any) -> Any:
        place = await administration.tenant(tenant)
        return await applications.create_application(
            administration, place.tenant, name=name, client_id=client_id, **fields
        )

    registered = with_administration(data, work)
    print(f"client_id      {registered.application.client_id}")
    if registered.secret is not None:
        print(f"client_secret  {registered.secret!s}")


@app.command()
def update(client_id: ClientId, setting: Setting = None, tenant: Tenant = "root", data: Data = None) -> None:
    """Change settings of an application."""
    from identity.administration.published_scripts import change_application

    changes = parse_settings(setting or [])
    if not changes:
        raise typer.BadParameter("say what to change with --set name=value")

    async def work(scripting: Any) -> Any:
        place = await scripting.administration.tenant(tenant)
        return await change_application(scripting, place.tenant, client_id, changes)

    tell_findings(with_scripting(data, work))
    print(f"Changed {client_id}.")


@app.command()
def steps(
    client_id: ClientId,
    step: Annotated[
        list[str] | None,
        typer.Option(help="The factors of one step, `BasicAuthenticator,FIDOAuthenticator`; repeat for the next one."),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="No steps of its own: the tenant's.")] = False,
    minimum_acr: Annotated[str | None, typer.Option(help="No sign-in below this level; empty for none.")] = None,
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Show, or set, the steps of an application's sign-in. Its published script must still fit."""
    from identity.administration import applications
    from identity.administration.published_scripts import change_application

    changes: dict[str, Any] = {}
    if step or clear:
        changes["sign_in_steps"] = [{"authenticators": names.split(",")} for names in step or ()]
    if minimum_acr is not None:
        changes["minimum_acr"] = minimum_acr

    async def work(scripting: Any) -> Any:
        place = await scripting.administration.tenant(tenant)
        findings = await change_application(scripting, place.tenant, client_id, changes) if changes else ()
        application = await applications.require_application(scripting.administration, place.tenant, client_id)
        return place, application, findings

    place, application, findings = with_scripting(data, work)
    tell_findings(findings)
    own = application.sign_in_steps
    for number, one in enumerate(own or place.settings.sign_in_steps, 1):
        print(f"step {number}  {' or '.join(one.authenticators)}{'' if own else '  (of the tenant)'}")
    print(f"script  {application.sign_in_script[:12] or 'none'}")
    print(f"minimum acr  {application.minimum_acr or 'none'}")


@app.command()
def secret(
    client_id: ClientId,
    keep_old: Annotated[int, typer.Option(help="Seconds for which the old secrets stay valid.")] = 0,
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Make a new secret and print it."""
    from identity.administration import applications

    async def work(administration: Any) -> Any:
        place = await administration.tenant(tenant)
        return await applications.add_client_secret(administration, place.tenant, client_id, old_valid_seconds=keep_old)

    print(f"client_secret  {with_administration(data, work)!s}")


@app.command()
def delete(client_id: ClientId, tenant: Tenant = "root", data: Data = None) -> None:
    """Delete an application; its tokens are inactive at once."""
    from identity.administration import applications

    async def work(administration: Any) -> None:
        place = await administration.tenant(tenant)
        await applications.delete_application(administration, place.tenant, client_id)

    with_administration(data, work)
    print(f"Deleted {client_id}.")


def parse_settings(pairs: list[str]) -> dict[str, Any]:
    """`name=value` pairs; values that are JSON are read as such."""
    settings: dict[str, Any] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise typer.BadParameter(f"{pair!r} is not name=value")
        try:
            # A key set is stored as the text it came as.
            settings[name] = value if name == "jwks" else json.loads(value)
        except ValueError:
            settings[name] = value
    return settings
