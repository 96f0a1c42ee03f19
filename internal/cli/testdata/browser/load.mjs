// Keeps the page open on many streams and measures what that costs the browser.
//
//   node load.mjs URL MODULES SECONDS
//
// It prints one line of JSON: heap in MiB at the start and the end, the longest time in
// which no update was seen, and the longest task, both in ms.
import { createRequire } from "node:module";
import { join } from "node:path";

const [, , url, modules, seconds] = process.argv;
const { chromium } = createRequire(join(modules, "package.json"))("playwright-core");
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
const faults = [];
page.on("console", (m) => m.type() === "error" && faults.push(m.text()));
page.on("pageerror", (e) => faults.push(e.message));
await page.goto(url);
await page.locator(".item:not([hidden])").first().waitFor();
const tools = await page.context().newCDPSession(page);
await tools.send("HeapProfiler.enable");

async function heap() {
  await tools.send("HeapProfiler.collectGarbage");
  return (await tools.send("Runtime.getHeapUsage")).usedSize / 2 ** 20;
}

// The list moves while it is measured, as under somebody's hand.
const wait = (s) => page.waitForTimeout(s * 1000);
await wait(Math.min(30, seconds / 4));
await page.evaluate(() => {
  window.seen = { at: performance.now(), gap: 0, task: 0 };
  new MutationObserver(() => {
    const now = performance.now();
    window.seen.gap = Math.max(window.seen.gap, now - window.seen.at);
    window.seen.at = now;
  }).observe(document.getElementById("c-events"), { childList: true, characterData: true, subtree: true });
  new PerformanceObserver((list) => list.getEntries().forEach((e) => { window.seen.task = Math.max(window.seen.task, e.duration); })).observe({ type: "longtask" });
});
const before = await heap();
for (let left = seconds; left > 0; left -= 5) {
  await page.evaluate((y) => document.getElementById("list").scrollTo(0, y), (left * 997) % 60_000);
  await wait(Math.min(left, 5));
}
const after = await heap(), seen = await page.evaluate(() => window.seen);
const streams = await page.locator("#count").innerText();
console.log(JSON.stringify({ heap_before_mib: before, heap_after_mib: after, longest_gap_ms: seen.gap, longest_task_ms: seen.task, streams, faults }));
await browser.close();
process.exit(faults.length ? 1 : 0);
