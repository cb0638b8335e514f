"""The grants, one file each. A new one is a file and a line in `app.py`."""

from typing import Any, Protocol

from identity.domain.applications import Application
from identity.web.messages import Request


class Grant(Protocol):
    """`grant_type` names it; `handle` gives the token response's members.

    Raises OAuthError for a refusal, ConfigurationMoved when the caller was authenticated by something older.
    """

    @property
    def grant_type(self) -> str: ...

    async def handle(self, request: Request, application: Application, form: dict[str, str]) -> dict[str, Any]: ...
