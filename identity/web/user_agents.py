"""A `User-Agent` in words a person recognises in the list of their sessions. Never used for a decision."""

import re

_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
"""Most particular first: nearly every browser also calls itself Chrome or Safari."""

_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),  # codespell:ignore cros
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)


_PRODUCT = re.compile(r"[A-Za-z0-9._+-]{1,40}")


def device_name(user_agent: str) -> str:
    """Such as "Firefox, Linux"; the product's name of an agent that is no browser; empty when nothing is known."""
    product = _PRODUCT.match(user_agent)
    return ", ".join(filter(None, browser_and_system(user_agent))) or (product[0] if product else "")


def browser_and_system(user_agent: str) -> tuple[str, str]:
    """Each empty when it is not known."""
    browser, system = (
        next((name for mark, name in table if mark in user_agent), "") for table in (_BROWSERS, _SYSTEMS)
    )
    return browser, system
