"""Attack rows 7, 8 and 9: forged JWTs at every place that takes one. Only the algorithm bound to the key passes."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from identity.administration.keys import ensure_keys
from identity.domain.keys import KEY_ALGORITHMS
from tests.attacks.forging import (
    ALGORITHMS,
    Forge,
    compact,
    ecdsa_signer,
    encode,
    encrypted,
    hmac_signer,
    rsa_signer,
    signer,
)
from tests.attacks.targets import HINT_DOORS, TOKEN_DOORS, Door, Target

pytestmark = [pytest.mark.any_engine, pytest.mark.long]

OWN_RSA = rsa.generate_private_key(65537, 2048)
OWN_EC = ec.generate_private_key(ec.SECP256R1())
ATTACKER_JWK = {"kty": "oct", "k": encode(b"attacker")}

Forgeries = Iterator[tuple[str, str]]


def without_signature(forge: Forge) -> Forgeries:
    for alg in ("none", "None", "NONE", "nOnE", "", "null", "false", "0"):
        for signature in (b"", b"\0", forge.signature):
            header = forge.header | {"alg": alg}
            yield f"alg {alg!r}, {len(signature)} bytes", compact(header, forge.payload, lambda _, s=signature: s)  # type: ignore[misc]
    yield "signature cut off", forge.genuine.rpartition(".")[0] + "."
    yield "no third part", forge.genuine.rpartition(".")[0]


def public_key_as_secret(forge: Forge) -> Forgeries:
    for of in forge.jwks:
        for name, key in forge.public_spellings(of).items():
            for alg in ("HS256", "HS384", "HS512"):
                header = forge.header | {"alg": alg, "kid": forge.jwks[of]["kid"]}
                yield f"{alg} with {of} key as {name}", compact(header, forge.payload, hmac_signer(key, alg))


def guessable_secret(forge: Forge) -> Forgeries:
    for key in (b"", b"\0", b" ", b"secret", b"null", b"None", forge.header["kid"].encode()):
        header = forge.header | {"alg": "HS256"}
        yield f"HS256 with {key!r}", compact(header, forge.payload, hmac_signer(key, "HS256"))


def other_algorithm_of_the_same_key(forge: Forge) -> Forgeries:
    for alg in ("RS384", "RS512", "PS256", "PS384", "PS512"):
        header = forge.header | {"alg": alg, "kid": forge.jwks["RS256"]["kid"]}
        yield alg, compact(header, forge.payload, rsa_signer(forge.stolen["RS256"], alg))
    for alg in ("ES384", "ES512", "ES256K", "EdDSA", "Ed25519"):
        header = forge.header | {"alg": alg, "kid": forge.jwks["ES256"]["kid"]}
        yield alg, compact(header, forge.payload, ecdsa_signer(forge.stolen["ES256"]))
    for alg in ("rs256", "Rs256", "es256", " ES256", "ES256 ", "RS256\n", "RS256,ES256", "ES256\0"):
        yield repr(alg), forge.resigned(alg=alg)


def key_of_another_algorithm(forge: Forge) -> Forgeries:
    rs, es = (forge.jwks[alg]["kid"] for alg in ("RS256", "ES256"))
    sign = {rs: rsa_signer(forge.stolen["RS256"], "RS256"), es: ecdsa_signer(forge.stolen["ES256"])}
    for kid, other, alg in ((rs, es, "RS256"), (es, rs, "ES256"), (rs, es, "ES256"), (es, rs, "RS256")):
        header = forge.header | {"alg": alg, "kid": other}
        yield f"{alg} signed by {kid[:5]}, kid {other[:5]}", compact(header, forge.payload, sign[kid])


def every_key_under_every_other_algorithm(forge: Forge) -> Forgeries:
    """Decision 14: the tenant has a key of each algorithm, for signatures and for encryption; all of them stolen."""
    for algorithm, kid in kids_of_all_keys(forge).items():
        for alg in ALGORITHMS:
            if alg != algorithm:
                token = compact(
                    forge.header | {"alg": alg, "kid": kid}, forge.payload, signer(alg, forge.stolen[algorithm])
                )
                yield f"{alg} with the key for {algorithm}", token


def kids_of_all_keys(forge: Forge) -> dict[str, str]:
    """By algorithm; keys that are missing are made."""
    forge.site.administer(lambda a: ensure_keys(a, forge.site.tenant, KEY_ALGORITHMS))
    found = forge.site.http.get("/oauth2/jwks").json()["keys"]
    return {key.get("alg", "ECDH-ES"): key["kid"] for key in found}


def wrong_alg_or_kid(forge: Forge) -> Forgeries:
    bad: tuple[Any, ...] = (None, 0, 256, True, [], {}, ["RS256"], ["ES256"], [forge.header["kid"]], "")
    for value in bad:
        yield f"alg {value!r}", forge.resigned(alg=value)
        yield f"kid {value!r}", forge.resigned(kid=value)
    own = forge.header["kid"]
    for kid in ("unknown", "../../../dev/null", "' or 1=1 --", "\0", own.upper(), own + " "):
        yield f"kid {kid!r}", forge.resigned(kid=kid)
    for name in ("alg", "kid"):
        yield f"no {name}", forge.resigned({key: value for key, value in forge.header.items() if key != name})


def key_in_the_header(forge: Forge) -> Forgeries:
    public = OWN_RSA.public_key().public_numbers()
    jwk = {"kty": "RSA", "n": encode(public.n.to_bytes(256, "big")), "e": "AQAB", "kid": forge.header["kid"]}
    where = {"jku": "https://attacker.example/jwks", "x5u": "https://attacker.example/x5c"}
    for name, value in {"jwk": jwk, "x5c": ["MIIB"], **where}.items():
        header = forge.header | {"alg": "RS256", name: value}
        yield f"{name} of the attacker", compact(header, forge.payload, rsa_signer(OWN_RSA, "RS256"))
        # A door that meets such a header must not even look at the rest.
        yield f"{name} beside our own signature", forge.resigned(forge.header | {name: value})
    yield (
        "jwk with a secret",
        compact(forge.header | {"alg": "HS256", "jwk": ATTACKER_JWK}, forge.payload, hmac_signer(b"attacker", "HS256")),
    )
    yield "own key under our kid", compact(forge.header | {"alg": "ES256"}, forge.payload, ecdsa_signer(OWN_EC))


def must_be_understood(forge: Forge) -> Forgeries:
    # RFC 7515 §4.1.11; RFC 7797; Authlib CVE-2025-59420.
    for crit in (["exp"], ["x"], [], ["b64"], "b64", None, ["crit"]):
        yield f"crit {crit!r}", forge.resigned(crit=crit, x=1)
    yield "b64 false", forge.resigned(b64=False, crit=["b64"])
    yield "b64 false, not said to be critical", forge.resigned(b64=False)
    yield "zip", forge.resigned(zip="DEF")


def wrong_type(forge: Forge) -> Forgeries:
    other = "JWT" if forge.header["typ"] != "JWT" else "at+jwt"
    bad: tuple[Any, ...] = (
        other, other.lower(), forge.header["typ"].swapcase(), "application/" + forge.header["typ"], "logout+jwt",
        "secevent+jwt", "", None, 1, True, [forge.header["typ"]], {forge.header["typ"]: 1}, [], {},
    )  # fmt: skip
    for value in bad:
        yield f"typ {value!r}", forge.resigned(typ=value)
    yield "no typ", forge.resigned({key: value for key, value in forge.header.items() if key != "typ"})


def wrong_payload(forge: Forge) -> Forgeries:
    payloads: tuple[Any, ...] = ([], "text", 1, True, {}, [forge.payload])
    values: tuple[Any, ...] = (None, 1, {}, True, [1])
    for payload in payloads:
        yield f"payload {str(payload)[:10]!r}", forge.resigned(payload=payload)
    for raw in (b"", b"null", b"{", b'{"a":1}x', b"\xff\xfe{}", b"[" * 9000, b"1" * 5000, b'{"iss":NaN'):
        yield f"payload {raw[:10]!r}", compact(forge.header, raw, forge.own_signer)
    for name in ("iss", "sub", "aud"):
        yield f"no {name}", forge.resigned(payload={key: value for key, value in forge.payload.items() if key != name})
        for value in values:
            yield f"{name} {value!r}", forge.resigned(payload=forge.payload | {name: value})
    twice = json.dumps(forge.payload)[:-1] + ', "sub": "somebody-else"}'
    yield "sub twice", compact(forge.header, twice.encode(), forge.own_signer)
    for issuer in ("https://attacker.example", forge.payload["iss"] + "/", forge.payload["iss"].upper(), ""):
        yield f"iss {issuer!r}", forge.resigned(payload=forge.payload | {"iss": issuer})


def header_twice(forge: Forge) -> Forgeries:
    for first, second in (("none", forge.header["alg"]), (forge.header["alg"], "none")):
        text = f'{{"alg":"{first}","alg":"{second}","typ":"{forge.header["typ"]}","kid":"{forge.header["kid"]}"}}'
        yield f"alg {first} and {second}", compact(text.encode(), forge.payload, forge.own_signer)
    text = json.dumps(forge.header)
    for raw in (b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 9000, text.encode("utf-16"), text.encode("utf-32")):
        yield f"header {raw[:8]!r}", compact(raw, forge.payload, forge.own_signer)


def damaged_signature(forge: Forge) -> Forgeries:
    message, _, signature = forge.genuine.rpartition(".")
    zero = encode(b"\0" * len(forge.signature))
    for name, damaged in {
        "zeros": zero, "one letter short": signature[:-1], "one letter more": signature + "A",
        "padded": signature + "==", "with a space": signature[:9] + " " + signature[9:],
        "with a line end": signature + "\n",
        "with foreign letters": signature[:9] + "!*" + signature[9:], "with a stop": signature + ".",
        "of another message": encode(forge.own_signer(b"another")), "twice": signature * 2,
        "with other spare bits": signature[:-1] + _next_letter(signature[-1]),
    }.items():  # fmt: skip
        yield f"signature {name}", f"{message}.{damaged}"
    head, payload, _ = forge.genuine.split(".")
    yield "payload exchanged", f"{head}.{encode(json.dumps(forge.payload | {'sub': 'admin'}).encode())}.{signature}"
    yield "header padded", f"{head}=.{payload}.{signature}"
    yield "a part before", f"{head}.{forge.genuine}"
    yield "a space before", f" {head} .{payload}.{signature}"


def _next_letter(letter: str) -> str:
    """What differs from a last letter only in the bits that no byte uses."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(letter) + 1]


