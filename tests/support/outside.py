"""Programs outside Python that some tests need: without them the tests skip, or fail where nothing may be missing."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

REQUIRE = "--require-outside"


def missing(config: pytest.Config, what: str, package: str) -> NoReturn:
    """Skip the test, saying what to install; fail under `--require-outside`, so that CI never skips in silence."""
    reason = f"{what} is missing: apt-get install {package}"
    if config.getoption(REQUIRE):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def find_program(name: str, *folders: Path) -> Path | None:
    """The program in one of `folders`, or else on the path."""
    search = os.pathsep.join([*map(str, folders), os.environ.get("PATH", os.defpath), "/usr/sbin"])
    found = shutil.which(name, path=search)
    return Path(found) if found else None
