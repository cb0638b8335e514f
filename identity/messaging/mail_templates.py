"""Templates of mail: text with `{{placeholders}}` and nothing else, so that whoever writes one cannot make it run.

`themes/base/mail/<template>.<locale>.txt` begins with a line `Subject: …` and an empty one. Beside it may lie an
`.html` with the body alone; without it the text's paragraphs are the body. Both go into `frame.html`. A line whose
placeholders are all empty is left out. Everything is read and checked at the start.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from identity.domain.mail import ALIASES, COMMON_PLACEHOLDERS, PLACEHOLDERS, REQUIRED
from identity.errors import ConfigurationError, IdentityError

SOURCE_LOCALE = "en"
MAXIMUM_VALUE = 500
MAXIMUM_BODY = 20_000
"""Characters of a value; what is longer is cut."""
MAXIMUM_SUBJECT = 200

_FREE_TEXT = "body"
"""The one value that keeps its line ends."""
_PLACEHOLDER = re.compile(r"\{\{([a-z][a-z-]*)\}\}")
_LEFT_OVER = re.compile(r"\{\{|\}\}|\{%|%\}")
_FRAME_NAMES = frozenset({"locale", "subject", "content", "organisation"})
# Control characters, separators of lines and paragraphs, and what turns the direction of text.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
_UNPRINTABLE_BUT_LINE_ENDS = re.compile(_UNPRINTABLE.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))


class BadMail(IdentityError):
    """The template is unknown, or a value it needs is missing: a mistake of whoever wrote the call or the script."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_mail", detail)


@dataclass(frozen=True, slots=True)
class Rendered:
    """`subject` is one line."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class _Template:
    subject: str
    text: str
    html: str
    """The body's own HTML; empty when the text stands for it."""


class MailTemplates:
    """Raises ConfigurationError when a file of the folder is missing, or says what its template does not allow."""

    def __init__(self, folder: Path) -> None:
        self._frame = _read(folder / "frame.html", _FRAME_NAMES)
        self._templates: dict[tuple[str, str], _Template] = {}
        for file in sorted(folder.glob("*.txt")):
            name, _, locale = file.stem.rpartition(".")
            if name not in PLACEHOLDERS:
                raise ConfigurationError(f"Mail template {file.name}: there is no template {name!r}.")
            self._templates[name, locale] = _load(file, PLACEHOLDERS[name] | COMMON_PLACEHOLDERS)
        missing = [name for name in PLACEHOLDERS if (name, SOURCE_LOCALE) not in self._templates]
        if missing:
            raise ConfigurationError(f"Mail template {missing[0]}.{SOURCE_LOCALE}.txt is missing in {folder}.")

    def locales(self, name: str) -> tuple[str, ...]:
        return tuple(locale for template, locale in self._templates if template == name)

    def render(self, name: str, locale: str, values: Mapping[str, str]) -> Rendered:
        """Values that the template does not use are passed over. Raises BadMail."""
        name = template_name(name)
        missing = sorted(REQUIRED.get(name, frozenset()) - {key for key, value in values.items() if value})
        if missing:
            raise BadMail(f"The mail template {name!r} needs a value for {missing[0]!r}.")
        chosen = self._locale_of(name, locale)
        template = self._templates[name, chosen]
        plain = {key: _neutral(key, value) for key, value in values.items()}
        escaped = {key: escape(value) for key, value in plain.items()}
        subject = _one_line(_filled(template.subject, plain))[:MAXIMUM_SUBJECT].strip()
        text = _filled(template.text, plain)
        own = _filled(template.html, {key: value.replace("\n", "<br>\n") for key, value in escaped.items()})
        content = own or _paragraphs(_filled(template.text, escaped))
        html = _filled(
            self._frame,
            {
                "locale": chosen,
                "subject": escape(subject),
                "content": content,
                "organisation": escaped.get("organisation", ""),
            },
        )
        return Rendered(subject, text, html)

    def _locale_of(self, name: str, locale: str) -> str:
        """RFC 4647 §3.4: the tag is shortened from its end until there is such a template; English otherwise."""
        while locale:
            if (name, locale) in self._templates:
                return locale
            locale = locale.rpartition("-")[0]
        return SOURCE_LOCALE


def template_name(name: str) -> str:
    """The template behind a name or alias. Raises BadMail."""
    name = ALIASES.get(name, name)
    if name not in PLACEHOLDERS:
        raise BadMail(f"There is no mail template {name[:50]!r}.")
    return name


def _load(file: Path, allowed: frozenset[str]) -> _Template:
    head, _, text = _read(file, allowed).partition("\n\n")
    subject = head.removeprefix("Subject: ")
    if subject == head or "\n" in head or not text:
        raise ConfigurationError(f"Mail template {file.name}: it must begin with a line `Subject: …` and an empty one.")
    beside = file.with_suffix(".html")
    return _Template(subject, text, _read(beside, allowed) if beside.exists() else "")


def _read(file: Path, allowed: frozenset[str]) -> str:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"Mail template {file.name} cannot be read: {error}.") from None
    unknown = sorted(set(_PLACEHOLDER.findall(text)) - allowed)
    if unknown:
        raise ConfigurationError(f"Mail template {file.name}: {{{{{unknown[0]}}}}} is no placeholder of it.")
    if _LEFT_OVER.search(_PLACEHOLDER.sub("", text)):
        raise ConfigurationError(
            f"Mail template {file.name}: a placeholder is {{{{name}}}}, and there is nothing else."
        )
    return text


def _filled(template: str, values: Mapping[str, str]) -> str:
    lines = []
    for line in template.split("\n"):
        names = _PLACEHOLDER.findall(line)
        if names and not any(values.get(name) for name in names):
            continue
        # In one pass: a value that looks like a placeholder is not read again.
        lines.append(_PLACEHOLDER.sub(lambda found: values.get(found[1], ""), line))
    return "\n".join(lines)


def _paragraphs(text: str) -> str:
    """Escaped text as HTML."""
    parts = (part.strip().replace("\n", "<br>\n") for part in re.split(r"\n{2,}", text))
    return "\n".join(f"<p>{part}</p>" for part in parts if part)


def _neutral(name: str, value: str) -> str:
    if name == _FREE_TEXT:
        lines = value[:MAXIMUM_BODY].replace("\r\n", "\n").replace("\r", "\n")
        return _UNPRINTABLE_BUT_LINE_ENDS.sub(" ", lines)
    return _one_line(value[:MAXIMUM_VALUE])


def _one_line(text: str) -> str:
    return _UNPRINTABLE.sub(" ", text)
