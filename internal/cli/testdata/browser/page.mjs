// Drives the live page as a person would: every control, both themes, a phone.
//
//   node page.mjs URL MODULES OUT
//
// URL is a demo's page, MODULES the folder with node_modules, OUT where screenshots go.
// It exits with 1 and says why where something is not as it should be.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const [, , url, modules, out] = process.argv;
const require = createRequire(join(modules, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const patience = 90_000; // under the race detector, on a busy machine

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
const faults = [];
let dying = false; // the operator is: a question under way may fail
let forgetting = false; // a stream is: until its next event there is none to ask for

function check(ok, what) {
  if (!ok) faults.push(what);
  console.log((ok ? "ok   " : "FAIL ") + what);
}

async function open(options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(patience);
  const page = await context.newPage();
  page.on("console", (m) => {
    const expected = dying && /503/.test(m.text()) || forgetting && /404/.test(m.text());
    if (m.type() === "error" && !expected) faults.push("console: " + m.text() + " " + m.location().url);
  });
  page.on("pageerror", (e) => faults.push("page: " + e.message));
  page.on("request", (r) => r.url().startsWith(url) || r.url().startsWith("data:") || faults.push("asks elsewhere: " + r.url()));
  const began = Date.now();
  await page.goto(url);
  await page.locator(".item:not([hidden])").first().waitFor({ state: "attached" });
  console.log(`     first row ${Date.now() - began} ms after the request`);
  return page;
}

// accessible runs axe on the page as it is. It is injected by the driver, past the
// page's own policy.
async function accessible(page, what) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  for (const v of violations) console.log("     " + v.id + ": " + v.nodes.map((n) => n.target.join(" ") + " " + (n.any[0]?.message ?? "")).slice(0, 3).join(" | "));
  check(violations.length === 0, "axe finds nothing: " + what);
}

const text = (page, id) => page.locator("#" + id).innerText();
const until = (page, f, arg) => page.waitForFunction(f, arg, { timeout: patience });

const ask = async (path) => (await fetch(url + "api/v1/" + path)).json();

// settled waits until a question to the API is answered with yes.
async function settled(f) {
  for (const end = Date.now() + patience; Date.now() < end; await new Promise((go) => setTimeout(go, 200))) if (await f()) return;
  throw new Error("not in time: " + f);
}

async function pick(page, name) {
  await page.fill("#q", name);
  await page.locator(`.item:not([hidden]) b`, { hasText: new RegExp("^" + name + "$") }).click();
  await until(page, (n) => document.getElementById("s-name").textContent === n, name);
}

const page = await open({ viewport: { width: 1440, height: 900 }, colorScheme: "light" });

// A stream old enough to raise an alarm, and all there is to see of it.
await until(page, () => Number(/n ([\d,]+)/.exec(document.querySelector(".item:not([hidden]) .name span")?.textContent ?? "")?.[1].replace(",", "")) > 320);
const calm = ["machine-1-6/f13", "machine-1-6/f20", "machine-1-6/f22"];
let busy = calm[0];
await pick(page, busy);
check((await text(page, "count")).startsWith("1 of "), "the search finds one stream");
await until(page, () => document.querySelectorAll("#s-profile dd").length > 5);
check(/[\d,]{5,} × f32|2,432/.test(await text(page, "s-profile")), "the profile says what the state holds");
check(/half of them beyond/.test(await text(page, "memory-text")), "half-lives are told");
check(await page.locator("#value-chart canvas").count() === 1 && await page.locator("#score-chart canvas").count() === 1, "both charts are drawn");
check(/value [\d.-]+, expected/.test(await page.getAttribute("#value-chart", "aria-label")), "the chart is told in words");
const painted = () => page.locator("#value-chart canvas").evaluate((c) => {
  const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
  let n = 0;
  for (let i = 3; i < d.length; i += 4) n += d[i] > 0;
  return n;
});
check(await painted() > 2000, "the value chart is not empty");
for (const [id, values] of [["steps", ["24", "240", "60"]], ["span", ["240", "960", "2048", "480"]]]) {
  for (const v of values) await page.selectOption("#" + id, v);
}
await page.uncheck("#fan");
check(await page.locator("#key-fan").isHidden(), "the forecast can be hidden");
await page.check("#fan");

// Break it, each way, and see a spike found.
const ways = [["level shift", "machine-1-6/f03"], ["drop-out", "machine-1-6/f04"], ["stuck sensor", "machine-1-6/f05"], ...calm.map((name) => ["spike", name])];
for (const [kind, name] of ways) {
  await pick(page, name);
  await page.locator("#kinds button", { hasText: kind }).click();
  await until(page, ([k, n]) => document.querySelector("#breaks li")?.textContent.startsWith(k + " in " + n), [kind, name]);
}
let again = 0;
await settled(async () => {
  const spikes = (await ask("demo")).breaks.filter((b) => calm.includes(b.stream));
  const found = spikes.find((b) => b.found);
  if (found) busy = found.stream;
  if (!found && spikes.every((b) => b.late)) { // among the louder ones a spike may pass for nothing new
    await pick(page, calm[again++ % calm.length]);
    await page.locator("#kinds button", { hasText: "spike" }).click();
    await settled(async () => (await ask("demo")).breaks.some((b) => calm.includes(b.stream) && !b.late));
  }
  return found;
});
check(true, "a spike is found");

// A false alarm, of the stream that now has an incident.
await pick(page, busy);
await until(page, () => !document.getElementById("false-alarm").disabled);
await page.click("#false-alarm");
await until(page, () => document.querySelector("#s-incidents .false"));
check(/false alarm/.test(await text(page, "toast")), "a false alarm is noted");

// A stream of many fields: which of them it was.
await pick(page, "machine-1-2");
await until(page, () => document.querySelectorAll("#fields button").length === 8 && document.querySelectorAll("#shares li").length === 8);
await page.locator("#fields button").nth(3).click();
check(await page.locator("#fields button").nth(3).getAttribute("aria-selected") === "true", "a field can be chosen");
const shares = await page.locator("#shares li .sub").allInnerTexts();
const sum = shares.reduce((s, t) => s + parseInt(t), 0);
check(sum > 90 && sum < 110, "the shares sum to one: " + sum + " %");

// The list.
await page.fill("#q", "no such stream");
await until(page, () => !document.getElementById("empty").hidden);
await page.fill("#q", "");
for (const order of ["incidents", "events", "name", "worst"]) {
  await page.selectOption("#sort", order);
  await until(page, () => document.querySelectorAll(".item:not([hidden])").length > 5);
}
await page.selectOption("#sort", "name");
await until(page, () => document.querySelector(".item:not([hidden]) b").textContent === "machine-1-2");
await page.check("#only");
await page.waitForTimeout(700);
await page.uncheck("#only");
await page.locator("#list").hover();
await page.mouse.wheel(0, 100_000);
await until(page, () => [...document.querySelectorAll(".item:not([hidden])")].some((e) => e.getAttribute("aria-posinset") === e.getAttribute("aria-setsize")));
check(await page.locator(".item").count() < 60, "only what is in sight exists");
await page.mouse.move(5, 5);
await page.selectOption("#sort", "worst");

// The keyboard.
await page.locator("body").press("/");
check(await page.evaluate(() => document.activeElement.id) === "q", "/ goes to the search");
await page.keyboard.press("Escape");
check(await page.evaluate(() => document.activeElement.id) === "list", "Escape goes to the list");
const before = await text(page, "s-name");
await page.keyboard.press("ArrowDown");
await page.keyboard.press("ArrowDown");
await page.keyboard.press("j");
await page.keyboard.press("k");
await until(page, (n) => document.getElementById("s-name").textContent !== n, before);
await page.keyboard.press("n");
await page.keyboard.press("f");
check(await page.isChecked("#fan") === false, "f hides the forecast");
await page.keyboard.press("f");

// Kill -9: the next process goes on, and the twin agrees.
await page.mouse.move(5, 5);
const pid = async () => (await ask("demo")).worker.pid;
const first = await pid();
dying = true;
await page.click("#kill");
await until(page, () => /went on where it was/.test(document.getElementById("kill-text").textContent));
dying = false;
check(await pid() !== first, "another process works");
const twin = async () => (await ask("demo")).twin;
const compared = (await twin()).compared;
await settled(async () => (await twin()).compared > compared + 200);
const after = await twin();
check(after.differ === 0 && after.largest_difference === 0, `the twin agrees: ${after.compared} answers, ${after.differ} differ`);
check(/difference 0\b/.test(await text(page, "twin-text")), "the page says so");

// The pace.
await page.locator("#speeds button", { hasText: "pause" }).click();
await page.locator("#speeds button[aria-pressed=true]", { hasText: "pause" }).waitFor();
await page.locator("#speeds button", { hasText: "10 min/s" }).click();
await page.locator("#speeds button[aria-pressed=true]", { hasText: "10 min/s" }).waitFor();

// Pictures of both themes, and what axe says of them.
await pick(page, "machine-1-2");
await page.fill("#q", "");
await page.evaluate(() => document.activeElement.blur());
await page.mouse.move(5, 5);
await page.waitForTimeout(1500);
await accessible(page, "light");
await page.screenshot({ path: join(out, "page-light.png") });
await page.click("#theme");
await page.waitForTimeout(800);
await accessible(page, "dark");
await page.screenshot({ path: join(out, "page-dark.png") });

// Forget a stream: not without being asked.
await pick(page, "machine-1-6/f02");
await until(page, () => document.querySelectorAll("#s-profile dd").length > 5);
const old = (await ask("streams/machine-1-6%2Ff02")).events;
forgetting = true;
await page.click("#forget");
await accessible(page, "the question");
await page.locator("#ask button", { hasText: "Keep it" }).click();
await page.click("#forget");
await page.click("#ask-yes");
await until(page, () => /begins anew/.test(document.getElementById("toast").textContent));
const seen = (await ask("streams/machine-1-6%2Ff02")).events;
check(seen < old, "a forgotten stream begins anew: " + seen + " events");
await page.context().close();

// A phone.
const phone = await open({ viewport: { width: 390, height: 844 }, colorScheme: "light", isMobile: true, hasTouch: true });
await phone.locator(".item:not([hidden])").first().tap();
await until(phone, () => document.querySelectorAll("#s-profile dd").length > 5);
await phone.waitForTimeout(800);
check(await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than a phone");
await accessible(phone, "phone");
await phone.screenshot({ path: join(out, "page-phone.png") });
await phone.tap("#back");
check(await phone.locator("#list").isVisible(), "back goes to the streams");
await phone.context().close();

await browser.close();
if (faults.length) {
  console.log("\n" + faults.length + " faults:\n" + faults.join("\n"));
  process.exit(1);
}
