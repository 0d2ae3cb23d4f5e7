// The end-to-end test of examples/better-auth: a browser, Better Auth and the server, nothing faked.
//
//   node run.mjs <path of the creatorvault binary>
//
// CHROMIUM names the browser (default /usr/bin/chromium). Exits 0 when all went well, 1 when
// something did not, 2 when it was called wrongly. Takes at most five minutes.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import * as user from "./afternoon.mjs";
import { freePort, killAll, script, start } from "./processes.mjs";

const EXAMPLE = fileURLToPath(new URL("../../examples/better-auth", import.meta.url));
const LIMIT = 300_000;
const ANN = { name: "Ann", email: "ann@example.com", password: "correct horse battery" };
const BOB = { name: "Bob", email: "bob@example.com", password: "staple tail feather" };
const BROWSER_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

if (process.argv.length !== 3) misused("usage: node run.mjs <path of the creatorvault binary>");
const binary = resolve(process.argv[2]);
if (!existsSync(binary)) misused(`${binary} is not there. Build it first.`);
if (!existsSync(join(EXAMPLE, "node_modules"))) misused(`Run \`npm ci\` in ${EXAMPLE} first.`);

function misused(text) {
  console.error(text);
  process.exit(2);
}

/** Starts Better Auth and the server for one algorithm, in directories of their own under `dir`. */
async function world(alg, dir, servers) {
  const [authPort, apiPort] = [await freePort(), await freePort()];
  const page = `http://localhost:${authPort}`;
  const api = `http://localhost:${apiPort}`;
  const data = join(dir, "auth");
  const vault = join(dir, "vault");
  await mkdir(vault);
  const env = { PORT: String(authPort), API_URL: api, JWT_ALG: alg, DATA_DIR: data };
  servers.push(
    await start({ name: "Better Auth", command: process.execPath, args: ["server.mjs"], cwd: EXAMPLE, env, url: page }),
  );
  servers.push(
    await start({
      name: "creatorvault",
      command: binary,
      cwd: vault,
      env: { BETTER_AUTH_URL: page, PORT: String(apiPort), DATABASE_URL: `sqlite://${vault}/vault.db` },
      url: `${api}/health`,
    }),
  );
  const rotate = (...args) => script("rotate.mjs", args, { cwd: EXAMPLE, env });
  return { page, api, rotate };
}

/** The whole afternoon with one algorithm. `step` prints a line for each thing done. */
async function afternoon(alg, { page, api, rotate }, browser, step) {
  const context = await browser.newContext();
  const first = await user.openTab(context, { page, api });
  const { tab } = first;

  await step("sign up", () => user.signUp(tab, ANN));
  await step("add tasks", () => user.addTasks(tab));
  assert.equal(user.lastAlg(first), alg);
  await step("complete a task, and again after a reload", () => user.completeTask(tab));
  await step("edit a task", () => user.editTask(tab));
  await step("search tasks", () => user.searchTasks(tab));
  await step("delete a task", () => user.deleteTask(tab));
  await step("ideas: add, page, edit, search, delete", () => user.ideas(tab));
  await step("light and dark", () => user.colours(tab));
  await step("the API knows e-mail and name from the token", async () => {
    const headers = { Authorization: `Bearer ${first.calls.at(-1).jwt}` };
    const me = await (await fetch(`${api}/api/v1/users/me`, { headers })).json();
    assert.equal(me.email, ANN.email);
    assert.equal(me.name, ANN.name);
  });
  await step("nothing went wrong so far", () => spotless(first));

  await step("key rotation: the first request with the new key succeeds", async () => {
    const before = user.lastKid(first);
    const calls = first.calls.length;
    await rotate();
    await tab.reload();
    await user.seesTasks(tab, 2);
    await user.add(tab, "Tasks", { Title: "After the rotation" });
    assert.notEqual(user.lastKid(first), before, "the token was signed with a new key");
    assert.deepEqual(first.calls.slice(calls).filter(({ status }) => status >= 400), []);
  });
  await step("keys deleted: an old token is renewed once, unseen", async () => {
    const other = await user.openTab(context, { page, api });
    await user.seesTasks(other.tab, 3);
    await rotate("--drop");
    // This tab brings the first token of the new key, and the server drops the old keys.
    await other.tab.reload();
    await user.seesTasks(other.tab, 3);
    spotless(other);
    await other.tab.close();
    // This one still holds a token of a dropped key.
    await user.add(tab, "Tasks", { Title: "With a renewed token" });
    await user.calm(first);
    const refused = first.calls.filter(({ status }) => status >= 400);
    assert.deepEqual(refused.map(({ method, status }) => [method, status]), [["POST", 401]]);
    assert.equal(first.errors.length, 1, `only the browser's own line about the 401: ${first.errors}`);
    assert.match(first.errors.pop(), /401/);
    await user.seesTasks(tab, 4);
  });

  await step("sign out", () => user.signOut(tab));
  await step("somebody else sees nothing of it", async () => {
    await user.signUp(tab, BOB);
    await user.seesTasks(tab, 0);
    await user.add(tab, "Tasks", { Title: "Bob's own" });
    await user.signOut(tab);
  });
  await step("sign in again: all is there", async () => {
    await user.signIn(tab, ANN);
    await user.seesTasks(tab, 4);
    await user.signOut(tab);
  });
  await step("no error in the browser's console", () => spotless(first));
  await context.close();
}

