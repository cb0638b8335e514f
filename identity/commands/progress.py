"""Progress of long work on a terminal; plain lines elsewhere."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def working(title: str) -> Iterator[Callable[[str], None]]:
    """A spinner while something of unknown length runs; the function it gives prints a line above it."""
    from rich.console import Console

    console = Console(stderr=True)
    with console.status(f"{title} …"):
        # A path is not markup, and a line that programs read is not broken at the terminal's width.
        yield partial(console.print, soft_wrap=True, markup=False, highlight=False)


def tracked(items: Iterable[T], title: str, total: int) -> Iterator[T]:
    """A progress bar over `items`."""
    from rich.console import Console
    from rich.progress import track

    yield from track(items, title, total=total, console=Console(stderr=True))
