"""No package but `identity/tokens` touches a JWT: only there is joserfc imported, and nowhere another JOSE library."""

import ast
from pathlib import Path

LIBRARIES = {"joserfc", "jose", "jwt", "jwcrypto", "authlib"}


def libraries_of(file: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module or "")
    return {module.partition(".")[0] for module in modules} & LIBRARIES


def test_jose_has_one_place(repository: Path) -> None:
    found = {
        file.relative_to(repository).parent.as_posix(): libraries
        for package in ("identity", "userstores", "adaptive_auth")
        for file in (repository / package).rglob("*.py")
        if (libraries := libraries_of(file))
    }
    assert found == {"identity/tokens": {"joserfc"}}
