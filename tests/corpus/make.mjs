// Writes tokens.json anew, with new keys: tokens that have to be accepted, and every kind that has to be refused, each
// with the reason. Needs nothing but Node: node tests/corpus/make.mjs > tests/corpus/tokens.json

import { constants, createHash, createHmac, generateKeyPairSync, privateEncrypt, sign } from "node:crypto";

const NOW = 1_800_000_000;
const SECRET = "q7Zr0gq0n3b8mXcQ1d2pT9vB4kL6sW5yE8uA0iO2fGh=";
const ISSUER = "https://app.example.com";
const CLAIMS = { sub: "ann", iss: ISSUER, aud: ISSUER, iat: NOW, exp: NOW + 900 };

const b64 = (bytes) => Buffer.from(bytes).toString("base64url");
const json = (value) => b64(JSON.stringify(value));
const without = (object, ...names) =>
  Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));

const pair = (type, options) => generateKeyPairSync(type, options);
const curve = (namedCurve) => pair("ec", { namedCurve });
const rsa = (modulusLength, publicExponent = 65537) => pair("rsa", { modulusLength, publicExponent });
const P1363 = { dsaEncoding: "ieee-p1363" };
const PSS = (saltLength) => ({ padding: constants.RSA_PKCS1_PSS_PADDING, saltLength });

// How each algorithm signs, and with which key.
const SIGNERS = {
  EdDSA: [null, pair("ed25519"), {}],
  ES256: ["sha256", curve("P-256"), P1363],
  ES384: ["sha384", curve("P-384"), P1363],
  ES512: ["sha512", curve("P-521"), P1363],
  RS256: ["sha256", rsa(2048), {}],
  RS512: ["sha512", rsa(3072), {}],
  PS256: ["sha256", rsa(2048), PSS(32)],
  PS384: ["sha384", rsa(2048), PSS(48)],
};
const publicJwk = (key) => key.publicKey.export({ format: "jwk" });
const keys = Object.entries(SIGNERS).map(([alg, [, key]]) => ({ ...publicJwk(key), kid: alg, alg }));

const bytesOf = (alg, message) => {
  const [hash, key, options] = SIGNERS[alg];
  return sign(hash, Buffer.from(message), { key: key.privateKey, ...options });
};
const message = (header, payload) =>
  `${typeof header === "string" ? b64(header) : json(header)}.${typeof payload === "string" ? b64(payload) : json(payload)}`;
const hmac = (secret, text, hash = "sha256") => createHmac(hash, secret).update(text).digest();
const hs256 = (payload = CLAIMS, header = { alg: "HS256" }, secret = SECRET) => {
  const text = message(header, payload);
  return `${text}.${b64(hmac(secret, text))}`;
};
const signed = (alg, payload = CLAIMS, header = { alg, kid: alg }) => {
  const text = message(header, payload);
  return `${text}.${b64(bytesOf(alg, text))}`;
};

const tokens = [];
const add = (verdict, about, token) => tokens.push({ about, verdict, token });

// Accepted, so that the refusals below mean something.
add("ok", "HS256", hs256());
for (const alg of Object.keys(SIGNERS)) add("ok", alg, signed(alg));
add("ok", "EdDSA by its name of RFC 9864", signed("EdDSA", CLAIMS, { alg: "Ed25519", kid: "EdDSA" }));
add("ok", "no kid", signed("EdDSA", CLAIMS, { alg: "EdDSA" }));
add("ok", "typ JWT", signed("ES256", CLAIMS, { alg: "ES256", kid: "ES256", typ: "JWT" }));
add("ok", "typ at+jwt in capitals", signed("ES256", CLAIMS, { alg: "ES256", kid: "ES256", typ: "AT+JWT" }));
add("ok", "several audiences", signed("EdDSA", { ...CLAIMS, aud: ["other", ISSUER] }));
add("ok", "expired 29 seconds ago", signed("EdDSA", { ...CLAIMS, exp: NOW - 29 }));
const ring = { jwk: publicJwk(SIGNERS.EdDSA[1]), jku: "https://evil.test/jwks", x5u: "https://evil.test/x5u", x5c: ["AA=="] };
add("ok", "a key in the header is not looked at", signed("EdDSA", CLAIMS, { ...ring, alg: "EdDSA", kid: "EdDSA" }));

