"""The command line. Errors are one line that says what to do; the work is in `commands/`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from identity.commands import (
    apis,
    applications,
    check,
    deliveries,
    explain,
    issuers,
    keys,
    library,
    mail,
    notify,
    published_scripts,
    registration,
    roles,
    script,
    secret,
    stores,
    tenants,
    users,
)
from identity.errors import IdentityError, Unavailable

DataOption = Annotated[Path | None, typer.Option("--data", help="Data folder of the embedded installation.")]

app = typer.Typer(
    name="identity",
    help="Identity Server: signs people in to applications, and answers for the tokens that came out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(tenants.app, name="tenants")
app.add_typer(users.app, name="users")
app.add_typer(applications.app, name="applications")
app.add_typer(registration.app, name="registration")
app.add_typer(roles.app, name="roles")
app.add_typer(apis.app, name="apis")
app.add_typer(notify.app, name="notify")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(mail.app, name="mail")
script.app.add_typer(published_scripts.app)
app.add_typer(script.app, name="script")
app.add_typer(library.app, name="library")
app.add_typer(secret.app, name="secret")
app.command("explain")(explain.explain)
app.add_typer(stores.app, name="stores")
app.add_typer(keys.app, name="keys")
app.add_typer(issuers.app, name="issuers")
app.command("check")(check.check)


@app.command()
def serve(
    data: DataOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    base_url: Annotated[str | None, typer.Option(help="The address people use, like https://id.example.org.")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes; more than one needs PostgreSQL.")] = None,
    demo: Annotated[
        bool | None, typer.Option("--demo", help="Demo data and a sample application, on loopback.")
    ] = None,
) -> None:
    """Serve. The embedded database is set up and upgraded by itself."""
    from identity.commands.serve import run
    from identity.config import load_settings

    run(load_settings(data=data, host=host, port=port, base_url=base_url, workers=workers, demo=demo))


@app.command()
def migrate(data: DataOption = None) -> None:
    """Bring the database's schema to this release, and set up the root tenant."""
    import asyncio

    from identity.app import prepare
    from identity.commands.progress import working
    from identity.config import load_settings

    settings = load_settings(data=data, demo=False)
    with working("Migrating") as report:
        asyncio.run(prepare(settings, settings.base_url or "http://localhost", report))
    print("The database is ready.")


@app.command()
def openapi() -> None:
    """Print the OpenAPI document of the HTTP interface."""
    from identity.commands.openapi import document

    print(document())


def main() -> None:
    """The entry point `identity`."""
    try:
        app(standalone_mode=True)
    except Unavailable as error:
        print(
            f"identity: The database cannot be reached: {error.detail}. Check IDENTITY_DATABASE_URL.", file=sys.stderr
        )
        raise SystemExit(1) from None
    except IdentityError as error:
        detail = f" ({error.detail})" if error.detail else ""
        print(f"identity: {error.public}{detail}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
