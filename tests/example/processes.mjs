// Starts and ends the two servers, each with a directory and a port of its own.

import { execFile, spawn } from "node:child_process";
import { createServer } from "node:net";
import { promisify } from "node:util";

const run = promisify(execFile);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Every process this test started and has not seen end. */
const alive = new Set();

/** A port of localhost that nobody listens on now. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** What a process needs of the environment; a developer's own settings stay outside. */
function environment(own) {
  const { PATH, HOME, TMPDIR } = process.env;
  return { PATH, HOME, ...(TMPDIR && { TMPDIR }), ...own };
}

/**
 * Starts `command` and resolves when `url` answers 200, within 30 s.
 * Returns `{ name, log(), stop() }`; `stop()` resolves to the exit code.
 */
export async function start({ name, command, args = [], cwd, env, url }) {
  const child = spawn(command, args, { cwd, env: environment(env), stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (log += data));
  const ended = new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(code ?? signal));
  });
  alive.add(child);
  ended.then(() => alive.delete(child));
  let gone = false;
  ended.then(() => (gone = true));
  const stop = async () => {
    child.kill("SIGTERM");
    const killer = setTimeout(() => child.kill("SIGKILL"), 25_000);
    const code = await ended;
    clearTimeout(killer);
    return code;
  };
  const server = { name, log: () => log, stop };
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await pause(100)) {
    if (gone) throw new Error(`${name} ended at start (${await ended}):\n${log}`);
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => null);
    await response?.arrayBuffer();
    if (response?.ok) return server;
  }
  await stop();
  throw new Error(`${name} did not answer ${url} within 30 s:\n${log}`);
}

/** Runs a Node script to its end, within 30 s. */
export async function script(file, args, { cwd, env }) {
  await run(process.execPath, [file, ...args], { cwd, env: environment(env), timeout: 30_000 });
}

/** The last way out: ends what is still there, without waiting. */
export function killAll() {
  for (const child of alive) child.kill("SIGKILL");
}
