"""Scripts to begin with. Each has its tests beside it; its first line says what it does."""

from importlib.resources import files


def names() -> tuple[str, ...]:
    """Of all templates, sorted."""
    found = (entry.name for entry in files(__package__).iterdir())
    return tuple(sorted(name.removesuffix(".js") for name in found if name.endswith(".js")))


def source(name: str) -> str:
    """The script. Raises KeyError when there is no such template."""
    return _read(name, ".js")


def tests(name: str) -> str:
    """Its tests, as JSON text. Raises KeyError when there is no such template."""
    return _read(name, ".tests.json")


def summary(name: str) -> str:
    """What it does, in a sentence."""
    return source(name).partition("\n")[0].removeprefix("// ")


def _read(name: str, ending: str) -> str:
    if name not in names():
        raise KeyError(name)
    return files(__package__).joinpath(name + ending).read_text("utf-8")
