"""Pages: templates of the theme rendered to HTML. Whatever a stranger wrote leaves here escaped."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from identity.domain.tenants import Tenant
from identity.web.i18n import SOURCE_LOCALE, available_locales, direction, translations
from identity.web.theme import Theme
from identity.web.user_agents import device_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Environment
    from markupsafe import Markup

PRODUCT_NAME = "Identity Server"

_SCRIPTED_SCHEMES = ("javascript", "data", "vbscript", "blob", "file", "about", "view-source")


class Pages:
    """Renders the templates of `theme`. `demo` puts the demo banner on every page.

    Jinja is imported and a template compiled at its first use, one environment for each language; nothing of it is
    written to disk.
    """

    def __init__(self, *, theme: Theme, demo: bool) -> None:
        self._theme = theme
        self._demo = demo
        self._environments: dict[str, Environment] = {}

    def render(
        self,
        template: str,
        *,
        tenant: Tenant,
        host: str,
        locale: str = SOURCE_LOCALE,
        theme_mode: str | None = None,
        **context: Any,
    ) -> bytes:
        """The page `template` ("login.html") as UTF-8.

        `host` is the host name that people should see in the address bar; `theme_mode` "light" or "dark" overrides
        what the device prefers. The rest is the template's own context, listed at the top of each template; a name
        that is missing raises jinja2.UndefinedError.
        """
        language = locale if locale in available_locales() else SOURCE_LOCALE
        page = self.environment(language).get_template(template)
        text = page.render(
            context,
            tenant=tenant,
            organisation=tenant.settings.display_name or PRODUCT_NAME,
            host=host,
            theme_mode=theme_mode if theme_mode in ("light", "dark") else None,
        )
        return text.encode(errors="replace")

    def environment(self, locale: str) -> "Environment":
        """The Jinja environment of an available language, made at its first use."""
        if locale not in self._environments:
            self._environments[locale] = self._new_environment(locale)
        return self._environments[locale]

    def _new_environment(self, locale: str) -> "Environment":
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(
            loader=FileSystemLoader(self._theme.folder / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            extensions=["jinja2.ext.i18n"],
        )
        environment.policies["ext.i18n.trimmed"] = True
        catalogue = translations(locale)
        environment.install_gettext_callables(  # type: ignore[attr-defined]  # added by the i18n extension
            catalogue.gettext, catalogue.ngettext, newstyle=True
        )
        environment.globals.update(
            asset=self._theme.path,
            demo_installation=self._demo,
            direction=direction(locale),
            locale=locale,
            product_name=PRODUCT_NAME,
        )
        environment.filters.update(_filters(locale))
        return environment


def _filters(locale: str) -> "dict[str, Callable[..., Any]]":
    from markupsafe import Markup

    catalogue = translations(locale)

    def isolate(text: str) -> "Markup":
        """Text from a person, kept from turning the direction of what stands around it."""
        return Markup("<bdi>{}</bdi>").format(text)

    def moment(value: datetime, seconds: bool = False) -> "Markup":
        """A time element with the date and time in UTC."""
        utc = value.astimezone(UTC)
        shown = _moment_text(utc, locale, seconds)
        return Markup('<time datetime="{}">{}</time>').format(f"{utc:%Y-%m-%dT%H:%M:%SZ}", shown)

    def translated(text: str) -> "str | Markup":
        """A sentence from the server's code: in the page's language, or marked as English."""
        found = catalogue.gettext(text) if text else ""
        if locale == SOURCE_LOCALE or found != text:
            return found
        return Markup('<span lang="{}" dir="ltr">{}</span>').format(SOURCE_LOCALE, text)

    return {
        "device": device_name,
        "followable": followable,
        "initial": initial,
        "isolate": isolate,
        "moment": moment,
        "translated": translated,
    }


def initial(name: str) -> str:
    """The letter that stands for a person or an application in a disc."""
    return next((character.upper() for character in name if character.isalnum()), "?")


def followable(address: str | None) -> str:
    """The address if a link may lead there, else the empty string.

    Escaping does not help against `javascript:`; schemes that run or show content of their own are refused, in any
    case and with the white space that browsers ignore.
    """
    stripped = "".join(character for character in address or "" if character > " ")
    scheme, colon, _ = stripped.partition(":")
    if colon and "/" not in scheme and scheme.lower() in _SCRIPTED_SCHEMES:
        return ""
    return stripped


def _moment_text(utc: datetime, locale: str, seconds: bool) -> str:
    if locale == SOURCE_LOCALE:
        return f"{utc.day} {utc.strftime('%b %Y, %H:%M:%S' if seconds else '%b %Y, %H:%M')} UTC"
    from babel.dates import format_date, format_time

    language = locale.replace("-", "_")
    time = format_time(utc, "medium" if seconds else "short", locale=language)
    return f"{format_date(utc, locale=language)}, {time} UTC"