// Form.
const good = hs256();
const [head, body, tail] = good.split(".");
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const twin = (text) => text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1)) ^ 1];
for (const [about, token] of [
  ["two parts", `${head}.${body}`],
  ["four parts", `${good}.${tail}`],
  ["five parts", `${head}.${body}.${tail}.${tail}.${tail}`],
  ["no signature", `${head}.${body}.`],
  ["no payload", `${head}..${tail}`],
  ["no header", `.${body}.${tail}`],
  ["padding", `${good}=`],
  ["padding in the payload", `${head}.${body}=.${tail}`],
  ["unused bits set in the signature", `${head}.${body}.${twin(tail)}`],
  ["the standard alphabet", `${head}.${body}.${tail.slice(0, -1)}+`],
  ["a blank", `${head}.${body}. ${tail}`],
]) {
  add("malformed_token", about, token);
}
const edge = Buffer.alloc(1);
const unused = `${head}.${twin(b64(edge))}.${b64(hmac(SECRET, `${head}.${twin(b64(edge))}`))}`;
add("malformed_token", "unused bits set in the payload, and signed so", unused);
add("malformed_token", "alg none without a signature", `${message({ alg: "none" }, CLAIMS)}.`);
add("session_token", "a session token", "abcdefghijklmnopqrstuvwxyz012345");
add("session_token", "a signed session token", `abcdefghijklmnopqrstuvwxyz012345.${hmac(SECRET, "x").toString("base64")}`);

// Header.
for (const [about, header] of [
  ["an array", "[]"],
  ["a string", '"HS256"'],
  ["no JSON", "{alg:HS256}"],
  ["alg twice", '{"alg":"none","alg":"HS256"}'],
  ["alg twice, once in escapes", '{"alg":"HS256","\\u0061lg":"HS256"}'],
  ["no alg", "{}"],
  ["alg of another type", '{"alg":["HS256"]}'],
  ["kid of another type", '{"alg":"HS256","kid":1}'],
  ["typ of another type", '{"alg":"HS256","typ":null}'],
  ["a byte order mark", '\ufeff{"alg":"HS256"}'],
]) {
  add("malformed_header", `header: ${about}`, hs256(CLAIMS, header));
}
for (const [name, value] of [
  ["crit", ["exp"]],
  ["crit", []],
  ["crit", ["b64"]],
  ["b64", false],
  ["b64", true],
  ["zip", "DEF"],
  ["enc", "A128GCM"],
  ["cty", "JWT"],
]) {
  const header = { alg: "EdDSA", kid: "EdDSA", [name]: value };
  add("forbidden_header", `header: ${name} ${JSON.stringify(value)}`, signed("EdDSA", CLAIMS, header));
}
for (const typ of ["", "JWE", "logout+jwt", "id+jwt", "dpop+jwt", "better-auth.session-cache+jwt"]) {
  add("wrong_type", `typ ${typ}`, signed("EdDSA", CLAIMS, { alg: "EdDSA", kid: "EdDSA", typ }));
}

// Algorithms.
for (const alg of ["none", "None", "NONE", "", "hs256", "HS384", "HS512", "eddsa", "ES256K", "ES521", "RSA1_5", "dir"]) {
  add("alg_not_allowed", `alg ${alg}`, hs256(CLAIMS, { alg }));
}
for (const [about, secret] of [
  ["another secret", "another secret of thirty-two bytes"],
  ["the empty secret", ""],
  ["the secret without its last byte", SECRET.slice(0, -1)],
  ["the secret as base64", Buffer.from(SECRET, "base64")],
]) {
  add("bad_signature", `HS256: ${about}`, hs256(CLAIMS, { alg: "HS256" }, secret));
}
for (const alg of Object.keys(SIGNERS)) {
  const key = SIGNERS[alg][1].publicKey;
  const pem = key.export({ type: "spki", format: "pem" });
  const jwk = key.export({ format: "jwk" });
  for (const [about, secret] of [
    ["PEM", pem],
    ["PEM without its last line break", pem.trim()],
    ["DER", key.export({ type: "spki", format: "der" })],
    ["base64 of DER", pem.replace(/-----.*-----|\n/g, "")],
    ["JWK", JSON.stringify(jwk)],
    ["coordinate", jwk.x ?? jwk.n],
    ["bytes of the coordinate", Buffer.from(jwk.x ?? jwk.n, "base64url")],
    ...(jwk.n ? [["PKCS#1", key.export({ type: "pkcs1", format: "pem" })]] : []),
  ]) {
    add("bad_signature", `HS256 over the public key for ${alg}: ${about}`, hs256(CLAIMS, { alg: "HS256", kid: alg }, secret));
  }
}
const oct = { kty: "oct", kid: "oct", alg: "HS256", k: b64("a published secret, which is none at all") };
add("bad_signature", "HS256 over a symmetric key of the set", hs256(CLAIMS, { alg: "HS256", kid: "oct" }, Buffer.from(oct.k, "base64url")));

