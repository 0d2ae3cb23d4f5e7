// Compiles and runs the client of docs/frontend.md against the server's document.
//
//   node run.mjs <openapi.json> [path of the creatorvault binary]
//
// Types come from the document by openapi-typescript, the code from the page's blocks that start with
// "// lib/…". With the binary, the tokens of docs/authentication.md are judged by it too.
// Exits 0 when all is well, 1 when something is not, 2 when it was called wrongly.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const build = here("build");
const [document, binary] = process.argv.slice(2);

if (!document || !existsSync(document) || (binary && !existsSync(binary))) {
  console.error("usage: node run.mjs <openapi.json> [path of the creatorvault binary]");
  process.exit(2);
}
if (!existsSync(here("node_modules"))) {
  console.error("Run `npm ci` here first.");
  process.exit(2);
}

/** The page's code blocks by the file name in their first line. */
async function blocks(page) {
  const text = await readFile(here(`../../docs/${page}`), "utf8");
  const found = {};
  for (const [, code] of text.matchAll(/^```(?:ts|js)\n(.*?)^```$/gms)) {
    const name = code.match(/^\/\/ (\S+\.(?:ts|mjs))\n/)?.[1];
    if (name) found[name] = code;
  }
  return found;
}

/** Runs a tool of node_modules; its complaints become the error. */
async function tool(file, ...args) {
  await run(process.execPath, [here(`node_modules/${file}`), ...args], { cwd: build, timeout: 120_000 }).catch((error) => {
    throw new Error(`${file}:\n${error.stdout}${error.stderr}`);
  });
}

async function step(name, work) {
  const began = performance.now();
  await work();
  console.log(`ok ${String(Math.round(performance.now() - began)).padStart(6)} ms  ${name}`);
}

async function main() {
  await rm(build, { recursive: true, force: true });
  await mkdir(join(build, "lib"), { recursive: true });
  await writeFile(join(build, "package.json"), '{ "type": "module" }\n');

  await step("types from the document", () =>
    tool("openapi-typescript/bin/cli.js", resolve(document), "--default-non-nullable", "false", "-o", "lib/schema.d.ts"),
  );
  await step("code from docs/frontend.md", async () => {
    const found = await blocks("frontend.md");
    for (const name of ["lib/api.ts", "lib/afternoon.ts"]) {
      if (!found[name]) throw new Error(`docs/frontend.md has no block that starts with "// ${name}"`);
      await writeFile(join(build, name), found[name]);
    }
    await copyFile(here("misuse.ts"), join(build, "lib/misuse.ts"));
  });
  await step("tsc --strict, right use and misuse", () =>
    tool(
      "typescript/bin/tsc",
      ...["--strict", "--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--types", "node"],
      ...["--module", "preserve", "--moduleResolution", "bundler", "--outDir", "out"],
      ...["lib/api.ts", "lib/afternoon.ts", "lib/misuse.ts"],
    ),
  );
  const { check } = await import("./behaviour.mjs");
  await check(pathToFileURL(join(build, "out/api.js")).href, step);

  const { judge } = await import("./tokens.mjs");
  await judge(await blocks("authentication.md"), join(build, "tokens"), binary && resolve(binary), step);
  console.log("All steps passed.");
}

try {
  await main();
} catch (error) {
  console.error(`FAILED: ${error.stack}`);
  process.exitCode = 1;
}
