"""The OpenAPI document, made from the path table."""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from identity import __version__
from identity.web.routing import Permission, Route

_SECURITY: dict[Permission, list[dict[str, list[str]]]] = {
    Permission.CLIENT: [{"client": []}],
    Permission.ACCESS_TOKEN: [{"bearer": []}],
    Permission.SESSION: [{"session": []}],
    Permission.API: [{"bearer": []}, {"basic": []}],
    Permission.ACCOUNT: [{"bearer": []}],
}


def document() -> str:
    """OpenAPI 3.1 as JSON text: every path of the table below the tenant's prefix."""
    from identity.app import Server
    from identity.config import Settings

    with tempfile.TemporaryDirectory() as folder:
        server = Server(Settings(data=Path(folder), log_level="error"), "https://identity.example.org")
        routes = server.app.routes
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        for method in route.methods:
            paths.setdefault(route.path, {})[method.lower()] = _operation(route, method)
    content = {
        "openapi": "3.1.0",
        "info": {"title": "Identity Server", "version": __version__, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": "/"}, {"url": "/t/{tenant}", "variables": {"tenant": {"default": "root"}}}],
        "components": {
            "securitySchemes": {
                "client": {"type": "http", "scheme": "basic", "description": "client_id and client_secret"},
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "a person whose roles grant the scope, or an application with management scopes",
                },
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-sso-root"},
            }
        },
        "paths": dict(sorted(paths.items())),
    }
    return json.dumps(content, indent=2)


def _operation(route: Route, method: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name if len(route.methods) == 1 else f"{route.name}_{method.lower()}",
        "summary": route.summary,
        "security": _SECURITY.get(route.permission, []),
        "responses": {"default": {"description": "A page or a redirect" if route.errors == "page" else "JSON"}},
    }
    parameters = [
        {"name": name.rstrip("*"), "in": "query", "required": name.endswith("*"), "schema": {"type": "string"}}
        for name in route.parameters
        if method in ("GET", "DELETE")
    ]
    for name in re.findall(r"\{([a-z_]+)\}", route.path):
        parameters.append({"name": name, "in": "path", "required": True, "schema": {"type": "string"}})
    if parameters:
        operation["parameters"] = parameters
    if method == "POST" and route.parameters:
        operation["requestBody"] = {
            "content": {
                "application/x-www-form-urlencoded": {
                    "schema": {
                        "type": "object",
                        "properties": {name.rstrip("*"): {"type": "string"} for name in route.parameters},
                        "required": [name.rstrip("*") for name in route.parameters if name.endswith("*")],
                    }
                }
            }
        }
    return operation