// One key, one algorithm.
for (const [alg, other] of [
  ["EdDSA", "ES256"],
  ["ES256", "ES384"],
  ["ES256", "ES512"],
  ["ES256", "EdDSA"],
  ["ES384", "ES256"],
  ["ES512", "ES256"],
  ["RS256", "RS384"],
  ["RS256", "PS256"],
  ["RS512", "RS256"],
  ["PS256", "RS256"],
  ["PS256", "PS512"],
]) {
  add("unknown_kid", `signed as ${alg}, said to be ${other}`, signed(alg, CLAIMS, { alg: other, kid: alg }));
}
add("unknown_kid", "a kid that is not there", signed("EdDSA", CLAIMS, { alg: "EdDSA", kid: "other" }));
add("unknown_kid", "a kid in another case", signed("EdDSA", CLAIMS, { alg: "EdDSA", kid: "eddsa" }));
// Keys that no verifier may take, and tokens that they signed.
const idle = { enc: curve("P-256"), ops: curve("P-256"), other: curve("P-256"), small: rsa(1024) };
const dropped = {
  enc: { ...publicJwk(idle.enc), use: "enc" },
  ops: { ...publicJwk(idle.ops), key_ops: ["sign"] },
  other: { ...publicJwk(idle.other), alg: "ES384" },
  small: publicJwk(idle.small),
  off: { ...publicJwk(curve("P-256")), y: publicJwk(curve("P-256")).y },
  mixed: { ...publicJwk(curve("P-256")), crv: "P-384" },
  x25519: publicJwk(pair("x25519")),
};
for (const [kid, { privateKey }] of Object.entries(idle)) {
  const text = message({ alg: kid === "small" ? "RS256" : "ES256", kid }, CLAIMS);
  const signature = sign("sha256", Buffer.from(text), { key: privateKey, ...P1363 });
  add("unknown_kid", `a key of the set that is not for this: ${kid}`, `${text}.${b64(signature)}`);
}

// Curves.
const P256_N = Buffer.from("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", "hex");
for (const [alg, half] of [
  ["ES256", 32],
  ["ES384", 48],
  ["ES512", 66],
]) {
  const text = message({ alg, kid: alg }, CLAIMS);
  const genuine = bytesOf(alg, text);
  const [r, s] = [genuine.subarray(0, half), genuine.subarray(half)];
  const zero = Buffer.alloc(half);
  const one = Buffer.concat([Buffer.alloc(half - 1), Buffer.from([1])]);
  const [hash, key] = SIGNERS[alg];
  for (const [about, bytes] of [
    ["r and s of 0", Buffer.concat([zero, zero])],
    ["r of 0", Buffer.concat([zero, s])],
    ["s of 0", Buffer.concat([r, zero])],
    ["r of 0, s of 1", Buffer.concat([zero, one])],
    ["r and s of 1", Buffer.concat([one, one])],
    ["r and s as large as can be", Buffer.alloc(2 * half, 0xff)],
    ["r and s changed about", Buffer.concat([s, r])],
    ["a zero before each half", Buffer.concat([Buffer.alloc(1), r, Buffer.alloc(1), s])],
    ["a zero at the end", Buffer.concat([genuine, Buffer.alloc(1)])],
    ["one byte less", genuine.subarray(1)],
    ["one byte", Buffer.alloc(1)],
    ["DER", sign(hash, Buffer.from(text), key.privateKey)],
    ["another message's", bytesOf(alg, "another message")],
    ...(alg === "ES256" ? [["r of n", Buffer.concat([P256_N, s])], ["s of n", Buffer.concat([r, P256_N])]] : []),
  ]) {
    add("bad_signature", `${alg}: ${about}`, `${text}.${b64(bytes)}`);
  }
}
const edText = message({ alg: "EdDSA", kid: "EdDSA" }, CLAIMS);
const ed = bytesOf("EdDSA", edText);
// s + L is the same number for a verifier that does not look at its size (RFC 8032 section 5.1.7).
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const little = (bytes) => BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
const grown = Buffer.from((little(ed.subarray(32)) + L).toString(16).padStart(64, "0"), "hex").reverse();
for (const [about, bytes] of [
  ["all zero", Buffer.alloc(64)],
  ["all one", Buffer.alloc(64, 0xff)],
  ["the neutral point and 0", Buffer.concat([Buffer.from([1]), Buffer.alloc(63)])],
  ["s grown by the group's order", Buffer.concat([ed.subarray(0, 32), grown])],
  ["one byte less", ed.subarray(0, 63)],
  ["one byte more", Buffer.concat([ed, Buffer.alloc(1)])],
  ["another message's", bytesOf("EdDSA", "another message")],
]) {
  add("bad_signature", `EdDSA: ${about}`, `${edText}.${b64(bytes)}`);
}

