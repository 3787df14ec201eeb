// node preview.mjs MODULES PROGRAM EXAMPLE: opens the page of a real `postrider preview` of a copy of the example site in Chromium, walks it by
// keyboard, judges it by axe-core in light and dark, and changes files under it. MODULES is the node_modules folder that has axe-core and
// puppeteer-core. Nothing leaves this machine. Exit 1 if anything is wrong; the last line has the count.
import { spawn, spawnSync } from "child_process";
import fs from "fs";
import os from "os";
import path from "path";
import { end, expect, tools } from "./judging.mjs";

const [modules, program, example] = process.argv.slice(2);
const { puppeteer, axe } = tools(modules);
const now = "2026-11-26T12:00:00Z";


const folder = fs.mkdtempSync(path.join(os.tmpdir(), "preview-"));
const at = (name) => path.join(folder, name);
for (const name of ["config.toml", "subscribers.csv", "posts"]) fs.cpSync(path.join(example, name), at(name), { recursive: true });
fs.mkdirSync(at("templates/mail"), { recursive: true });
const post = at("posts/2026-11-22-what-the-frost-drew.md");
// A template can hold what a post cannot: it must not run, nor reach the page.
const hostile = "{% extends \"default/mail/base.html.j2\" %}{% block footer %}<p><a href=\"javascript:parent.document.title='reached'\">x</a></p>"
  + "<script>parent.document.title = 'reached'; document.title = 'ran';</script><img src=\"data:,\" onerror=\"parent.document.title = 'reached'\">"
  + "<form action=\"https://example.net/\"><button>Send</button></form>{{ super() }}{% endblock %}\n";

const server = spawn(path.resolve(program), ["preview", "--json", "--listen", "127.0.0.1:0", "--now", now], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
const ended = new Promise((resolve) => server.on("exit", (code) => resolve(code)));
const address = await new Promise((resolve, reject) => {
  let said = "";
  server.stdout.on("data", (piece) => {
    said += piece;
    const match = /"address": "([^"]+)"/.exec(said);
    if (match) resolve(match[1]);
  });
  ended.then((code) => reject(new Error(`it ended with ${code}: ${said}`)));
});

const browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"] });
const page = await browser.newPage();
const asked = new Set();
const said = [];
// Pictures of posts may come from the site, as they do for readers; nothing else, and not for the page itself.
page.on("request", (request) => {
  const own = request.resourceType() !== "image" || request.frame() === page.mainFrame();
  asked.add(own ? new URL(request.url()).origin : "null");
});
page.on("pageerror", (error) => said.push(error.message));
page.on("console", (message) => {
  // What the frames may not do is said there, and is as it should be.
  if (message.type() === "error" && !/Content Security Policy|sandboxed|ERR_NAME_NOT_RESOLVED/.test(message.text())) said.push(message.text());
});
await page.setViewport({ width: 1440, height: 900 });
await page.goto(address, { waitUntil: "load" });

const read = (what, ...values) => page.evaluate(what, ...values);
const text = (selector) => read((selector) => document.querySelector(selector)?.textContent.trim() ?? "", selector);
const shown = (selector) => read((selector) => !!document.querySelector(selector)?.checkVisibility(), selector);
const until = async (what, why, ...values) => {
  let good = true;
  await page.waitForFunction(what, { timeout: 15000, polling: 50 }, ...values).catch(() => { good = false; });
  expect(good, why);
};
const frame = () => read(() => document.getElementById("mail-frame").dataset.path);
const judge = async (where) => {
  await read(axe);
  const found = await read(() => globalThis.axe.run(document, { iframes: false }));
  expect(found.violations.length === 0, `${where}: ${found.violations.map((v) => `${v.id} (${v.impact}): ${v.nodes[0].html.slice(0, 160)}`).join("; ")}`);
};

// By keyboard alone: every part, in both schemes and at both widths.
await page.keyboard.press("Tab");
expect(await read(() => document.activeElement.id) === "tab-mails", "the first stop is the first tab");
const outline = await read(() => getComputedStyle(document.activeElement).outlineStyle);
expect(outline !== "none", "the focus is to be seen");
for (const panel of ["mails", "feeds", "plan", "findings"]) {
  expect(await shown(`#${panel}`), `the tab ${panel} shows its panel`);
  for (const scheme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    for (const width of [1440, 1100, 390]) {
      await page.setViewport({ width, height: 900 });
      await judge(`${panel}, ${scheme}, ${width} pixels`);
      const over = await read(() => document.documentElement.scrollWidth - innerWidth);
      expect(over <= 0, `${panel}, ${width} pixels: ${over} pixels wider than the window`);
    }
    await page.setViewport({ width: 1440, height: 900 });
  }
  await page.keyboard.press("ArrowRight");
}
expect(await shown("#mails"), "after the last tab comes the first");
await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);

