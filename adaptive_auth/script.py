"""A sign-in script with its libraries: the unit that is saved, pinned by a login in progress, and run."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

FILE = "script.js"
"""The name of the script itself in errors; a library has its own."""


@dataclass(frozen=True)
class Script:
    """`libraries`: source by the name that `require` takes, such as `risk.js`."""

    source: str
    libraries: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def hash(self) -> str:
        """SHA-256 in hex over the canonical JSON of source and libraries."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Canonical: the same script gives the same text."""
        content = {"source": self.source, "libraries": dict(self.libraries)}
        return json.dumps(content, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` gave. Raises ValueError for anything else."""
        content: Any = json.loads(text)
        if not isinstance(content, dict) or content.keys() != {"source", "libraries"}:
            raise ValueError("not a script")
        libraries = content["libraries"]
        if not isinstance(libraries, dict):
            raise ValueError("not a script")
        if not all(isinstance(source, str) for source in (content["source"], *libraries.values())):
            raise ValueError("not a script")
        return cls(content["source"], libraries)