// RSA paddings (RFC 8017 section 9.2), made with the private key so that only the padding is wrong.
const rsText = message({ alg: "RS256", kid: "RS256" }, CLAIMS);
const rsKey = { key: SIGNERS.RS256[1].privateKey, padding: constants.RSA_NO_PADDING };
const digest = (text, hash = "sha256") => createHash(hash).update(text).digest();
const hashOf = digest(rsText);
const info = Buffer.from("3031300d060960864801650304020105000420", "hex");
const block = (start, fill, end) => Buffer.concat([start, Buffer.alloc(256 - start.length - end.length, fill), end]);
const usual = Buffer.from([0, 1]);
const ending = (...parts) => Buffer.concat([Buffer.alloc(1), ...parts]);
const raw = (bytes) => b64(privateEncrypt(rsKey, bytes));
add("ok", "RS256: the padding made by hand", `${rsText}.${raw(block(usual, 0xff, ending(info, hashOf)))}`);
for (const [about, bytes] of [
  ["filled with zeros", block(usual, 0, ending(info, hashOf))],
  ["filled with 0xfe", block(usual, 0xfe, ending(info, hashOf))],
  ["block type 0", block(Buffer.from([0, 0]), 0xff, ending(info, hashOf))],
  ["block type 2", block(Buffer.from([0, 2]), 0xff, ending(info, hashOf))],
  ["garbage after the hash", Buffer.concat([usual, Buffer.alloc(8, 0xff), ending(info, hashOf), Buffer.alloc(194)])],
  ["no zero after the filling", block(usual, 0xff, Buffer.concat([info, hashOf]))],
  ["no digest info", block(usual, 0xff, ending(hashOf))],
  ["digest info without NULL", block(usual, 0xff, ending(Buffer.from("302f300b0609608648016503040201", "hex"), Buffer.from("0420", "hex"), hashOf))],
  ["digest info of SHA-1", block(usual, 0xff, ending(Buffer.from("3021300906052b0e03021a05000414", "hex"), digest(rsText, "sha1")))],
  ["digest info of SHA-512", block(usual, 0xff, ending(Buffer.from("3051300d060960864801650304020305000440", "hex"), digest(rsText, "sha512")))],
  ["a long form of a length", block(usual, 0xff, ending(Buffer.from("308131300d060960864801650304020105000420", "hex"), hashOf))],
  ["garbage in the parameters", block(usual, 0xff, ending(Buffer.from("3035301106096086480165030402010504deadbeef0420", "hex"), hashOf))],
  ["another hash", block(usual, 0xff, ending(info, digest("another message")))],
  ["the padding of encryption", block(Buffer.from([0, 2]), 0x55, ending(info, hashOf))],
]) {
  add("bad_signature", `RS256: ${about}`, `${rsText}.${raw(bytes)}`);
}
for (const [about, bytes] of [
  ["0", Buffer.alloc(256)],
  ["1", Buffer.concat([Buffer.alloc(255), Buffer.from([1])])],
  ["as large as can be", Buffer.alloc(256, 0xff)],
  ["one byte less", bytesOf("RS256", rsText).subarray(1)],
  ["a zero before it", Buffer.concat([Buffer.alloc(1), bytesOf("RS256", rsText)])],
  ["a PSS signature", sign("sha256", Buffer.from(rsText), { key: SIGNERS.RS256[1].privateKey, ...PSS(32) })],
  ["another key's", sign("sha256", Buffer.from(rsText), rsa(2048).privateKey)],
]) {
  add("bad_signature", `RS256: ${about}`, `${rsText}.${b64(bytes)}`);
}
const psText = message({ alg: "PS256", kid: "PS256" }, CLAIMS);
const psKey = SIGNERS.PS256[1].privateKey;
for (const [about, options] of [
  ["no salt", PSS(0)],
  ["a salt of 20 bytes", PSS(20)],
  ["the longest salt", PSS(constants.RSA_PSS_SALTLEN_MAX_SIGN)],
  ["the padding of PKCS#1 v1.5", {}],
]) {
  add("bad_signature", `PS256: ${about}`, `${psText}.${b64(sign("sha256", Buffer.from(psText), { key: psKey, ...options }))}`);
}
add("bad_signature", "PS256: another hash", `${psText}.${b64(sign("sha384", Buffer.from(psText), { key: psKey, ...PSS(32) }))}`);