/** Nothing in the console and nothing on the page tells of trouble. */
async function spotless(opened) {
  assert.deepEqual(opened.errors, []);
  await user.calm(opened);
}

/** What the pages of a failed run show, and their end. */
async function tell(browser) {
  for (const context of browser.contexts()) {
    for (const tab of context.pages()) {
      const text = await tab.innerText("body", { timeout: 2000 }).catch((error) => error.message);
      console.error(`a page shows:\n${text.slice(0, 1000)}\n`);
    }
    await context.close();
  }
}

/** One algorithm from start to end. Returns whether it went well. */
async function check(alg, browser) {
  const dir = await mkdtemp(join(tmpdir(), "creatorvault-example-"));
  const servers = [];
  let doing = "start";
  const step = async (name, work) => {
    doing = name;
    const began = performance.now();
    await work();
    console.log(`${alg}: ok ${String(Math.round(performance.now() - began)).padStart(6)} ms  ${name}`);
  };
  let well = false;
  try {
    let made;
    await step("Better Auth and the server start", async () => {
      made = await world(alg, dir, servers);
    });
    await afternoon(alg, made, browser, step);
    await step("no token in any log", () => {
      for (const { name, log } of servers) assert.doesNotMatch(log(), /eyJ[\w-]{8,}\.eyJ/, `${name} logs tokens`);
    });
    well = true;
  } catch (error) {
    console.error(`${alg}: FAILED at "${doing}"\n${error.stack}`);
    await tell(browser);
  }
  for (const server of servers.reverse()) {
    const code = await server.stop();
    if (code !== 0) {
      console.error(`${alg}: FAILED: ${server.name} ended with ${code} on SIGTERM`);
      well = false;
    }
    if (!well) console.error(`${alg}: the end of ${server.name}'s log:\n${server.log().slice(-4000)}`);
  }
  await rm(dir, { recursive: true, force: true });
  return well;
}

const alarm = setTimeout(() => {
  console.error(`FAILED: not done after ${LIMIT / 1000} s`);
  killAll();
  process.exit(1);
}, LIMIT);
process.once("exit", killAll);
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const browser = await chromium.launch({ executablePath, headless: true, args: BROWSER_FLAGS });
const results = [];
for (const alg of ["EdDSA", "RS256"]) results.push(await check(alg, browser));
await browser.close();
clearTimeout(alarm);
const well = results.every(Boolean);
console.log(well ? "All steps passed." : "Something failed, see above.");
process.exitCode = well ? 0 : 1;
