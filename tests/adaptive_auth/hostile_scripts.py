"""Scripts that try to hang, crash, flood or leave the sandbox, each with how it must end.

`fuel`, `memory`, `stack`, `answer`: by that limit. `raised`: evaluating it throws. `answered`: it does no harm.
"""

HANGING = {
    "endless loop": ("while (true) {}", "fuel"),
    "endless for in a function": ("(function () { for (;;) ; })()", "fuel"),
    "finally that loops": ("for (;;) { try { throw 1 } catch (e) {} finally { continue } }", "fuel"),
    "catch of everything": ("for (;;) { try { null.x } catch (e) { } }", "fuel"),
    "catastrophic regular expression": ("/^(a+)+$/.test('a'.repeat(40) + '!')", "fuel"),
    "catastrophic alternation": ("/^(a|a|b?)*$/.test('a'.repeat(60) + 'c')", "fuel"),
    "microtasks without end": ("(function again() { Promise.resolve().then(again) })()", "fuel"),
    "waiting for a thread": ("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)", "raised"),
    "comparator that never ends": ("[3, 2, 1].sort(() => { for (;;) ; })", "fuel"),
    "sort of what changes": ("let a = []; for (let i = 0; i < 1e5; i++) a[i] = i; for (;;) a.sort(() => -1)", "fuel"),
    "join of a sparse array": ("let a = []; a.length = 4e9; a.join('')", "fuel"),
    "getter that loops when the error is read": (
        "let e = new Error('x'); Object.defineProperty(e, 'stack', { get() { for (;;) ; } }); throw e", "fuel"),
    "toString that loops when the error is read": ("throw { toString() { for (;;) ; } }", "fuel"),
    "includes in a huge length": ("Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1)", "fuel"),
    "reverse of a huge length": ("Array.prototype.reverse.call({ length: 2 ** 53 - 1 })", "fuel"),
    "iterator without end": ("[...{ *[Symbol.iterator]() { for (;;) yield 1 } }]", "fuel"),
}  # fmt: skip

FILLING = {
    "repeat": ("'x'.repeat(1e9)", "memory"),
    "doubling string": ("let s = 'x'; for (;;) s += s", "raised"),
    "doubling string that is read": ("let s = 'xy'; for (;;) s = (s + s).split('').join('')", "fuel"),
    "huge arrays": ("let a = []; for (;;) a.push(new Array(1e5).fill(1))", "fuel"),
    "fill": ("new Array(4e8).fill(1)", "memory"),
    "typed arrays": ("let a = []; for (;;) a.push(new Uint8Array(1e6))", "memory"),
    "one huge buffer": ("new ArrayBuffer(3e9)", "raised"),
    "squaring": ("let n = 3n; for (;;) n *= n", "fuel"),
    "power": ("2n ** (2n ** 30n)", "raised"),
    "replace that blows up": ("let s = 'x'; for (let i = 0; i < 40; i++) s = s.replace(/x/g, '$`$`x$&x')", "fuel"),
    "padding": ("'x'.padEnd(2 ** 29, 'abc').split('')", "memory"),
    "map without end": ("let m = new Map(); for (let i = 0; ; i++) m.set(i, i)", "fuel"),
    "properties without end": ("let o = {}; for (let i = 0; ; i++) o['k' + i] = i", "fuel"),
    "bind chain": ("let f = () => 1; for (let i = 0; i < 1e6; i++) f = f.bind(null); f()", "memory"),
}  # fmt: skip

DEEP = {
    "recursion": ("(function f() { f() + 1 })()", "raised"),
    "caught recursion": ("(function f() { try { f() } catch (e) { f() } })()", "fuel"),
    "nested JSON": ("JSON.parse('['.repeat(200000))", "stack"),
    "nested JSON to text": ("let a = []; for (let i = 0; i < 2e5; i++) a = [a]; JSON.stringify(a)", "fuel"),
    "parser bomb of brackets": ("eval('('.repeat(100000))", "stack"),
    "parser bomb of functions": ("eval('(function(){'.repeat(50000))", "stack"),
    "nested regular expression": ("new RegExp('('.repeat(100000))", "raised"),
    "getters in a row": ("let o = { get x() { return this.x } }; o.x", "raised"),
}

