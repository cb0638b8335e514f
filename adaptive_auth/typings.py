"""TypeScript definitions of the script language, for editors."""

from collections.abc import Iterable

from adaptive_auth.functions import FUNCTIONS, GLOBAL_OBJECTS
from adaptive_auth.objects import INTERFACES, Interface

_HEAD = """// The language of sign-in scripts.
type Json = any;
type Headers = Record<string, string>;
type Secret = string;
"""

_ENTRIES = """/** A script has one of these two, named onLoginRequest or onLogin. */
type OnLoginRequest = (context: Context) => void;
type OnLogin = (context: Context) => Promise<void>;
"""


def typings(
    *,
    steps: Iterable[int] | None = None,
    authenticators: Iterable[str] | None = None,
    secrets: Iterable[str] | None = None,
) -> str:
    """The text of a `.d.ts`. With `steps`, `authenticators` and `secrets` an editor knows those of the application."""
    named = None if secrets is None else list(secrets)
    parts = [
        _HEAD,
        f"type StepNumber = {_union(steps, 'number')};",
        f"type Authenticator = {_union(_quoted(authenticators), 'string')};",
        f"type Secrets = Readonly<Record<{_union(_quoted(named), 'string')}, Secret>>;\n",
        *(_interface(interface) for interface in INTERFACES),
        *(f"declare const {name}: {kind};" for name, kind in GLOBAL_OBJECTS.items()),
        "",
        _ENTRIES,
        *_functions(),
    ]
    return "\n".join(parts) + "\n"


def _interface(interface: Interface) -> str:
    lines = [f"/** {interface.doc} */"] if interface.doc else []
    lines.append(f"interface {interface.name} {{")
    for member in interface.members:
        if member.doc:
            lines.append(f"  /** {member.doc} */")
        lines.append(f"  {member.name}: {member.type};")
    return "\n".join([*lines, "}\n"])


def _functions() -> Iterable[str]:
    for function in FUNCTIONS.values():
        deprecated = " @deprecated" if function.kind in ("dead", "unavailable") else ""
        yield f"/** {function.doc}{deprecated} */"
        for signature in function.signatures:
            yield f"declare function {function.name}{signature};"


def _quoted(names: Iterable[str] | None) -> list[str] | None:
    return None if names is None else [f"'{name}'" for name in names]


def _union(members: Iterable[object] | None, otherwise: str) -> str:
    if members is None:
        return otherwise
    return " | ".join(str(member) for member in members) or "never"
