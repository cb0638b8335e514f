"""Mail addresses: read strictly, written in one way."""

import re
import unicodedata

MAXIMUM_LENGTH = 254
"""RFC 5321 §4.5.3.1.3, without the angle brackets."""

# What could end a line of SMTP or of a header, or is not to be seen; `\s` would let some of it pass as a blank.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
_SEVERAL = re.compile(r"[,;<>\"()\[\]\\]")


def canonical_address(text: str) -> str | None:
    """The address with its domain in lower case and in ASCII (RFC 5891); None when it is none.

    Nothing is looked up. Names that no mail reaches (`ada@localhost`, `….local`, `….test`), quoted local parts and IP
    addresses for domains are refused.
    """
    if len(text) > MAXIMUM_LENGTH or any(unicodedata.category(character) in _INVISIBLE for character in text):
        return None
    if _SEVERAL.search(text):
        return None
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(text, check_deliverability=False, strict=True)
    except EmailNotValidError:
        return None
    return f"{found.local_part}@{found.ascii_domain}"


def limit_name(address: str) -> str:
    """One name for what most servers deliver into one mailbox: case does not matter."""
    return address.casefold()
