"""Freezing without an engine: the bytes of a module."""

import pytest

from adaptive_auth.freezing import WASM_PAGE, freeze, unsigned

HEAD = b"\0asm\1\0\0\0"


def section(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + unsigned(len(body)) + body


def test_numbers_are_leb128() -> None:
    assert [unsigned(number) for number in (0, 127, 128, 624485)] == [b"\0", b"\x7f", b"\x80\1", b"\xe5\x8e\x26"]


def test_memory_becomes_data_and_the_rest_stays() -> None:
    code = section(10, b"code")
    module = HEAD + section(5, b"\1\1\1\7") + section(12, b"\0") + code + section(11, b"\0")
    memory = bytearray(2 * WASM_PAGE)
    memory[4096] = 5
    frozen = freeze(module, bytes(memory))
    data = b"\1" + b"\0\x41\x80\x20\x0b" + unsigned(4096) + b"\5" + bytes(4095)
    assert frozen == HEAD + section(5, b"\1\1\2\7") + section(12, b"\1") + code + section(11, data)


def test_an_address_with_its_high_bit_set_stays_positive() -> None:
    memory = bytearray(WASM_PAGE)
    memory[8192] = 1
    frozen = freeze(HEAD + section(5, b"\1\0\1") + section(11, b"\0"), bytes(memory))
    assert b"\0\x41\x80\xc0\x00\x0b" in frozen


def test_what_cannot_be_frozen_is_refused() -> None:
    with pytest.raises(ValueError, match="start function"):
        freeze(HEAD + section(8, b"\0"), bytes(WASM_PAGE))
    with pytest.raises(ValueError, match="one memory"):
        freeze(HEAD + section(5, b"\2\0\1\0\1"), bytes(WASM_PAGE))


def test_only_one_global_may_change() -> None:
    constant, changing = b"\x7f\0\x41\x80\x01\x0b", b"\x7f\1\x41\0\x0b"
    rest = section(11, b"\0")
    assert freeze(HEAD + section(6, b"\3" + constant + changing + constant) + rest, bytes(WASM_PAGE))
    with pytest.raises(ValueError, match="mutable globals"):
        freeze(HEAD + section(6, b"\2" + changing + changing) + rest, bytes(WASM_PAGE))
    with pytest.raises(ValueError, match="integers"):
        freeze(HEAD + section(6, b"\1\x7d\1\x43\0\0\0\0\x0b") + rest, bytes(WASM_PAGE))
