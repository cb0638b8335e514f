"""Pages of `/api/server/v1`: `limit`, and `after` or `before` as opaque cursors."""

import base64
from typing import Any
from urllib.parse import quote

from identity.errors import IdentityError
from identity.web.messages import Request

DEFAULT_LIMIT = 15
MAXIMUM_LIMIT = 100


def page_of(request: Request, ids: list[str], path: str) -> tuple[list[str], list[dict[str, Any]]]:
    """The ids of the page asked for, of all `ids` in their order, and the links around it. Raises IdentityError."""
    query = request.query()
    limit = _limit(query.get("limit"))
    start = 0
    if "after" in query:
        start = sum(1 for id in ids if id <= _cursor(query["after"]))
    elif "before" in query:
        start = max(0, sum(1 for id in ids if id < _cursor(query["before"])) - limit)
    page = ids[start : start + limit]
    links = []
    kept = "".join(f"&filter={quote(query['filter'], safe='')}" for _ in range("filter" in query))
    if page and start + limit < len(ids):
        links.append({"href": f"{path}?limit={limit}&after={_text(page[-1])}{kept}", "rel": "next"})
    if page and start > 0:
        links.append({"href": f"{path}?limit={limit}&before={_text(page[0])}{kept}", "rel": "previous"})
    return page, links


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise IdentityError("invalid_request", "limit must be a number.")
    return max(1, min(int(text), MAXIMUM_LIMIT))


def _text(id: str) -> str:
    return base64.urlsafe_b64encode(id.encode()).decode().rstrip("=")


def _cursor(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        raise IdentityError("invalid_request", "The cursor is not one of ours.") from None