// Keys.
const first = await read(() => document.querySelector("[data-mail]").dataset.mail);
for (const [key, width] of [["3", 1024], ["2", 768], ["1", 360]]) {
  await page.keyboard.press(key);
  expect(await read(() => parseFloat(document.getElementById("mail-frame").style.width)) === width, `key ${key}: ${width} pixels`);
}
for (const [key, name] of [["d", "dark"], ["i", "dark-no-pictures"], ["s", "dark-no-pictures-no-style"], ["d", "light-no-pictures-no-style"]]) {
  await page.keyboard.press(key);
  expect(await frame() === `${first}${name}.html`, `key ${key}: ${await frame()}`);
}
await page.keyboard.press("i");
await page.keyboard.press("s");
await page.keyboard.press("j");
expect(await frame() !== `${first}light.html`, "key j: the next mail");
await page.keyboard.press("k");
expect(await frame() === `${first}light.html`, "key k: the one before");
await page.keyboard.press("?");
expect(await shown("#help"), "key ?: help");
await judge("help");
await page.keyboard.press("Escape");
expect(!(await shown("#help")), "Escape closes it");
for (const view of ["text", "source"]) {
  await page.keyboard.press("v");
  expect(await frame() === `${first}${view}.html`, `key v: ${view}`);
  await judge(view);
}
await page.keyboard.press("v");
expect(await shown(".headers"), "key v: headers");
await judge("headers");
await page.keyboard.press("v");
// Keys that are pressed inside the mail are heard, too.
await until(() => document.getElementById("mail-frame").contentDocument?.body?.textContent.includes("Field Notes"), "the mail is shown");
await page.focus("#mail-frame");
await read(() => document.getElementById("mail-frame").contentWindow.focus());
await page.keyboard.press("2");
expect(await read(() => parseFloat(document.getElementById("mail-frame").style.width)) === 768, "a key inside the mail");

// Files change, and the page stays where it was.
await read(() => { const frame = document.getElementById("mail-frame"); frame.contentWindow.scrollTo(0, 200); });
fs.writeFileSync(post, fs.readFileSync(post, "utf8").replace("What the frost drew", "What the thaw took"));
await until(() => document.querySelector(".item .subject").textContent.includes("What the thaw took"), "a new title shows");
await until(() => document.getElementById("mail-frame").contentDocument?.body?.textContent.includes("What the thaw took"), "in the mail, too");
await until(() => document.getElementById("mail-frame").contentWindow.scrollY === 200, "at the place where it was");
expect(await read(() => parseFloat(document.getElementById("mail-frame").style.width)) === 768, "at the width it had");
expect((await text("#status")).startsWith("live, changed at"), "the change is announced");

const config = fs.readFileSync(at("config.toml"), "utf8");
const line = config.split("\n").findIndex((line) => line.startsWith("limit = ")) + 1;
fs.writeFileSync(at("config.toml"), config.replace("\nlimit = ", "\nlimmit = "));
await until((line) => document.querySelector("[role=alert]").textContent.includes(`config.toml:${line}: `), "a broken configuration shows with its line", line);
await judge("a broken configuration");
expect((await text(".item .subject")).includes("What the thaw took"), "what was seen before stays");
fs.writeFileSync(at("config.toml"), config);
await until(() => !document.querySelector("[role=alert]").textContent.trim(), "mended");

const template = at("templates/mail/base.html.j2");
fs.writeFileSync(template, "one\n{% extends \"default/mail/base.html.j2\" %}\n{% block footer %}{{ site.titel }}{% endblock %}\n");
await until(() => document.querySelector("#mails .trouble")?.textContent.includes("mail/base.html.j2, line 3"), "a broken template shows with its line");
await judge("a broken template");
fs.writeFileSync(template, hostile);
await until(() => document.getElementById("mail-frame").contentDocument?.querySelector("form"), "mended, with a hostile footer");
await read(() => document.getElementById("mail-frame").contentDocument.querySelector("a[href^=javascript]").click());
await read(() => document.getElementById("mail-frame").contentDocument.querySelector("form button").click());
await new Promise((resolve) => setTimeout(resolve, 300));
const titles = await read(() => [document.title, document.getElementById("mail-frame").contentDocument?.title]);
expect(!titles.includes("reached") && !titles.includes("ran"), `a script ran: ${titles}`);
expect((await frame()).endsWith("light.html") && (await browser.pages()).length === 2, "neither link nor form leads anywhere");
expect(said.length === 0, `the console says: ${said.join("; ")}`);
expect([...asked].every((origin) => origin === new URL(address).origin || origin === "null"), `asked of others: ${[...asked]}`);
fs.rmSync(template);

server.kill("SIGTERM");
expect(await ended === 0, "SIGTERM ends it with 0");

// The same as files.
const ran = spawnSync(path.resolve(program), ["preview", "--out", "out", "--now", now], { cwd: folder, encoding: "utf8" });
expect(ran.status === 0, ran.stderr);
await page.goto(`file://${at("out/index.html")}`, { waitUntil: "load" });
await judge("files");
expect((await text(".item .subject")).includes("What the thaw took"), "the files show the mail");
for (const [name, width] of [["phone", 360], ["tablet", 768], ["desktop-dark", 1024]]) {
  await page.goto(`file://${at(`out/mails/weekly/1/${name}.html`)}`, { waitUntil: "load" });
  const [wide, high, inside] = await read(() => {
    const frame = document.querySelector("iframe");
    return [frame.clientWidth, frame.clientHeight, frame.contentDocument.documentElement.scrollHeight];
  });
  expect(wide === width && high >= inside && inside > 400, `${name}: ${wide} by ${high} pixels, the mail ${inside}`);
}
await browser.close();
fs.rmSync(folder, { recursive: true });
end("preview");
