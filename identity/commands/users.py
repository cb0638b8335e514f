"""`identity users`: the people in a tenant's stores."""

import csv
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from identity.commands.context import with_administration

app = typer.Typer(help="People: list, create, import, change, disable, delete, sign out.", no_args_is_help=True)

Data = Annotated[Path | None, typer.Option("--data", help="Data folder of the embedded installation.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Handle of the tenant.")]
Username = Annotated[str, typer.Argument(help="`name`, or `DOMAIN/name` for another store than PRIMARY.")]
Password = Annotated[
    str, typer.Option("--password", prompt=True, hide_input=True, confirmation_prompt=True, envvar="NEW_PASSWORD")
]


@app.command("list")
def list_users(tenant: Tenant = "root", store: str = "PRIMARY", data: Data = None) -> None:
    """List the people of a store, one line each."""
    from identity.administration import users

    for user in with_administration(data, lambda a: users.list_all_users(a, tenant, store)):
        state = "" if user.enabled else "  (disabled)"
        print(f"{user.username}\t{user.attributes.get('email', '')}\t{','.join(user.groups)}{state}")


@app.command()
def create(
    username: Annotated[str, typer.Argument()],
    password: Password,
    store: str = "PRIMARY",
    group: Annotated[list[str] | None, typer.Option(help="A group; may be repeated.")] = None,
    attribute: Annotated[
        list[str] | None, typer.Option(help="claim=value, like email=a@b.org; may be repeated.")
    ] = None,
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Create a person. The password is asked for, or read from NEW_PASSWORD."""
    from identity.administration import users

    attributes = parse_attributes(attribute or [])

    async def work(administration: Any) -> None:
        await users.create_user(
            administration,
            await administration.tenant(tenant),
            username,
            password,
            store=store,
            attributes=attributes,
            groups=tuple(group or ()),
        )

    with_administration(data, work)
    print(f"Created {username}.")


@app.command("import")
def import_users(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV with a header: username, password, groups (space-separated), claims.", exists=True, dir_okay=False
        ),
    ],
    store: str = "PRIMARY",
    tenant: Tenant = "root",
    data: Data = None,
) -> None:
    """Create people from a CSV file; names that are taken are reported and left alone."""
    from identity.administration import users
    from identity.commands.progress import tracked
    from identity.errors import IdentityError

    rows = _read_rows(file)

    async def work(administration: Any) -> list[str]:
        problems = []
        place = await administration.tenant(tenant)
        for row in tracked(rows, "Importing", len(rows)):
            fields = {name: value for name, value in row.items() if value}
            try:
                await users.create_user(
                    administration,
                    place,
                    fields.pop("username", ""),
                    fields.pop("password", ""),
                    store=store,
                    groups=tuple(fields.pop("groups", "").split()),
                    attributes=fields,
                )
            except IdentityError as error:
                problems.append(f"{row.get('username')}: {error.public}")
        return problems

    problems = with_administration(data, work)
    print(f"Imported {len(rows) - len(problems)} of {len(rows)}.")
    for problem in problems:
        print(f"  {problem}")
    if problems:
        raise typer.Exit(1)


def _read_rows(file: Path) -> list[dict[str, str]]:
    try:
        # Spreadsheets begin their CSV with a byte order mark, which would become part of the first name.
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            rows = list(reader)
    except (ValueError, csv.Error) as error:
        raise typer.BadParameter(f"{file} cannot be read as CSV in UTF-8: {error}") from None
    missing = {"username", "password"} - set(reader.fieldnames or ())
    if missing:
        raise typer.BadParameter(f"{file} has no column {' and '.join(sorted(missing))} in its first line")
    return rows


@app.command("set-password")
def set_password(username: Username, password: Password, tenant: Tenant = "root", data: Data = None) -> None:
    """Set a password; what was granted with the old one ends."""
    from identity.administration import users

    async def work(administration: Any) -> None:
        await users.set_password(administration, await administration.tenant(tenant), username, password)

    with_administration(data, work)
    print(f"Set the password of {username}; sessions and tokens have ended.")


@app.command()
def disable(username: Username, tenant: Tenant = "root", data: Data = None) -> None:
    """Refuse sign-in from now on; sessions and tokens end at once."""
    _set_enabled(username, False, tenant, data)


@app.command()
def enable(username: Username, tenant: Tenant = "root", data: Data = None) -> None:
    """Allow sign-in again."""
    _set_enabled(username, True, tenant, data)


def _set_enabled(username: str, enabled: bool, tenant: str, data: Path | None) -> None:
    from identity.administration import users

    async def work(administration: Any) -> None:
        await users.set_user_enabled(administration, await administration.tenant(tenant), username, enabled)

    with_administration(data, work)
    print(f"{'Enabled' if enabled else 'Disabled'} {username}.")


@app.command("sign-out")
def sign_out(username: Username, tenant: Tenant = "root", data: Data = None) -> None:
    """End every session and token of a person."""
    from identity.administration import users

    async def work(administration: Any) -> None:
        await users.end_sessions(administration, await administration.tenant(tenant), username)

    with_administration(data, work)
    print(f"Signed {username} out everywhere.")


@app.command()
def delete(username: Username, tenant: Tenant = "root", data: Data = None) -> None:
    """Delete a person from a store of ours."""
    from identity.administration import users

    async def work(administration: Any) -> None:
        await users.delete_user(administration, await administration.tenant(tenant), username)

    with_administration(data, work)
    print(f"Deleted {username}.")


@app.command("factors")
def list_factors(username: Username, tenant: Tenant = "root", data: Data = None) -> None:
    """List the ways to sign in that a person has set up, one line each."""
    from identity.administration import enrolled_factors

    async def work(administration: Any) -> Any:
        return await enrolled_factors.list_factors(administration, await administration.tenant(tenant), username)

    for factor in with_administration(data, work):
        failures = f"  ({factor.failures} wrong codes in a row)" if factor.failures else ""
        print(f"{factor.authenticator}\t{factor.label}{failures}")


@app.command("remove-factors")
def remove_factors(username: Username, tenant: Tenant = "root", data: Data = None) -> None:
    """Remove every passkey, authenticator app and recovery code of a person who has lost them."""
    from identity.administration import enrolled_factors

    async def work(administration: Any) -> None:
        await enrolled_factors.remove_factors(administration, await administration.tenant(tenant), username)

    with_administration(data, work)
    print(f"Removed every factor of {username}; sessions and tokens have ended.")


@app.command("let-back-in")
def let_back_in(username: Username, tenant: Tenant = "root", data: Data = None) -> None:
    """Take a person's codes again after too many wrong ones."""
    from identity.administration import enrolled_factors

    async def work(administration: Any) -> None:
        await enrolled_factors.let_back_in(administration, await administration.tenant(tenant), username)

    with_administration(data, work)
    print(f"The codes of {username} are taken again.")


def parse_attributes(pairs: list[str]) -> dict[str, Any]:
    """`claim=value` pairs; a value that is JSON (true, an object) is read as such."""
    attributes: dict[str, Any] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise typer.BadParameter(f"{pair!r} is not claim=value")
        try:
            attributes[name] = json.loads(value) if value[:1] in "{tf" else value
        except ValueError:
            attributes[name] = value
    return attributes
