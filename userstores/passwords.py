"""Password hashing: argon2id in a bounded lane of threads, so that a flood of logins delays nobody else.

A stored hash names its scheme: `{argon2id}$argon2id$v=19$…`, `{bcrypt}$2y$…`. Nothing is ever guessed from the look of
a hash. Ours are argon2id with m=19456 KiB, t=2, p=1 (OWASP's first choice); other schemes are imported ones, verified
by `imported_hashes` and replaced by ours at the first good login.
"""

import asyncio
import base64
import os
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from argon2 import PasswordHasher

T = TypeVar("T")

SCHEME = "argon2id"
PASSWORD_LIMIT = 1024
"""Bytes of UTF-8. Hashing takes time in proportion to the length before the fixed cost begins."""
LANE_NICE = 10
SALT_BYTES, HASH_BYTES = 16, 32


class PasswordRefused(Exception):
    """A password that is not hashed nor sent anywhere; the text may be shown to the person who typed it."""


class LaneFull(Exception):
    """More hashes wait than allowed: answer 503 with Retry-After."""


@dataclass(frozen=True, slots=True)
class Argon2Cost:
    """RFC 9106 §3.1: memory in KiB, passes, lanes."""

    memory: int = 19456
    time: int = 2
    parallelism: int = 1


@dataclass(frozen=True, slots=True)
class Verification:
    """`outdated`: the hash was right but is not what we would make today; hash again and store."""

    matches: bool
    outdated: bool = False


def check_password(password: str) -> None:
    """Raises PasswordRefused for what no store may see: empty, over 1024 bytes, NUL, not encodable."""
    if not password:
        raise PasswordRefused("The password is empty.")
    if len(password) > PASSWORD_LIMIT:
        raise PasswordRefused(f"The password is longer than {PASSWORD_LIMIT} bytes.")
    if "\0" in password:
        raise PasswordRefused("The password contains a NUL character.")
    try:
        encoded = password.encode()
    except UnicodeEncodeError:
        raise PasswordRefused("The password contains a character that is none.") from None
    if len(encoded) > PASSWORD_LIMIT:
        raise PasswordRefused(f"The password is longer than {PASSWORD_LIMIT} bytes.")


class PasswordLane:
    """`threads` hash at once at nice 10, `queue_limit` more may wait. One lane serves all stores of a process."""

    def __init__(self, threads: int = 2, queue_limit: int = 64, cost: Argon2Cost | None = None) -> None:
        self._cost = cost or Argon2Cost()
        self._capacity = threads + queue_limit
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads, "password", _be_nice)
        self._pending = 0
        self._lock = threading.Lock()
        self._hasher: PasswordHasher | None = None
        self._dummy = _impossible_hash(self._cost)

    @property
    def waiting(self) -> int:
        """Hashes that no thread has begun: a gauge for metrics."""
        return max(0, self._pending - self._threads)

    async def hash(self, password: str) -> str:
        """The stored form of a new password. Raises PasswordRefused, LaneFull."""
        check_password(password)
        return await self._run(lambda: f"{{{SCHEME}}}{self._argon2().hash(_prepared(password))}")

    async def verify(self, stored: str, password: str) -> Verification:
        """Compare; a malformed, unknown or too costly hash matches nothing. Raises PasswordRefused, LaneFull."""
        check_password(password)
        scheme, value = split_scheme(stored)
        if scheme == SCHEME:
            return await self._run(lambda: self._verify_argon2(value, password))
        return await self._run(lambda: _verify_imported(scheme, value, password))

    async def verify_dummy(self, password: str) -> None:
        """Cost exactly one verification: for names that nobody has. Raises PasswordRefused, LaneFull."""
        check_password(password)
        await self._run(lambda: self._verify_argon2(self._dummy, password))

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        with self._lock:
            if self._pending >= self._capacity:
                raise LaneFull(f"{self._pending} password hashes are under way")
            self._pending += 1
        try:
            future = self._executor.submit(work)
        except RuntimeError:
            self._ended(None)
            raise
        # Counted down when the thread is done, not when the caller is: a cancelled caller's hash still burns CPU.
        future.add_done_callback(self._ended)
        return await asyncio.wrap_future(future)

    def _ended(self, _: Future[T] | None) -> None:
        with self._lock:
            self._pending -= 1

    def _argon2(self) -> "PasswordHasher":
        if self._hasher is None:
            from argon2 import PasswordHasher, Type

            cost = self._cost
            self._hasher = PasswordHasher(
                cost.time, cost.memory, cost.parallelism, hash_len=HASH_BYTES, salt_len=SALT_BYTES, type=Type.ID
            )
        return self._hasher

    def _verify_argon2(self, value: str, password: str) -> Verification:
        from argon2.exceptions import InvalidHashError, VerificationError

        from userstores.imported_hashes import argon2_cost_is_bearable

        hasher = self._argon2()
        if not argon2_cost_is_bearable(value):
            return Verification(False)
        try:
            hasher.verify(value, _prepared(password))
        except (VerificationError, InvalidHashError):
            return Verification(False)
        return Verification(True, outdated=hasher.check_needs_rehash(value))


def split_scheme(stored: str) -> tuple[str, str]:
    """`{scheme}hash` as (scheme, hash); ("", stored) when no scheme is named, which verifies nothing."""
    if not stored.startswith("{"):
        return "", stored
    scheme, _, value = stored[1:].partition("}")
    return scheme, value


def check_stored(stored: str) -> None:
    """Raises ValueError for a hash that could never verify: unnamed or unknown scheme, bad form, unbearable cost."""
    from userstores.imported_hashes import check_usable

    scheme, value = split_scheme(stored)
    check_usable("argon2" if scheme == SCHEME else scheme, value)


def _prepared(password: str) -> bytes:
    """RFC 8265 §4.2.2: the same password typed on two systems must be the same bytes, so NFC."""
    return unicodedata.normalize("NFC", password).encode()


def _verify_imported(scheme: str, value: str, password: str) -> Verification:
    from userstores.imported_hashes import matches

    good = matches(scheme, value, password)
    return Verification(good, outdated=good)


def _impossible_hash(cost: Argon2Cost) -> str:
    """A well-formed hash of no known password."""
    salt, digest = (base64.b64encode(os.urandom(n)).decode().rstrip("=") for n in (SALT_BYTES, HASH_BYTES))
    return f"$argon2id$v=19$m={cost.memory},t={cost.time},p={cost.parallelism}${salt}${digest}"


def _be_nice() -> None:
    # Linux gives each thread its own nice value, so that the event loop's thread always goes first.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LANE_NICE)
