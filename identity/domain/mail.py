"""Mail to people: which templates there are and what they say, and mail that was captured instead of sent."""

from dataclasses import dataclass
from typing import Literal

MailVerdict = Literal["queued", "limited", "bad_address"]
"""`limited`: the address has had its mails for now. `bad_address`: no mail can go there."""

COMMON_PLACEHOLDERS = frozenset({"organisation", "application", "name", "username"})
"""Every template may use these: who writes, which application it is about, and to whom."""

PLACEHOLDERS: dict[str, frozenset[str]] = {
    "email-otp": frozenset({"code", "minutes"}),
    "new-device": frozenset({"login-time", "device", "address", "place"}),
    "risky-login": frozenset({"login-time", "device", "address", "place", "reason"}),
    "factor-added": frozenset({"factor", "login-time", "device", "address"}),
    "factor-removed": frozenset({"factor", "login-time", "device", "address"}),
    "factor-used": frozenset({"factor", "left", "login-time", "device", "address"}),
    "test": frozenset(),
    "generic": frozenset({"subject", "body"}),
}
"""What a template may say beside those, by its name."""

REQUIRED: dict[str, frozenset[str]] = {
    "email-otp": frozenset({"code"}),
    "factor-added": frozenset({"factor"}),
    "factor-removed": frozenset({"factor"}),
    "factor-used": frozenset({"factor"}),
    "generic": frozenset({"subject", "body"}),
}
"""Without these a mail would make no sense."""

ALIASES = {"UnseenDeviceLogin": "new-device"}
"""WSO2's names, as scripts written for it give them."""

MAIL_TEMPLATES = tuple(PLACEHOLDERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailContent:
    """One mail as it goes out; `to` is canonical, `subject` one line, `expires_at` µs or None."""

    to: str
    template: str
    locale: str
    subject: str
    text: str
    html: str
    expires_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedMail:
    """A mail that was kept here because no mail server is set."""

    id: str
    captured_at: int
    content: MailContent
