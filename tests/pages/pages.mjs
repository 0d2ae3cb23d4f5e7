// Opens `/`, `/docs` and `/redoc` of a server in dev mode in a real browser, under the policy that the server sends,
// and reads what is on them. Exits 1 on a policy violation, a console error, a request to another origin, a failed
// request, or when a page does not show what it should; 2 when misused.
//
//   node pages.mjs BASE_URL CHROMIUM [FOLDER_FOR_SCREENSHOTS]
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [base, executablePath, shots] = process.argv.slice(2);
if (!base || !executablePath) {
  console.error("usage: node pages.mjs BASE_URL CHROMIUM [FOLDER_FOR_SCREENSHOTS]");
  process.exit(2);
}
const origin = new URL(base).origin;
const patience = 60_000;
const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const faults = [];
const profile = await mkdtemp(join(tmpdir(), "pages-"));
const browser = await chromium.launchPersistentContext(profile, { executablePath, args: flags });

/** Opens a path, lets `read` look at it, and notes everything that went wrong meanwhile. */
async function visit(path, name, read, options = {}) {
  const page = await browser.newPage();
  const fault = (text) => faults.push(`${path}: ${text}`);
  page.setDefaultTimeout(patience);
  await page.emulateMedia({ colorScheme: options.dark ? "dark" : "light" });
  page.on("pageerror", (error) => fault(`script error: ${error}`));
  page.on("console", (line) => line.type() === "error" && fault(`console: ${line.text().slice(0, 500)}`));
  page.on("requestfailed", (request) => fault(`failed: ${request.url()} ${request.failure()?.errorText}`));
  page.on("response", (response) => response.status() >= 400 && fault(`${response.status()}: ${response.url()}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && url.origin !== origin) fault(`request to another origin: ${url.href}`);
  });
  // What the browser itself reports as violated, also where nothing reaches the console.
  await page.exposeFunction("violated", (text) => fault(`policy: ${text}`));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      window.violated(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`),
    );
  });
  const expect = (truth, text) => truth || fault(text);
  try {
    const response = await page.goto(origin + path, { waitUntil: "load" });
    const policy = response.headers()["content-security-policy"] ?? "";
    expect(policy.includes("default-src 'self'"), `policy is "${policy}"`);
    expect(!/https?:|\*|unsafe-eval|script-src/.test(policy), `policy is wider than it may be: "${policy}"`);
    await read(page, expect);
    await page.waitForTimeout(500);
  } catch (error) {
    fault(String(error).split("\n").slice(0, 3).join(" "));
  }
  if (shots) {
    const shot = page.screenshot({ path: join(shots, `${name}.png`), fullPage: options.whole ?? false });
    await shot.catch((error) => console.error(`${path}: no screenshot: ${error.message.split("\n")[0]}`));
  }
  await page.close();
}

async function welcome(page, expect) {
  const headings = await page.locator("h1, h2").allInnerTexts();
  for (const heading of ["CreatorVault", "Who you are", "A request to try", "Connect a Better Auth front-end", "Links"]) {
    expect(headings.includes(heading), `no heading "${heading}" among ${JSON.stringify(headings)}`);
  }
  const [curl, token] = [await page.innerText("#curl"), await page.innerText("#token")];
  expect(/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token), "the token is none");
  expect(curl.startsWith("curl ") && curl.includes(token) && curl.includes(origin), `the request is ${curl}`);
  expect((await page.innerText("main")).includes("Bearer ${token}"), "the call to copy names no token");
  expect((await page.getAttribute("html", "lang")) === "en", "no language");
  // Text against ground as WCAG 2 reckons it, so that both colour schemes can be read.
  const contrast = await page.evaluate(() => {
    const light = (colour) => {
      const [r, g, b] = colour.match(/[\d.]+/g).map((part) => part / 255);
      const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
      return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    };
    const ground = light(getComputedStyle(document.body).backgroundColor);
    return [...document.querySelectorAll("h1, p, a, dt, dd")].map((element) => {
      const text = light(getComputedStyle(element).color);
      return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
    });
  });
  // By keyboard: the button is reached with Tab, and its answer is announced.
  await page.focus("#curl >> xpath=..");
  await page.keyboard.press("Tab");
  expect((await page.evaluate(() => document.activeElement?.id)) === "send", "Tab does not reach the button");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.getElementById("says").textContent.includes("201"));
  expect((await page.innerText("#answer")).includes('"title": "My first task"'), "the answer shows no task");
  expect((await page.getAttribute("#answer", "aria-live")) === "polite", "the answer is not announced");
  expect(Math.min(...contrast) >= 4.5, `contrast is only ${Math.min(...contrast).toFixed(1)}`);
}

async function docs(page, expect) {
  await page.waitForSelector(".opblock");
  expect((await page.innerText("h1, h2.title")).includes("CreatorVault"), "the title is missing");
  await page.waitForSelector(".authorize.locked, .authorization__btn .locked");
  const me = page.locator(".opblock-get", { has: page.locator('[data-path="/api/v1/users/me"]') });
  await me.locator(".opblock-summary").click();
  await me.locator(".try-out__btn").click();
  const answered = page.waitForResponse((response) => new URL(response.url()).pathname === "/api/v1/users/me");
  await me.locator("button.execute").click();
  const response = await answered;
  expect(response.status() === 200, `GET /api/v1/users/me answers ${response.status()}`);
  const shown = await me.locator(".live-responses-table .response-col_status").last().innerText();
  expect(shown.trim().startsWith("200"), `Swagger UI shows ${shown.split("\n")[0]}`);
  // Whatever else it draws is under the same policy: an operation with a body and one with filters, the token's dialog.
  for (const folded of [".opblock-post", ".opblock-get:not(.is-open)"]) {
    const block = page.locator(folded).first();
    const id = await block.getAttribute("id");
    await block.locator(".opblock-summary-control").click();
    await page.waitForSelector(`[id="${id}"] .responses-wrapper`);
  }
  await page.locator(".btn.authorize").click();
  await page.waitForSelector(".dialog-ux .auth-container");
}

async function redoc(page, expect) {
  await page.waitForSelector("#redoc h1");
  const title = await page.innerText("#redoc h1");
  expect(title.includes("CreatorVault"), `the title is "${title}"`);
  const text = await page.innerText("#redoc");
  expect(text.includes("/api/v1/users/me"), "GET /api/v1/users/me is missing");
  // The search runs in a worker, which needs a line of the policy.
  await page.fill('[role="search"] input', "users");
  await page.waitForSelector('[data-role="search:results"] [role="menuitem"]');
}

await visit("/", "welcome-light", welcome, { whole: true });
await visit("/", "welcome-dark", welcome, { dark: true, whole: true });
await visit("/docs", "docs", docs);
await visit("/docs/", "docs-slash", docs);
await visit("/redoc", "redoc", redoc);
await visit("/redoc/", "redoc-slash", redoc);
await browser.close();
await rm(profile, { recursive: true, force: true });

faults.forEach((fault) => console.error(fault));
console.log(faults.length === 0 ? "pages: all well" : `pages: ${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
