"""The cached native code: whatever is odd about it is not loaded, and it is compiled again."""

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from adaptive_auth import module_cache
from adaptive_auth.limits import Limits
from adaptive_auth.module_cache import TAG_BYTES, compiled_guest
from adaptive_auth.sandbox import Sandbox
from tests.adaptive_auth.honest import check_honest_run

pytestmark = pytest.mark.long

KEY = b"key of the installation"
NATIVE = b"stands for native code"


class Compiler:
    """Stands in for the child process and counts."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, limits: Limits) -> bytes:
        self.calls += 1
        return NATIVE


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> Compiler:
    compiler = Compiler()
    monkeypatch.setattr(module_cache, "_compile_in_child", compiler)
    return compiler


@pytest.fixture
def cached(tmp_path: Path, compiler: Compiler) -> Path:
    """The file, after one compilation."""
    folder = tmp_path / "cache"
    assert compiled_guest(Limits(), folder, KEY) == NATIVE
    (file,) = folder.iterdir()
    return file


def test_compiled_once_and_kept_private(cached: Path, compiler: Compiler) -> None:
    assert compiled_guest(Limits(), cached.parent, KEY) == NATIVE
    assert compiler.calls == 1
    assert (cached.stat().st_mode & 0o777, cached.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_another_engine_or_guest_is_another_file(
    cached: Path, compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled_guest(replace(Limits(), heap_bytes=1 << 24), cached.parent, KEY)
    monkeypatch.setattr(module_cache, "version", lambda name: "99")
    compiled_guest(Limits(), cached.parent, KEY)
    monkeypatch.setattr("adaptive_auth.guest.prelude", lambda: "")
    compiled_guest(Limits(), cached.parent, KEY)
    assert len(list(cached.parent.iterdir())) == compiler.calls == 4
    compiled_guest(replace(Limits(), fuel=1), cached.parent, KEY)
    assert compiler.calls == 4, "fuel is not compiled in"


def other_owner(file: Path) -> None:
    if os.geteuid():
        pytest.skip("only root gives files away")
    os.chown(file, 65534, -1)


def linked(file: Path) -> None:
    (file.parent / "elsewhere").write_bytes(file.read_bytes())
    (file.parent / "elsewhere").chmod(0o600)
    file.unlink()
    file.symlink_to("elsewhere")


def retagged(file: Path) -> None:
    """By one who can write the file, and knows everything but the key."""
    code = b"evil"
    file.write_bytes(module_cache._tag(code, file.name, b"") + code)


def made_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def made_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


TAMPERING: dict[str, Callable[[Path], object]] = {
    "readable by others": lambda file: file.chmod(0o604),
    "writable by the group": lambda file: file.chmod(0o620),
    "of another owner": other_owner,
    "another byte": lambda file: file.write_bytes(file.read_bytes()[:-1] + b"!"),
    "another tag": lambda file: file.write_bytes(bytes(TAG_BYTES) + file.read_bytes()[TAG_BYTES:]),
    "tagged without the key": retagged,
    "cut short": lambda file: os.truncate(file, 10),
    "empty": lambda file: os.truncate(file, 0),
    "a symbolic link": linked,
    "a second name for it": lambda file: os.link(file, file.parent / "other"),
    "a folder": made_folder,
    "a pipe": made_pipe,
}


@pytest.mark.parametrize("what", TAMPERING)
@pytest.mark.timeout(30)
def test_cache_that_was_tampered_with_is_compiled_again(what: str, cached: Path, compiler: Compiler) -> None:
    TAMPERING[what](cached)
    assert compiled_guest(Limits(), cached.parent, KEY) == NATIVE
    assert compiler.calls == 2
    if what != "a folder":  # which is not ours to remove
        assert compiled_guest(Limits(), cached.parent, KEY) == NATIVE
        assert compiler.calls == 2, "and it was mended"


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o707])
def test_folder_that_others_may_enter_is_not_used(mode: int, cached: Path, compiler: Compiler) -> None:
    before = cached.read_bytes()
    cached.parent.chmod(mode)
    compiled_guest(Limits(), cached.parent, KEY)
    compiled_guest(Limits(), cached.parent, KEY)
    assert compiler.calls == 3
    assert cached.read_bytes() == before


def test_folder_that_cannot_be_made_costs_only_time(tmp_path: Path, compiler: Compiler) -> None:
    (tmp_path / "file").write_text("")
    assert compiled_guest(Limits(), tmp_path / "file" / "cache", KEY) == NATIVE


def test_file_of_another_engine_cannot_take_its_place(cached: Path, compiler: Compiler) -> None:
    small = replace(Limits(), heap_bytes=1 << 24)
    compiled_guest(small, cached.parent, KEY)
    (other,) = (file for file in cached.parent.iterdir() if file != cached)
    other.write_bytes(cached.read_bytes())
    compiled_guest(small, cached.parent, KEY)
    assert compiler.calls == 3


def test_two_at_once_do_not_break_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(2, timeout=30)

    def compile_together(limits: Limits) -> bytes:
        together.wait()
        return NATIVE

    monkeypatch.setattr(module_cache, "_compile_in_child", compile_together)
    threads = [threading.Thread(target=compiled_guest, args=(Limits(), tmp_path / "cache", KEY)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert compiled_guest(Limits(), tmp_path / "cache", KEY) == NATIVE  # the barrier would break
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_cached_code_that_does_not_load_is_compiled_again(
    guest_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = compiled_guest(Limits(), guest_folder)
    answers = iter([b"not native code at all", real])
    monkeypatch.setattr(module_cache, "_compile_in_child", lambda limits: next(answers))
    sandbox = Sandbox.open(Limits(), tmp_path / "cache", KEY)
    check_honest_run(sandbox)
    sandbox.close()
    check_honest_run(Sandbox.open(Limits(), tmp_path / "cache", KEY))


def test_compiler_sees_none_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_DATABASE_URL", "postgresql://secret")
    assert "IDENTITY_DATABASE_URL" not in module_cache.bare_environment()
