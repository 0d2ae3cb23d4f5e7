// Runs the compiled client against a fake fetch, a fake clock and fake timers.

import assert from "node:assert/strict";

const API = "http://localhost:8000";
const START = 1_800_000_000_000;

let now = START;
let waits = [];
let calls = [];
let minted = 0;
let answers = [];
let mint = () => respond(200, { token: newToken() });

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token of 15 minutes. The name makes base64url differ from base64, and is not ASCII. */
function newToken() {
  minted += 1;
  return `${base64url({ alg: "EdDSA" })}.${base64url({ sub: "u", name: "Zoë ÿÿþ>>>???", n: minted, exp: now / 1000 + 900 })}.sig`;
}

function respond(status, body, headers = {}) {
  return new Response(status === 204 ? null : JSON.stringify(body), { status, headers });
}

async function fakeFetch(url, init = {}) {
  if (url === "/api/auth/token") return mint();
  const body = init.body === undefined ? undefined : JSON.parse(init.body);
  calls.push({ url, method: init.method, token: init.headers.Authorization.replace("Bearer ", ""), body });
  assert.ok(answers.length > 0, `one call too many: ${init.method} ${url}`);
  return answers.shift();
}

/** A fresh client, as a newly loaded page has it. */
async function load(href, ...queued) {
  now = START;
  waits = [];
  calls = [];
  minted = 0;
  answers = queued;
  mint = () => respond(200, { token: newToken() });
  return import(`${href}?${Math.random()}`);
}

const task = { id: "0190", title: "x" };
const tokens = () => new Set(calls.map(({ token }) => token)).size;

const CASES = {
  "one token serves many calls": async (href) => {
    const { api } = await load(href, respond(200, { items: [] }), respond(201, task));
    await api("get", "/api/v1/tasks", { query: { search: "a b&c", limit: 20 } });
    assert.deepEqual(await api("post", "/api/v1/tasks", { body: { title: "x" } }), task);
    assert.equal(minted, 1);
    assert.equal(calls[0].url, `${API}/api/v1/tasks?search=a+b%26c&limit=20`);
    assert.deepEqual([calls[0].method, calls[0].body], ["GET", undefined]);
    assert.deepEqual([calls[1].method, calls[1].body], ["POST", { title: "x" }]);
  },
  "a token is kept until half a minute before exp": async (href) => {
    const { api } = await load(href, ...[1, 2, 3].map(() => respond(200, {})));
    await api("get", "/api/v1/users/me");
    now = START + 869_000;
    await api("get", "/api/v1/users/me");
    assert.equal(minted, 1);
    now = START + 871_000;
    await api("get", "/api/v1/users/me");
    assert.equal(minted, 2);
    assert.equal(tokens(), 2);
  },
  "a 401 is answered with one new token and one more try": async (href) => {
    const { api } = await load(href, respond(401, {}), respond(200, task), respond(200, task));
    assert.deepEqual(await api("get", "/api/v1/tasks/{id}", { id: "a/b" }), task);
    await api("get", "/api/v1/tasks/{id}", { id: "2" });
    assert.equal(minted, 2);
    assert.equal(calls[0].url, `${API}/api/v1/tasks/a%2Fb`);
    assert.notEqual(calls[0].token, calls[1].token);
    assert.equal(calls[1].token, calls[2].token);
  },
  "a second 401 is an error, not a loop": async (href) => {
    const refusal = () => respond(401, { success: false, error: { code: "UNAUTHORIZED", message: "Invalid token" } });
    const { api, ApiError } = await load(href, refusal(), refusal());
    await assert.rejects(api("get", "/api/v1/tasks"), (error) => {
      assert.ok(error instanceof ApiError);
      assert.deepEqual([error.status, error.message], [401, "Invalid token"]);
      return true;
    });
    assert.equal(calls.length, 2);
  },
  "an ended session is an error with status 401": async (href) => {
    const { api } = await load(href);
    mint = () => respond(401, {});
    await assert.rejects(api("get", "/api/v1/tasks"), { status: 401, message: "Please sign in again" });
    assert.equal(calls.length, 0);
  },
  "204 is undefined": async (href) => {
    const { api } = await load(href, respond(204));
    assert.equal(await api("delete", "/api/v1/ideas/{id}", { id: "1" }), undefined);
    assert.equal(calls[0].method, "DELETE");
  },
  "429 waits as long as Retry-After says, once": async (href) => {
    const busy = () => respond(429, { error: "Too Many Requests", detail: "Slow down" }, { "Retry-After": "7" });
    const { api } = await load(href, busy(), respond(200, task), busy(), busy());
    assert.deepEqual(await api("patch", "/api/tasks/{id}", { id: "1", body: { title: "x" } }), task);
    assert.deepEqual(waits, [7000]);
    assert.deepEqual(calls[1].body, { title: "x" });
    await assert.rejects(api("get", "/api/tasks"), { status: 429, message: "Slow down" });
    assert.deepEqual(waits, [7000, 7000]);
  },
  "a 5xx is an error and never repeated": async (href) => {
    const { api } = await load(href, respond(503, { error: "Service Unavailable", detail: "Later" }));
    await assert.rejects(api("post", "/api/tasks", { body: { title: "x" } }), { status: 503, message: "Later" });
    assert.equal(calls.length, 1);
  },
  "an error page of a proxy is an error like any other": async (href) => {
    const { api } = await load(href, new Response("<html>Bad Gateway</html>", { status: 502 }));
    await assert.rejects(api("get", "/api/tasks"), { status: 502, message: "Status 502" });
  },
  "after forget() nothing of the old user is left": async (href) => {
    const { api, forget } = await load(href, respond(200, {}), respond(200, {}));
    await api("get", "/api/v1/users/me");
    forget();
    await api("get", "/api/v1/users/me");
    assert.equal(tokens(), 2);
  },
};

/** Every case, each with a client of its own. */
export async function check(href, step) {
  const real = { fetch: globalThis.fetch, setTimeout: globalThis.setTimeout, now: Date.now };
  for (const [name, work] of Object.entries(CASES)) {
    await step(name, async () => {
      globalThis.fetch = fakeFetch;
      globalThis.setTimeout = (done, ms) => (waits.push(ms), queueMicrotask(done));
      Date.now = () => now;
      try {
        await work(href);
        assert.equal(answers.length, 0, "every prepared answer was asked for");
      } finally {
        globalThis.fetch = real.fetch;
        globalThis.setTimeout = real.setTimeout;
        Date.now = real.now;
      }
    });
  }
}
