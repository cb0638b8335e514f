"""Rules that no other tool checks: sizes, module names, where queries may be written and HTTP frameworks imported."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("identity", "userstores", "adaptive_auth", "migrations", "tests", "tools")
GENERATED = ("migrations/versions/",)

MAXIMUM_FILE = 400
MAXIMUM_FUNCTION = 80
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}

QUERY_PLACES = ("identity/storage/", "userstores/sql/", "migrations/", "tests/", "tools/")
"""Where SQLAlchemy may be imported: elsewhere nobody can write a query that forgets the tenant."""

FRAMEWORKS = {"starlette", "fastapi"}
FRAMEWORK_PLACES = ("identity/app.py", "identity/web/", "tests/", "tools/")
FRAMEWORK_ENDINGS = ("_endpoint.py", "_pages.py")

LAZY = {
    "aiosmtplib", "alembic", "asyncpg", "authlib", "email_validator", "httpx", "ldap3", "opentelemetry", "passlib",
    "prometheus_client", "rich", "wasmtime",
}  # fmt: skip
"""Heavy: imported on first use, inside a function, so that a start stays quick and small."""
LAZY_PLACES = ("userstores/ldap/",)
"""Packages that are themselves imported on first use only."""


def main() -> int:
    root = Path(__file__).parents[1]
    problems = [problem for package in PACKAGES for problem in check_folder(root, root / package)]
    print("\n".join(problems) if problems else "sizes and places: fine")
    return 1 if problems else 0


def check_folder(root: Path, folder: Path) -> Iterator[str]:
    for file in sorted(folder.rglob("*.py")):
        name = file.relative_to(root).as_posix()
        if not name.startswith(GENERATED):
            yield from check(name, file.read_text())


def check(name: str, source: str) -> Iterator[str]:
    """Problems of one file, `name` relative to the repository; each a line that says where and what."""
    tree = ast.parse(source, name)
    lines = source.count("\n")
    if lines > MAXIMUM_FILE:
        yield f"{name}: {lines} lines; {MAXIMUM_FILE} at most"
    if BANNED_NAMES.intersection(Path(name).with_suffix("").parts):
        yield f"{name}: say what the module is about; its name says nothing"
    yield from _long_functions(name, tree)
    yield from _imports(name, tree)


def _long_functions(name: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAXIMUM_FUNCTION:
                yield f"{name}:{node.lineno}: {node.name} has {length} lines; {MAXIMUM_FUNCTION} at most"


def _imports(name: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        for module in _modules(node):
            top = module.partition(".")[0]
            if top == "sqlalchemy" and not name.startswith(QUERY_PLACES):
                yield f"{name}:{getattr(node, 'lineno', 0)}: queries belong in identity/storage or userstores/sql"
            if top in FRAMEWORKS and not name.startswith(FRAMEWORK_PLACES) and not name.endswith(FRAMEWORK_ENDINGS):
                yield f"{name}:{getattr(node, 'lineno', 0)}: {top} belongs in app.py, web/ and *_endpoint.py"
    if name.startswith(("identity/", "userstores/", "adaptive_auth/")) and not name.startswith(LAZY_PLACES):
        for node in _run_at_import(tree):
            for module in _modules(node):
                if module.partition(".")[0] in LAZY:
                    yield f"{name}:{node.lineno}: import {module} inside the function that first needs it"


def _run_at_import(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements that importing the module runs: not the bodies of functions, nor `if TYPE_CHECKING`."""
    open_blocks: list[list[ast.stmt]] = [tree.body]
    while open_blocks:
        for node in open_blocks.pop():
            yield node
            if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
                open_blocks.append(node.orelse)
            elif isinstance(node, ast.If | ast.Try | ast.With | ast.ClassDef):
                open_blocks.append([child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)])


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    return []


if __name__ == "__main__":
    sys.exit(main())