def encrypted_or_nested(forge: Forge) -> Forgeries:
    """Keycloak CVE-2026-9793: a JWE hides the rule about signatures. Row 9: work that the message asks for."""
    for header in (
        {"alg": "dir", "enc": "A128GCM"}, {"alg": "RSA-OAEP", "enc": "A128GCM", "cty": "JWT"},
        {"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2**31, "p2s": "AAAA"},
        {"alg": "dir", "enc": "A128GCM", "zip": "DEF"},
    ):  # fmt: skip
        head = encode(json.dumps(header | {"kid": forge.header["kid"]}).encode())
        yield f"JWE {header['alg']}", f"{head}.{encode(b'k')}.{encode(b'i')}.{encode(forge.genuine.encode())}.AAAA"
    kids_of_all_keys(forge)
    box = next(key for key in forge.site.http.get("/oauth2/jwks").json()["keys"] if key.get("alg") == "RSA-OAEP-256")
    unsigned = compact(forge.header | {"alg": "none"}, forge.payload, lambda _: b"")
    for name, inside in (("unsigned", unsigned), ("genuine", forge.genuine), ("claims", json.dumps(forge.payload))):
        header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": box["kid"], "cty": "JWT", "typ": forge.header["typ"]}
        public = forge.stolen["RSA-OAEP-256"].public_key()
        yield f"JWE to our key with something {name}", encrypted(header, inside.encode(), public)
    yield "JWS in a JWS", compact(forge.header | {"cty": "JWT"}, forge.genuine.encode(), forge.own_signer)
    protected, payload, signature = forge.genuine.split(".")
    yield "JSON serialization", json.dumps({"payload": payload, "protected": protected, "signature": signature})
    yield "16 kB and more", forge.resigned(payload=forge.payload | {"padding": "a" * 16_384})


TABLES: tuple[Callable[[Forge], Forgeries], ...] = (
    without_signature, public_key_as_secret, guessable_secret, other_algorithm_of_the_same_key,
    key_of_another_algorithm, every_key_under_every_other_algorithm, wrong_alg_or_kid, key_in_the_header,
    must_be_understood, wrong_type, wrong_payload, header_twice, damaged_signature, encrypted_or_nested,
)  # fmt: skip

DOORS: dict[str, Door] = HINT_DOORS | TOKEN_DOORS


def forge_for(target: Target, door: str) -> Forge:
    return Forge(target.site, target.id_token if door in HINT_DOORS else target.access_token)


@pytest.mark.parametrize("door", [name for name in DOORS if name != "revoke"])
def test_the_genuine_token_is_believed(target: Target, door: str) -> None:
    forge = forge_for(target, door)
    assert DOORS[door](target, forge.genuine)
    assert DOORS[door](target, forge.resigned())


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
@pytest.mark.spec("RFC 8725", "3.1")
def test_no_forgery_is_believed(target: Target, door: str, table: Callable[[Forge], Forgeries]) -> None:
    forge = forge_for(target, door)
    rows = list(table(forge))
    assert rows
    assert [name for name, token in rows if DOORS[door](target, token)] == []
