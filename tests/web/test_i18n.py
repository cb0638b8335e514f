"""Which language a page is in, whatever the headers say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.web.i18n import available_locales, choose_locale, direction, translations
from identity.web.user_agents import device_name


@pytest.mark.parametrize(
    ("ui_locales", "cookie", "accept_language", "expected"),
    [
        (None, None, None, "en"),
        ("de", None, None, "de"),
        ("de-AT", None, None, "de"),
        ("DE-Latn-1996", None, None, "de"),
        ("fr de en", None, None, "de"),
        ("en de", None, None, "en"),
        ("fr", "de", "en", "de"),
        (None, "xx", "de", "de"),
        (None, None, "de;q=0.5, en;q=0.8", "en"),
        (None, None, "fr, de;q=0.7, *;q=0.1", "de"),
        (None, None, "de;q=0", "en"),
        (None, None, "de;q=nan", "en"),
        (None, None, "de;q=-1", "en"),
        (None, None, "de;level=1", "en"),
        (None, None, "de;q=", "en"),
        (None, None, "de;q=1.000", "de"),
        (None, None, "de;q=²", "en"),
        (None, None, ", ,;;=,de", "de"),
        ("../../../etc/passwd", "de/../..", "\0", "en"),
        ("deutsch", None, None, "en"),
        ("-de", None, None, "en"),
    ],
)
@pytest.mark.spec("OpenID Connect Core", "3.1.2.1")
def test_choose_locale(ui_locales: str | None, cookie: str | None, accept_language: str | None, expected: str) -> None:
    assert choose_locale(ui_locales, cookie, accept_language) == expected


def test_a_header_is_read_only_so_far() -> None:
    assert choose_locale(None, None, "fr," * 19 + "de") == "de"
    assert choose_locale(None, None, "fr," * 20 + "de") == "en"
    assert choose_locale("x" * 100_000 + " de", None, "x;" * 100_000) == "en"
    assert choose_locale("de" + "-a" * 40, None, None) == "en"


@given(
    st.none() | st.text(max_size=600),
    st.none() | st.text(max_size=60),
    st.none() | st.text("de-,;q=.019 *", max_size=600),
)
def test_any_header_gives_a_language_we_have(ui_locales: str | None, cookie: str | None, accepted: str | None) -> None:
    assert choose_locale(ui_locales, cookie, accepted) in available_locales()


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en", "ltr"),
        ("ar", "rtl"),
        ("he-IL", "rtl"),
        ("ar-Latn", "ltr"),
        ("pa-Arab-PK", "rtl"),
        ("az", "ltr"),
        ("", "ltr"),
    ],
)
def test_direction(locale: str, expected: str) -> None:
    assert direction(locale) == expected


def test_a_catalogue_translates_and_english_is_the_source() -> None:
    assert translations("de").gettext("Sign out") == "Abmelden"
    assert translations("en").gettext("Sign out") == "Sign out"
    assert translations("tlh").gettext("Sign out") == "Sign out"
    assert translations("../de").gettext("Sign out") == "Sign out"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox, Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141 Safari/537.36 Edg/141",
            "Edge, Windows",
        ),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/141 Mobile Safari/537.36", "Chrome, Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari, iPhone"),
        ("curl/8.5.0", "curl"),
        ("", ""),
        ("<script>alert(1)</script>", ""),
    ],
)
def test_device_name(user_agent: str, name: str) -> None:
    assert device_name(user_agent) == name
