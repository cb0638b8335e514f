"""Identifiers: UUIDv7 for rows (they sort by time), random values for whatever a stranger must not guess."""

import os
import secrets
import time


def new_id() -> str:
    """A UUIDv7 as text (RFC 9562 §5.7): 48 bits of milliseconds, 74 random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_secret() -> str:
    """256 random bits, URL-safe: for tokens, codes and cookie values."""
    return secrets.token_urlsafe(32)


def new_trace_id() -> str:
    """128 random bits as 32 hexadecimal digits (W3C Trace Context §3.2.2.3)."""
    return os.urandom(16).hex()


def random_bytes(count: int) -> bytes:
    """For keys and nonces."""
    return os.urandom(count)
