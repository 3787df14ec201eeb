// node layouts.mjs MODULES ours|authors FILE.html...: the part of layouts.py that needs a browser. Nothing is loaded from the network.
import { createRequire } from "module";
import fs from "fs";
import path from "path";

const [modules, whose, ...files] = process.argv.slice(2);
const require = createRequire(path.resolve(modules, "anchor.js"));
const puppeteer = require("puppeteer-core");
const { HtmlValidate } = require("html-validate");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

// What mail asks for and a page would not: tables for layout, styles in elements, attributes that old programs need.
const off = ["no-inline-style", "no-deprecated-attr", "attribute-boolean-style", "doctype-style", "void-style", "no-trailing-whitespace",
  "require-sri", "long-title", "no-raw-characters", "no-conditional-comment", "no-implicit-button-type", "prefer-native-element",
  "no-redundant-role", "tel-non-breaking", "attr-quotes", "attribute-empty-style", "no-implicit-input-type"];
const validator = new HtmlValidate({
  extends: ["html-validate:standard"],
  rules: Object.fromEntries(off.map((rule) => [rule, "off"])),
});
const rules = { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  rules: { region: { enabled: false }, "landmark-one-main": { enabled: false } } };
if (whose === "authors") Object.assign(rules.rules, { "heading-order": { enabled: false }, "target-size": { enabled: false } });

let bad = 0;
let judgements = 0;
const expect = (good, name, why) => {
  judgements += 1;
  if (!good) {
    bad += 1;
    console.log(`${name}: ${why}`);
  }
};

const browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * 127.0.0.1:1"] });
for (const file of files) {
  const name = path.basename(file);
  const html = fs.readFileSync(file, "utf8");
  const report = await validator.validateString(html);
  const messages = report.results.flatMap((result) => result.messages);
  expect(report.valid, name, messages.slice(0, 3).map((m) => `${m.ruleId} at ${m.line}:${m.column}: ${m.message}`).join("; "));
  // What Gmail drops for accounts of others.
  const bare = html.replace(/<style[\s\S]*?<\/style>/g, "");
  for (const [mode, document] of [["styled", html], ["bare", bare]]) {
    for (const scheme of ["light", "dark"]) {
      for (const width of [320, 360, 600, 700, 1200]) {
        const page = await browser.newPage();
        await page.setRequestInterception(true);
        page.on("request", (request) => (request.url() === "about:blank" ? request.continue() : request.abort()));
        await page.setViewport({ width, height: 900 });
        await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
        await page.setContent(document, { waitUntil: "domcontentloaded" });
        const where = `${name}, ${mode}, ${scheme}, ${width} pixels`;
        const over = await page.evaluate(() => globalThis.document.documentElement.scrollWidth - globalThis.innerWidth);
        // A table of many columns is taken apart on phones by what stands in <style>.
        expect(over <= 0 || (mode === "bare" && document.includes("<table class=\"wide\"")), where, `${over} pixels wider than the window`);
        const small = await page.evaluate(() => [...globalThis.document.querySelectorAll("*")].filter((element) =>
          [...element.childNodes].some((child) => child.nodeType === 3 && child.data.trim()) && element.offsetParent
          && parseFloat(getComputedStyle(element).fontSize) < 12).length);
        expect(small === 0, where, `${small} elements of less than 12 pixels`);
        if (width === 600) {
          await page.evaluate(axe);
          const found = await page.evaluate((rules) => globalThis.axe.run(globalThis.document, rules), rules);
          expect(found.violations.length === 0, where, found.violations.map((v) => `${v.id} (${v.impact}), ${v.nodes.length} times`).join("; "));
        }
        await page.close();
      }
    }
  }
}
await browser.close();
console.log(`layouts.mjs: ${files.length} pages, ${judgements} judgements, ${bad} bad`);
process.exit(bad ? 1 : 0);
