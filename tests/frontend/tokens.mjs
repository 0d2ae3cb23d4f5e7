// Runs the code of docs/authentication.md and lets the server judge the tokens it makes.

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createLocalJWKSet, decodeProtectedHeader, exportJWK, importSPKI, jwtVerify } from "jose";

const USER = { id: "u_1", email: "ann@example.com", name: "Ann" };

/** A key pair as the page makes it. */
function keyPair(dir) {
  const openssl = (...args) => execFileSync("openssl", args, { cwd: dir, stdio: ["ignore", "pipe", "ignore"] });
  openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "private.pem");
  openssl("pkey", "-in", "private.pem", "-pubout", "-out", "public.pem");
  const read = (file) => execFileSync("cat", [file], { cwd: dir, encoding: "utf8" });
  return { privatePem: read("private.pem"), publicPem: read("public.pem") };
}

/** `token check`: the exit code and what it printed. */
function tokenCheck(binary, token, cwd, settings) {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...settings };
  return new Promise((resolve) => {
    const child = execFile(binary, ["token", "check", "-"], { cwd, env, timeout: 20_000 }, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, text: stdout + stderr }),
    );
    child.stdin.on("error", () => {});
    child.stdin.end(token);
  });
}

/** `blocks` are the page's code blocks by name; without a `binary` the tokens are judged by jose alone. */
export async function judge(blocks, dir, binary, step) {
  await mkdir(dir, { recursive: true });
  const load = async (name, variable, value) => {
    const code = blocks[`tokens/${name}`];
    if (!code) throw new Error(`docs/authentication.md has no block that starts with "// tokens/${name}"`);
    await writeFile(join(dir, name), code);
    process.env[variable] = value;
    return import(pathToFileURL(join(dir, name)).href);
  };
  const secret = randomBytes(32).toString("base64");
  const { privatePem, publicPem } = keyPair(dir);
  let hs256;
  let rs256;

  await step("docs/authentication.md: HS256 over BETTER_AUTH_SECRET", async () => {
    hs256 = await (await load("hs256.mjs", "BETTER_AUTH_SECRET", secret)).tokenFor(USER);
    const { payload } = await jwtVerify(hs256, new TextEncoder().encode(secret));
    assert.deepEqual([payload.sub, payload.email, payload.exp - payload.iat], [USER.id, USER.email, 900]);
  });
  await step("docs/authentication.md: RS256 with a PEM", async () => {
    rs256 = await (await load("rs256.mjs", "JWT_PRIVATE_KEY", privatePem)).tokenFor(USER);
    const jwk = await exportJWK(await importSPKI(publicPem, "RS256"));
    const keys = createLocalJWKSet({ keys: [jwk] });
    const expected = { issuer: "https://app.example.com", audience: "creatorvault" };
    assert.equal((await jwtVerify(rs256, keys, expected)).payload.sub, USER.id);
    assert.deepEqual(decodeProtectedHeader(rs256), { alg: "RS256" });
  });
  if (!binary) return console.log("--            no binary given: `token check` was not asked");

  const ours = { JWT_PUBLIC_KEY: publicPem, JWT_ISSUER: "https://app.example.com", JWT_AUDIENCE: "creatorvault" };
  const cases = [
    ["accepts the HS256 token", hs256, { BETTER_AUTH_SECRET: secret }, 0, /Accepted/],
    ["accepts the RS256 token", rs256, ours, 0, /Accepted/],
    ["accepts a PEM in one line", rs256, { ...ours, JWT_PUBLIC_KEY: publicPem.trim().replaceAll("\n", "\\n") }, 0, /Accepted/],
    ["names another secret", hs256, { BETTER_AUTH_SECRET: `${secret} ` }, 1, /bad_signature/],
    ["names the slash", rs256, { ...ours, JWT_ISSUER: "https://app.example.com/" }, 1, /wrong_issuer[^]*trailing slash/],
    ["names the audience", rs256, { ...ours, JWT_AUDIENCE: "other" }, 1, /wrong_audience/],
    ["names the algorithm", rs256, { BETTER_AUTH_SECRET: secret }, 1, /alg_not_allowed/],
    ["knows a session token", "jBTLX13lVYtVR1HfrGajSZDqJrgBiFYe", { BETTER_AUTH_SECRET: secret }, 1, /session_token[^]*GET \/api\/auth\/token/],
  ];
  for (const [name, token, settings, code, says] of cases) {
    await step(`token check ${name}`, async () => {
      const answer = await tokenCheck(binary, token, dir, settings);
      assert.equal(answer.code, code, answer.text);
      assert.match(answer.text, says);
      assert.ok(!answer.text.includes(token), "the token itself is not shown");
    });
  }
}
