"""What a directory says, without the library that carried it: entries, bind answers, failures."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from userstores.spi import RefusalReason

SUCCESS, SIZE_LIMIT, NO_SUCH_OBJECT = 0, 4, 32
REFERRAL = 10
BUSY, UNAVAILABLE = 51, 52
INAPPROPRIATE_AUTHENTICATION, INVALID_CREDENTIALS, UNWILLING = 48, 49, 53
"""RFC 4511 appendix A."""

POLICY_CONTROL = "1.3.6.1.4.1.42.2.27.8.5.1"
"""draft-behera-ldap-password-policy-11 §6."""
_EXPIRED, _LOCKED, _MUST_CHANGE = 0, 1, 2

_ACTIVE_DIRECTORY_CODE = re.compile(r"\bdata ([0-9a-f]{3,4})\b", re.IGNORECASE)
_ACTIVE_DIRECTORY = {
    "533": RefusalReason.DISABLED,
    "530": RefusalReason.DISABLED,
    "531": RefusalReason.DISABLED,
    "532": RefusalReason.EXPIRED,
    "701": RefusalReason.EXPIRED,
    "773": RefusalReason.EXPIRED,
    "775": RefusalReason.LOCKED,
}


class DirectoryFailure(Exception):
    """The directory could not be used. The text is a sentence for an administrator."""


class Unreachable(DirectoryFailure):
    """No connection came about: name, port, TLS."""


class ConnectionBroken(DirectoryFailure):
    """The connection ended under us: after a restart of the directory that is what old connections do."""


class DirectoryTimeout(DirectoryFailure):
    """No answer in time."""


class DirectoryRefusal(DirectoryFailure):
    """It answered, and will not do what we need (service account, search base): another server would say the same."""


class TooManyEntries(Exception):
    """A scan was ended at its limit: nothing is wrong with the directory."""


@dataclass(frozen=True, slots=True)
class Entry:
    dn: str
    attributes: Mapping[str, tuple[bytes, ...]]
    """By attribute name in lower case, without options."""

    def texts(self, attribute: str) -> tuple[str, ...]:
        """Values that are UTF-8, in the directory's order."""
        values = []
        for value in self.attributes.get(attribute.lower(), ()):
            try:
                values.append(value.decode())
            except UnicodeDecodeError:
                continue
        return tuple(values)

    def text(self, attribute: str) -> str:
        """The first value, or nothing."""
        return next(iter(self.texts(attribute)), "")


@dataclass(frozen=True, slots=True)
class BindAnswer:
    """`policy_error` is the password policy control's, None when it sent none."""

    code: int
    message: str = ""
    policy_error: int | None = None

    @property
    def must_change_password(self) -> bool:
        """Comes with a successful bind: draft-behera §6.2, changeAfterReset."""
        return self.policy_error == _MUST_CHANGE

    @property
    def reason(self) -> RefusalReason | None:
        """None when the bind succeeded. Raises DirectoryFailure for a code that says nothing about the password."""
        if self.code == SUCCESS:
            return None
        if self.policy_error == _LOCKED:
            return RefusalReason.LOCKED
        if self.policy_error == _EXPIRED:
            return RefusalReason.EXPIRED
        if self.code == INVALID_CREDENTIALS:
            found = _ACTIVE_DIRECTORY_CODE.search(self.message)
            return _ACTIVE_DIRECTORY.get(found[1].lower() if found else "", RefusalReason.WRONG_PASSWORD)
        if self.code in (INAPPROPRIATE_AUTHENTICATION, NO_SUCH_OBJECT):
            return RefusalReason.WRONG_PASSWORD
        if self.code == UNWILLING:
            # 389 Directory Server: "Account inactivated. Contact system administrator."
            return RefusalReason.DISABLED
        if self.code in (BUSY, UNAVAILABLE):
            raise ConnectionBroken(f"the directory says it is busy (result {self.code})")
        raise DirectoryRefusal(f"a person's bind was answered with result {self.code} {self.message}".strip())


def policy_error(value: bytes) -> int | None:
    """The `error` of a PasswordPolicyResponseValue: SEQUENCE { warning [0] …, error [1] ENUMERATED }, both optional."""
    if len(value) < 2 or value[0] != 0x30 or value[1] != len(value) - 2:
        return None
    rest = value[2:]
    while len(rest) >= 2:
        tag, length = rest[0], rest[1]
        content, rest = rest[2 : 2 + length], rest[2 + length :]
        if tag == 0x81 and len(content) == length == 1:
            return content[0]
    return None
