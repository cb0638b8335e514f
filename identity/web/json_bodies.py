"""JSON bodies of our own interfaces: one reading, bounded, and only when the content type says so.

A browser sends a form or plain text to another site without asking; JSON it does not. So the content type also keeps
pages of strangers from using Basic credentials or a client certificate that a browser remembers.
"""

import json
from typing import Any, TypeVar

import msgspec

from identity.domain.strict_json import distinct, finite
from identity.errors import IdentityError
from identity.web.messages import Request

T = TypeVar("T")

JSON = ("application/json", "application/scim+json")


def read_json(request: Request) -> Any:
    """Any JSON value whose objects name each member once. Raises IdentityError 400 or 415."""
    content_type = (request.header(b"content-type") or "").partition(";")[0].strip().lower()
    if content_type not in JSON:
        raise IdentityError("unsupported_media_type", "Send the body as application/json.", status=415)
    try:
        value = json.loads(request.body.decode("utf-8"), object_pairs_hook=distinct, parse_constant=finite)
        # What no database column holds: halves of surrogate pairs (UnicodeEncodeError is a ValueError), and NUL.
        if b"\\u0000" in json.dumps(value, ensure_ascii=False).encode():
            raise ValueError("NUL")
    except (ValueError, RecursionError):
        raise IdentityError("invalid_syntax", "The body is not valid JSON.") from None
    return value


def read_body(request: Request, kind: type[T]) -> T:
    """The body as `kind`, a msgspec structure; members it does not know are passed over. Raises IdentityError."""
    try:
        return msgspec.convert(read_json(request), kind)
    except msgspec.ValidationError as error:
        raise IdentityError("invalid_syntax", f"The body is not as expected: {error}.") from None
