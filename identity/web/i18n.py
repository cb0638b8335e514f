"""The language of a page: which one a person reads, and its catalogue.

English source strings are the message ids, so English needs no catalogue; Babel is imported for other languages only.
"""

import gettext
import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from identity.resources import data_folder

SOURCE_LOCALE = "en"

# Bounds for headers that strangers write.
_MAXIMUM_LENGTH = 512
_MAXIMUM_TAGS = 20
_MAXIMUM_TAG = 35
"""Longest tag worth reading (RFC 5646 §4.4.1)."""

_RIGHT_TO_LEFT = frozenset({"ar", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "ug", "ur", "yi"})
_RIGHT_TO_LEFT_SCRIPTS = frozenset({"adlm", "arab", "hebr", "nkoo", "rohg", "syrc", "thaa"})


@cache
def available_locales() -> tuple[str, ...]:
    """BCP 47 tags of English and of every catalogue that the theme carries."""
    found = {file.parent.parent.name.replace("_", "-") for file in _locale_folder().glob("*/LC_MESSAGES/messages.po")}
    return tuple(sorted(found | {SOURCE_LOCALE}))


def choose_locale(ui_locales: str | None, cookie: str | None, accept_language: str | None) -> str:
    """The first language we have among: `ui_locales` (OpenID Connect Core §3.1.2.1), the person's own choice in a
    cookie, `Accept-Language` (RFC 9110 §12.5.4); English otherwise. Whatever does not parse is passed over.
    """
    for wanted in (_words(ui_locales), _words(cookie), _ranges(accept_language)):
        for tag in wanted:
            if match := _look_up(tag):
                return match
    return SOURCE_LOCALE


def translations(locale: str) -> gettext.NullTranslations:
    """The catalogue of `locale`; the empty one, which answers in English, when there is none."""
    if locale == SOURCE_LOCALE or locale not in available_locales():
        return gettext.NullTranslations()
    return _read_catalogue(_locale_folder() / locale.replace("-", "_") / "LC_MESSAGES" / "messages.po")


def direction(locale: str) -> str:
    """The `dir` attribute for a language: "rtl" or "ltr"."""
    language, *subtags = locale.lower().split("-")
    scripts = [subtag for subtag in subtags if len(subtag) == 4 and subtag.isalpha()]
    right_to_left = scripts[0] in _RIGHT_TO_LEFT_SCRIPTS if scripts else language in _RIGHT_TO_LEFT
    return "rtl" if right_to_left else "ltr"


def _locale_folder() -> Path:
    return data_folder("themes") / "base" / "locale"


def _words(value: str | None) -> Iterator[str]:
    yield from (value or "")[:_MAXIMUM_LENGTH].split()[:_MAXIMUM_TAGS]


def _ranges(value: str | None) -> Iterator[str]:
    """Language ranges by falling weight, the order of the header among equals; weight 0 means "not this one"."""
    weighted: list[tuple[float, str]] = []
    for part in (value or "")[:_MAXIMUM_LENGTH].split(",")[:_MAXIMUM_TAGS]:
        tag, _, parameter = part.partition(";")
        weight = _weight(parameter.strip())
        if weight > 0:
            weighted.append((weight, tag.strip()))
    weighted.sort(key=lambda pair: -pair[0])
    yield from (tag for _, tag in weighted)


def _weight(parameter: str) -> float:
    # RFC 9110 §12.4.2: up to three decimals. float() alone would take "nan" and "1e9".
    text = parameter.removeprefix("q=")
    if not parameter:
        return 1.0
    return min(float(text), 1.0) if len(text) <= 5 and text.replace(".", "", 1).isdecimal() and text.isascii() else 0.0


def _look_up(tag: str) -> str | None:
    """RFC 4647 §3.4: shorten the tag from its end until it names a catalogue."""
    known = {name.lower(): name for name in available_locales()}
    wanted = tag.lower() if len(tag) <= _MAXIMUM_TAG else ""
    while wanted:
        if wanted in known:
            return known[wanted]
        wanted = wanted.rpartition("-")[0]
    return None


@cache
def _read_catalogue(file: Path) -> gettext.NullTranslations:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with file.open("rb") as source:
        write_mo(compiled, read_po(source, charset="utf-8"))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
