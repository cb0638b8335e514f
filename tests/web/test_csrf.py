"""Whose form it is: the origin a browser tells, and the token of the form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.web.csrf import form_token, same_origin, valid_form_token
from identity.web.messages import Headers

BASE = "https://id.example.org"
OURS = (b"origin", b"https://id.example.org")
SAME = (b"sec-fetch-site", b"same-origin")


@pytest.mark.parametrize(
    "headers", [[OURS], [SAME], [OURS, SAME], [(b"origin", b"null"), SAME], [(b"host", b"x"), OURS]]
)
def test_our_own_pages(headers: Headers) -> None:
    assert same_origin(headers, BASE)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"referer", b"https://id.example.org/login")],
        [(b"origin", b"null")],
        [(b"origin", b"")],
        [(b"origin", b"https://evil.example")],
        [(b"origin", b"https://id.example.org.evil.example")],
        [(b"origin", b"http://id.example.org")],
        [(b"origin", b"https://id.example.org:8443")],
        [(b"origin", b"https://id.example.org/")],
        [(b"origin", b"https://ID.example.org")],
        [(b"origin", b"https://evil.example"), SAME],
        [OURS, (b"sec-fetch-site", b"cross-site")],
        [OURS, (b"sec-fetch-site", b"same-site")],
        [(b"sec-fetch-site", b"same-site")],
        [(b"sec-fetch-site", b"none")],
        [(b"sec-fetch-site", b"")],
        [(b"origin", b"null"), (b"sec-fetch-site", b"cross-site")],
        [OURS, OURS],
        [SAME, SAME],
        [OURS, (b"origin", b"https://evil.example")],
        [(b"origin", b"https://evil.example"), OURS],
    ],
)
def test_anybody_elses(headers: Headers) -> None:
    assert not same_origin(headers, BASE)


def test_a_token_is_for_one_cookie_purpose_and_secret() -> None:
    token = form_token(b"k" * 32, "cookie", "flow-1")
    assert valid_form_token(b"k" * 32, "cookie", "flow-1", token)
    assert not valid_form_token(b"j" * 32, "cookie", "flow-1", token)
    assert not valid_form_token(b"k" * 32, "another", "flow-1", token)
    assert not valid_form_token(b"k" * 32, "cookie", "flow-2", token)
    assert not valid_form_token(b"k" * 32, "cookieflow-1", "", token)
    assert not valid_form_token(b"k" * 32, "1cookie", "flow-", token)


def test_there_is_no_token_without_a_cookie() -> None:
    assert not valid_form_token(b"k" * 32, "", "flow-1", form_token(b"k" * 32, "", "flow-1"))


@given(st.text())
def test_any_other_text_is_no_token(text: str) -> None:
    assert not valid_form_token(b"k" * 32, "cookie", "flow-1", text)