ESCAPING = {
    "constructor of the constructor": (
        "let G = (() => 1).constructor.constructor('return this')(); if (G !== globalThis || G.process || G.std)"
        " throw 1; fail({ names: Object.getOwnPropertyNames(G).length })", "answered"),
    "halt hunted through the constructor": (
        "let F = Log.info.constructor; if (F('return typeof __halt + typeof __log + typeof __compile')() !=="
        " 'undefined'.repeat(3)) throw 1; fail()", "answered"),
    "entry points of the prelude": ("__begin('{}'); __main(); __next()", "raised"),
    "modules": ("import('os').then((m) => m.exec('id'), () => fail({ refused: true }))", "answered"),
    "import statement": ("import * as std from 'std'", "raised"),
    "polluted prototypes": (
        "Object.prototype.status = 'done'; Object.prototype.toJSON = () => 'evil'; fail()", "answered"),
    "polluted arrays": ("Array.prototype.toJSON = () => 'evil'; Array.prototype.push = () => 0; fail()", "answered"),
    "replaced globals": (
        "JSON.stringify = () => '{}'; String = Object = Promise = undefined; globalThis.JSON = 1; fail()", "answered"),
    "callers": ("fail({ caller: typeof (function f() { return f.caller })() })", "answered"),
    "stack traces prepared": (
        "Error.prepareStackTrace = (e, frames) => { for (;;) ; }; null.x", "raised"),
    "stack traces of unbounded depth": ("Error.stackTraceLimit = 1e9; (function f() { f() })()", "raised"),
    "shared memory between runs": ("if (globalThis.seen) throw 1; globalThis.seen = 1; fail()", "answered"),
}  # fmt: skip

STRANGE = {
    "traps of a proxy": ("let p = new Proxy({}, { get: (t, k, r) => r[k] }); p.x", "raised"),
    "proxy that grows its own keys": (
        "let n = 0; Object.keys(new Proxy({}, { ownKeys: () => { for (;;) n++ } }))", "fuel"),
    "proxy around a proxy": ("let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); p.x", "fuel"),
    "generator that never yields": ("[...(function* () { for (;;) ; })()]", "fuel"),
    "generator that refuses to return": (
        "function* g() { for (;;) { try { yield 1 } finally { continue } } } for (let x of g()) break;"
        " for (;;) for (let x of g()) break", "fuel"),
    "species": (
        "class A extends Array { static get [Symbol.species]() { return function () { return { length: 2 ** 53 - 1 }"
        " } } } new A(1, 2, 3).map((x) => x)", "answered"),
    "async iterator without end": (
        "(async () => { for await (let x of { [Symbol.asyncIterator]: () => ({ next: async () => ({ value: 1 }) }) }) ;"
        " })()", "fuel"),
    "deep chain of promises": ("let p = Promise.resolve(); for (;;) p = p.then(() => p)", "fuel"),
    "promise of itself": ("let t = { then(f) { f(t) } }; Promise.resolve(t)", "fuel"),
    "tagged template": ("let f = (s) => f; for (;;) f`a${f}b`", "fuel"),
    "text of a huge number": ("let n = 7n ** 2000000n; n.toString(3)", "fuel"),
    "labels out of finally": (
        "out: for (;;) { in_: for (;;) { try { break in_ } finally { continue out } } }", "fuel"),
    "sticky expression": ("let r = /(?:)/y; for (;;) { r.lastIndex = 0; r.test('') }", "fuel"),
    "weak references": ("new FinalizationRegistry(() => { for (;;) ; }).register({}); new WeakRef({})", "raised"),
    "flood of log lines": ("for (;;) Log.info('x'.repeat(1000))", "fuel"),
    "long log line": ("Log.info('é'.repeat(1e5)); fail()", "answered"),
    "flood of an answer": ("sendError(null, { x: 'x'.repeat(3e5) })", "answer"),
    "answer without an end": ("let o = {}; o.toJSON = () => [o, o]; fail(o)", "fuel"),
    "resized while read": (
        "let b = new ArrayBuffer(8, { maxByteLength: 1e6 }), a = new Uint32Array(b);"
        " a.sort(() => { b.resize(0); b.resize(1e6); return 1 }); fail()", "answered"),
    "array that shrinks under map": (
        "let a = new Array(1e4).fill(1); a.map((x, i) => { a.length = 0; return i }); fail()", "answered"),
    "transferred while used": (
        "let b = new ArrayBuffer(64), a = new Uint8Array(b); a.fill({ valueOf() { b.transfer(0); return 1 } }); fail()",
        "raised"),
    "date parser": ("for (let i = 0; ; i++) Date.parse('1'.repeat(1e4) + i)", "fuel"),
    "normalising": ("'\\u0344'.repeat(1e6).normalize('NFKD').normalize('NFC')", "fuel"),
    "with and unscopables": (
        "with (new Proxy({}, { has: () => true, get: () => undefined })) { executeStep(1) }", "raised"),
}  # fmt: skip

HOSTILE = {
    name: (f"{script}\nfunction onLoginRequest() {{}}", ending)
    for name, (script, ending) in (HANGING | FILLING | DEEP | ESCAPING | STRANGE).items()
}