// A changed payload, and keys that the token brings along.
const [edHead, , edTail] = signed("EdDSA").split(".");
add("bad_signature", "another payload under the signature", `${edHead}.${json({ ...CLAIMS, sub: "bob" })}.${edTail}`);
const theirs = pair("ed25519");
const brought = message({ alg: "EdDSA", kid: "EdDSA", jwk: publicJwk(theirs), jku: "https://evil.test", x5c: ["AA=="] }, CLAIMS);
add("bad_signature", "a key in the header", `${brought}.${b64(sign(null, Buffer.from(brought), theirs.privateKey))}`);

// Payload and claims, with a key and with the secret.
const both = (verdict, about, payload) => {
  add(verdict, `EdDSA: ${about}`, signed("EdDSA", payload));
  add(verdict, `HS256: ${about}`, hs256(payload));
};
for (const [about, text] of [
  ["an array", "[]"],
  ["a string", '"ann"'],
  ["null", "null"],
  ["no JSON", "sub=ann"],
  ["sub twice", `{"sub":"bob",${JSON.stringify(CLAIMS).slice(1)}`],
  ["exp twice", `{"exp":1,${JSON.stringify(CLAIMS).slice(1)}`],
  ["aud twice", `{"aud":"x",${JSON.stringify(CLAIMS).slice(1)}`],
  ["a name twice, once in escapes", `{"\\u0073ub":"bob",${JSON.stringify(CLAIMS).slice(1)}`],
  ["a number beyond all numbers", `{"x":1e999,${JSON.stringify(CLAIMS).slice(1)}`],
  ["two documents", `${JSON.stringify(CLAIMS)}{}`],
]) {
  both("malformed_payload", `payload: ${about}`, text);
}
both("bad_expiry", "no exp", without(CLAIMS, "exp"));
for (const exp of [null, "1900000000", true, [1900000000], {}]) both("bad_expiry", `exp ${JSON.stringify(exp)}`, { ...CLAIMS, exp });
both("expired", "expired 30 seconds ago", { ...CLAIMS, exp: NOW - 30 });
both("expired", "exp 0", { ...CLAIMS, exp: 0 });
both("not_yet_valid", "valid in 31 seconds", { ...CLAIMS, nbf: NOW + 31 });
for (const nbf of [null, "1", [1]]) both("bad_not_before", `nbf ${JSON.stringify(nbf)}`, { ...CLAIMS, nbf });
both("wrong_issuer", "no iss", without(CLAIMS, "iss"));
for (const iss of ["", `${ISSUER}/`, ISSUER.toUpperCase(), `${ISSUER}.evil.test`, [ISSUER], { x: ISSUER }, null]) {
  both("wrong_issuer", `iss ${JSON.stringify(iss)}`, { ...CLAIMS, iss });
}
both("wrong_audience", "no aud", without(CLAIMS, "aud"));
for (const aud of ["", "client-id", `${ISSUER}/`, [], ["other"], [ISSUER, 1], [[ISSUER]], { x: ISSUER }, 1]) {
  both("wrong_audience", `aud ${JSON.stringify(aud)}`, { ...CLAIMS, aud });
}
both("bound_token", "cnf", { ...CLAIMS, cnf: { jkt: "x" } });
both("no_user_id", "no user id", without(CLAIMS, "sub"));
both("no_user_id", "an e-mail token", { ...without(CLAIMS, "sub"), email: "ann@example.test" });
both("no_user_id", "a cookie's session", { ...without(CLAIMS, "sub"), session: { userId: "ann" }, user: { id: "ann" } });
for (const sub of ["", null, true, 1.5, ["ann"], { id: "ann" }, "a\nb", "a\u0000", "x".repeat(256)]) {
  both("bad_user_id", `sub ${JSON.stringify(sub).slice(0, 20)}`, { ...CLAIMS, sub });
}
both("conflicting_user_ids", "sub and userId differ", { ...CLAIMS, userId: "bob" });
both("conflicting_user_ids", "sub and user_id differ in case", { ...CLAIMS, user_id: "Ann" });

const set = { keys: [...keys, oct, ...Object.entries(dropped).map(([kid, jwk]) => ({ ...jwk, kid })), {}] };
const lines = (list) => list.map((one) => `    ${JSON.stringify(one)}`).join(",\n");
process.stdout.write(`{
  "about": "Made by make.mjs: tokens, and what becomes of them at this time with this secret and this key set.",
  "now": ${NOW},
  "secret": ${JSON.stringify(SECRET)},
  "issuer": ${JSON.stringify(ISSUER)},
  "usable_keys": ${keys.length},
  "keys": [
${lines(set.keys)}
  ],
  "tokens": [
${lines(tokens)}
  ]
}
`);
