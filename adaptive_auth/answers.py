"""What comes back from a run of a script, whichever engine ran it."""

from dataclasses import dataclass
from typing import Literal, Protocol

Limit = Literal["fuel", "wall", "memory", "stack", "input", "answer", "engine"]
"""What ended a run. `engine`: the guest broke down or was killed."""


@dataclass(frozen=True, slots=True)
class GuestAnswer:
    """`ok`: `text` is the prelude's answer. Not `ok`: evaluating the script raised; `text` is message, newline, stack.

    The text comes out of a guest that a script may have spoilt: check its shape. `fuel` is what the run used.
    """

    ok: bool
    text: str
    logs: tuple[str, ...] = ()
    fuel: int = 0


class Stopped(Exception):
    """A limit ended the run: no answer, and the login is denied. `logs` are the lines written until then."""

    def __init__(self, limit: Limit, message: str, logs: tuple[str, ...] = ()) -> None:
        super().__init__(f"{limit}: {message}")
        self.limit: Limit = limit
        self.message = message
        self.logs = logs


class EngineUnavailable(Exception):
    """There is nothing to run a script with; the text says why, for an administrator."""


class ScriptEngine(Protocol):
    """Blocking, and callable from any number of threads at once."""

    def run(self, given: str, script: str, *, hurried: bool = False) -> GuestAnswer:
        """Evaluate `script` with the JSON `given`; `hurried` with `Limits.hurried_fuel`. Raises Stopped,
        EngineUnavailable."""
        ...

    def check(self, script: str, name: str) -> GuestAnswer:
        """Compile only; errors name the file `name`. Raises Stopped, EngineUnavailable."""
        ...

    def close(self) -> None:
        """End what belongs to it."""
        ...
