"""Whether the import name `identity` is ours alone: an unrelated distribution uses it too and would overwrite us."""

DISTRIBUTION = "identity-server"


def shared_environment() -> str | None:
    """What is wrong, or None. Costs a look into the installed distributions' records, so only if both names exist."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        other = distribution("identity")
    except PackageNotFoundError:
        return None
    name = other.metadata["Name"]
    return (
        f"The distribution {name!r} is installed beside {DISTRIBUTION!r} and uses the same import name: "
        "install Identity Server in an environment of its own."
    )
