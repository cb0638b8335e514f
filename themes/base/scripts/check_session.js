// The frame of OpenID Connect Session Management 1.0 §3.2. A page of an application sends "client_id session_state";
// the answer is "changed", "unchanged" or "error". Plain old JavaScript with its own SHA-256: crypto.subtle is missing
// in pages of sites without TLS, and the frame is in theirs.
(function () {
  "use strict";

  var cookieName = document.documentElement.getAttribute("data-cookie");
  // FIPS 180-4 §4.2.2, §5.3.3
  var constants = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
  ];
  var initial = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19
  ];

  function rotate(word, bits) {
    return (word >>> bits) | (word << (32 - bits));
  }

  // FIPS 180-4 §6.2.2
  function compress(state, words) {
    var index, a = state[0], b = state[1], c = state[2], d = state[3];
    var e = state[4], f = state[5], g = state[6], h = state[7];
    for (index = 16; index < 64; index += 1) {
      var early = words[index - 15], late = words[index - 2];
      var s0 = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3);
      var s1 = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10);
      words[index] = (words[index - 16] + s0 + words[index - 7] + s1) | 0;
    }
    for (index = 0; index < 64; index += 1) {
      var sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      var first = (h + sum1 + ((e & f) ^ (~e & g)) + constants[index] + words[index]) | 0;
      var sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      var second = (sum0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + first) | 0;
      d = c; c = b; b = a; a = (first + second) | 0;
    }
    var worked = [a, b, c, d, e, f, g, h];
    for (index = 0; index < 8; index += 1) state[index] = (state[index] + worked[index]) | 0;
  }

  // The hash of a text's UTF-8, in hexadecimal digits.
  function sha256(text) {
    var bytes = unescape(encodeURIComponent(text));
    var length = bytes.length;
    var state = initial.slice();
    bytes += String.fromCharCode(128);
    while (bytes.length % 64 !== 56) bytes += String.fromCharCode(0);
    for (var start = 0; start < bytes.length; start += 64) {
      var words = [];
      for (var index = 0; index < 16; index += 1) {
        var at = start + index * 4;
        words.push((bytes.charCodeAt(at) << 24) | (bytes.charCodeAt(at + 1) << 16)
          | (bytes.charCodeAt(at + 2) << 8) | bytes.charCodeAt(at + 3));
      }
      if (start + 56 === bytes.length) {
        words[14] = Math.floor(length / 536870912);
        words[15] = (length << 3) | 0;
      }
      compress(state, words);
    }
    return state.map(function (word) {
      return ("0000000" + (word >>> 0).toString(16)).slice(-8);
    }).join("");
  }

  function browserState() {
    var pairs = document.cookie.split("; ");
    for (var index = 0; index < pairs.length; index += 1) {
      if (pairs[index].indexOf(cookieName + "=") === 0) return pairs[index].slice(cookieName.length + 1);
    }
    return "";
  }

  function answerTo(message, origin) {
    var space = typeof message === "string" ? message.lastIndexOf(" ") : -1;
    var clientId = space > 0 ? message.slice(0, space) : "";
    var parts = space > 0 ? message.slice(space + 1).split(".") : [];
    if (!clientId || parts.length !== 2 || !parts[0] || !parts[1]) return "error";
    var hash = sha256([clientId, origin, browserState(), parts[1]].join(" "));
    return hash === parts[0] ? "unchanged" : "changed";
  }

  window.addEventListener("message", function (event) {
    // §3.2: only the page that holds this frame may ask; its origin is part of what is hashed.
    if (window.parent === window || event.source !== window.parent || event.origin === "null") return;
    var answer = "error";
    try {
      answer = answerTo(event.data, event.origin);
    } catch (unreadable) {
      // Half a character (URIError): no client id has one.
    }
    event.source.postMessage(answer, event.origin);
  });
})();
