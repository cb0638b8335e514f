"""The guest: QuickJS-ng as WebAssembly (`guest.wasm`, made by `make guest`) and what scripts find in it."""

from importlib.resources import files


def wasm() -> bytes:
    return files(__package__).joinpath("guest.wasm").read_bytes()


def prelude() -> str:
    return files(__package__).joinpath("prelude.js").read_text("utf-8")
