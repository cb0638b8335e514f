"""The theme's files: hashed paths, one stylesheet, and nothing in it that the policy of a page refuses."""

import gzip
import re
import shutil
from pathlib import Path

import pytest

from identity.errors import ConfigurationError
from identity.web.theme import Theme

NAMES = ("theme.css", "mark.svg", "rosette.svg", "form_post.js", "demo_app.js")


@pytest.mark.parametrize("name", NAMES)
def test_an_asset_is_served_under_the_hash_of_its_content(name: str) -> None:
    theme = Theme()
    path = theme.path(name)
    assert re.fullmatch(rf"/static/[0-9a-f]{{12}}/{re.escape(name)}", path)
    asset = theme.find(path)
    assert asset is not None
    assert theme.find(path.removeprefix("/static/")) is asset
    assert gzip.decompress(asset.gzipped) == asset.body
    assert asset.content_type.split(";")[0] in ("text/css", "text/javascript", "image/svg+xml")


@pytest.mark.parametrize(
    "path",
    ["", "/", "/static/", "/static/000000000000/theme.css", "/static/../theme.toml", "theme.css", "\0", "/static"],
)
def test_anything_else_is_not_found(path: str) -> None:
    assert Theme().find(path) is None


def test_the_stylesheet_names_its_drawings_by_hash() -> None:
    theme = Theme()
    asset = theme.find(theme.path("theme.css"))
    assert asset is not None
    urls = set(re.findall(r'url\("?([^")]+)', asset.body.decode()))
    assert urls == {theme.path("mark.svg"), theme.path("rosette.svg")}


def test_the_stylesheet_needs_no_inline_data_and_stays_small() -> None:
    folder = Theme().folder / "css"
    sizes = {file.name: len(file.read_bytes()) for file in folder.glob("*.css")}
    assert sizes["base.css"] + sizes["components.css"] < 22_000
    assert not [file for file in folder.glob("*.css") if "data:" in file.read_text() or "@import" in file.read_text()]


def test_scripts_evaluate_no_text() -> None:
    for file in (Theme().folder / "scripts").glob("*.js"):
        assert not re.search(r"\beval\b|new Function|innerHTML|insertAdjacentHTML|document\.write", file.read_text())


def test_changed_content_changes_the_path(tmp_path: Path) -> None:
    copy = tmp_path / "theme"
    shutil.copytree(Theme().folder, copy)
    (copy / "images" / "mark.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    changed, original = Theme(copy), Theme()
    assert changed.path("mark.svg") != original.path("mark.svg")
    assert changed.path("theme.css") != original.path("theme.css")
    assert changed.path("rosette.svg") == original.path("rosette.svg")


@pytest.mark.parametrize(
    "settings", ["contract = 2", "", "contract = 1", "contract = 'one", 'contract = 1\nstylesheets = ["x.css"]']
)
def test_a_theme_that_cannot_work_is_refused_in_one_line(tmp_path: Path, settings: str) -> None:
    (tmp_path / "theme.toml").write_text(settings)
    with pytest.raises(ConfigurationError) as refusal:
        Theme(tmp_path)
    assert "\n" not in refusal.value.public


def test_a_missing_theme_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        Theme(tmp_path / "nowhere")
