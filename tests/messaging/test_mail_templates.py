"""Templates of mail: every one renders in every language, and nothing that a value says becomes more than text."""

import shutil
from pathlib import Path

import pytest

from identity.domain.mail import COMMON_PLACEHOLDERS, MAIL_TEMPLATES, PLACEHOLDERS, REQUIRED
from identity.errors import ConfigurationError
from identity.messaging.mail import build_message
from identity.messaging.mail_templates import MAXIMUM_SUBJECT, BadMail, MailTemplates, template_name
from identity.messaging.smtp import SmtpServer
from identity.resources import data_folder
from tests.messaging.mail_office import TEMPLATES, content

SERVER = SmtpServer(
    host="localhost", port=25, tls="none", sender="id@example.org", sender_address="id@example.org", seconds=1
)


def all_values(template: str) -> dict[str, str]:
    return {name: f"value of {name}" for name in PLACEHOLDERS[template] | COMMON_PLACEHOLDERS}


@pytest.mark.parametrize("locale", ["en", "de"])
@pytest.mark.parametrize("template", MAIL_TEMPLATES)
def test_every_template_in_every_language(template: str, locale: str) -> None:
    assert locale in TEMPLATES.locales(template)
    values = all_values(template)
    rendered = TEMPLATES.render(template, locale, values)
    assert rendered.subject
    for part in (rendered.subject, rendered.text, rendered.html):
        assert "{{" not in part
        assert "}}" not in part
    for name in PLACEHOLDERS[template] - {"subject"}:
        assert values[name] in rendered.text, name
        assert values[name] in rendered.html, name
    assert f'<html lang="{locale}">' in rendered.html
    assert "value of organisation" in rendered.html


@pytest.mark.parametrize("template", MAIL_TEMPLATES)
def test_only_what_is_required_is_enough(template: str) -> None:
    values = dict.fromkeys(REQUIRED.get(template, ()), "x1") | {"organisation": "Org", "application": "App"}
    rendered = TEMPLATES.render(template, "en", values)
    assert "{{" not in rendered.text + rendered.html + rendered.subject
    for line in rendered.text.splitlines():
        assert not line.endswith(": "), "a line without its value is left out"


@pytest.mark.parametrize("template", sorted(REQUIRED))
def test_a_missing_value_is_refused(template: str) -> None:
    for name in REQUIRED[template]:
        with pytest.raises(BadMail, match=name):
            TEMPLATES.render(template, "en", all_values(template) | {name: ""})


def test_wso2s_name_leads_to_the_same() -> None:
    assert template_name("UnseenDeviceLogin") == "new-device"
    values = all_values("new-device")
    assert TEMPLATES.render("UnseenDeviceLogin", "en", values) == TEMPLATES.render("new-device", "en", values)


@pytest.mark.parametrize(("locale", "subject"), [("de-AT", "Test"), ("fr", "Test mail"), ("", "Test mail")])
def test_the_nearest_language(locale: str, subject: str) -> None:
    assert TEMPLATES.render("test", locale, {"organisation": "Org"}).subject.startswith(subject)
    assert ("Org erreichen" in TEMPLATES.render("test", locale, {"organisation": "Org"}).text) is (locale == "de-AT")


def test_attack_markup_in_values() -> None:
    rendered = TEMPLATES.render("new-device", "en", {"name": "<script>alert(1)</script>", "device": '"><img src=x>'})
    assert "<script>" not in rendered.html
    assert "<img" not in rendered.html
    assert "<script>alert(1)</script>" in rendered.text


def test_attack_placeholders_in_values() -> None:
    rendered = TEMPLATES.render(
        "email-otp", "en", {"code": "482913", "username": "{{code}}", "application": "{{code}}"}
    )
    assert rendered.text.count("482913") == 1
    assert "482913" not in rendered.subject


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\u2028", "\x00", "\x0b", "\x85"])
def test_attack_header_injection_by_values(end: str) -> None:
    rendered = TEMPLATES.render("generic", "en", {"subject": f"Hello{end}Bcc: eve@example.org", "body": "text"})
    message = build_message(content(subject=rendered.subject), SERVER, id="1", at=1)
    assert message["Bcc"] is None
    assert message["Subject"] == "Hello Bcc: eve@example.org"
    head = message.as_bytes().partition(b"\r\n\r\n")[0]
    assert not any(line.lower().startswith(b"bcc") for line in head.split(b"\r\n"))


def test_only_a_body_keeps_its_lines() -> None:
    rendered = TEMPLATES.render("generic", "en", {"subject": "S", "body": "one\r\ntwo\n<three>"})
    assert rendered.text == "one\ntwo\n<three>\n"
    assert "one<br>\ntwo<br>\n&lt;three&gt;" in rendered.html
    greeted = TEMPLATES.render("new-device", "en", {"name": "Ada\n\nCall this number"})
    assert "Hello Ada Call this number," in greeted.text


def test_long_values_are_cut() -> None:
    rendered = TEMPLATES.render("generic", "en", {"subject": "s" * 5000, "body": "b" * 50_000})
    assert len(rendered.subject) <= MAXIMUM_SUBJECT
    assert len(rendered.text) < 21_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "mail"
    shutil.copytree(data_folder("themes") / "base" / "mail", copy)
    return copy


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("test.en.txt", "Subject: {{code}}\n\ntext\n"),
        ("test.fr.txt", "Subject: Essai\n\n{{unknown}}\n"),
        ("email-otp.en.html", "<p>{{body}}</p>"),
        ("email-otp.en.html", "<p>{{code</p>"),
        ("email-otp.en.html", "{% if code %}"),
        ("email-otp.en.html", "{{ code }}"),
        ("frame.html", "{{content}} {{code}}"),
        ("test.en.txt", "no subject\n\ntext\n"),
        ("test.en.txt", "Subject: only\n"),
        ("no-such.en.txt", "Subject: S\n\ntext\n"),
    ],
)
def test_a_wrong_template_is_refused_at_the_start(folder: Path, file: str, text: str) -> None:
    (folder / file).write_text(text)
    with pytest.raises(ConfigurationError, match=file.partition(".")[0]):
        MailTemplates(folder)


@pytest.mark.parametrize("file", ["frame.html", "test.en.txt"])
def test_a_missing_template_is_refused_at_the_start(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(ConfigurationError):
        MailTemplates(folder)
