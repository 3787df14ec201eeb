// node subscribe.mjs MODULES PROGRAM EXAMPLE: a person subscribes, confirms, chooses, changes their address and leaves at a real `postrider serve` of a
// copy of the example site, in Chromium with scripts off; every page is judged by axe-core in light and dark, and at 320 pixels. The mails are read from
// the outbox. MODULES is the node_modules folder that has axe-core and puppeteer-core. Nothing leaves this machine. Exit 1 if anything is wrong; the last
// line has the count.
import { spawn, spawnSync } from "child_process";
import fs from "fs";
import net from "net";
import os from "os";
import path from "path";
import { end, expect, tools } from "./judging.mjs";

const [modules, program, example] = process.argv.slice(2);
const { puppeteer, axe } = tools(modules);
const now = "2026-11-26T12:00:00Z";
const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const port = await new Promise((resolve) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
const base = `http://127.0.0.1:${port}`;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "subscribe-"));
const at = (name) => path.join(folder, name);
for (const name of ["config.toml", "subscribers.csv", "posts"]) fs.cpSync(path.join(example, name), at(name), { recursive: true });
const config = fs.readFileSync(at("config.toml"), "utf8")
  .replace(/^listen = .*$/m, `listen = "127.0.0.1:${port}"\npublic_url = "${base}"`)
  .replace(/^welcome = false/m, "welcome = true")
  .replace(/^topics = \[\]/m, "topics = [\"birds\", \"water\", \"night\"]")
  .replace("[subscribers]", "[[digest]]\nname = \"posts\"\nschedule = \"each\"\n\n[subscribers]");
fs.writeFileSync(at("config.toml"), config);
const run = (...what) => spawnSync(path.resolve(program), [...what, "--now", now], { cwd: folder, encoding: "utf8" });
const first = run("run");
expect(first.status === 0, first.stderr);

const server = spawn(path.resolve(program), ["serve", "--now", now], { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
const ended = new Promise((resolve) => server.on("exit", (code) => resolve(code)));
await new Promise((resolve, reject) => {
  server.stderr.on("data", (piece) => { if (`${piece}`.includes("listening on")) resolve(); });
  ended.then((code) => reject(new Error(`it ended with ${code}`)));
});

// A mail of the outbox, once it is there, as its reader sees it.
const mail = async (occasion) => {
  for (let tries = 0; tries < 150; tries += 1) {
    const names = fs.existsSync(at(`outbox/${occasion}`)) ? fs.readdirSync(at(`outbox/${occasion}`)).filter((name) => name.endsWith(".eml")) : [];
    if (names.length > 0) {
      const raw = fs.readFileSync(at(`outbox/${occasion}/${names[names.length - 1]}`), "utf8").replace(/\r\n/g, "\n");
      return raw.replace(/=\n/g, "").replace(/=3D/g, "=");
    }
    await wait(200);
  }
  throw new Error(`no mail ${occasion}`);
};
const link = (text, kind) => new RegExp(`${base}/${kind}/[a-z0-9.]+`).exec(text)?.[0] ?? `${base}/no-${kind}`;
const status = (address) => JSON.parse(run("why", address, "--json").stdout).status;

const browser = await puppeteer.launch({ executablePath: "/usr/bin/chromium", headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"] });
const page = await browser.newPage();
const asked = new Set();
page.on("request", (request) => asked.add(new URL(request.url()).origin));
await page.setJavaScriptEnabled(false);
await page.setViewport({ width: 800, height: 900 });

const read = (what, ...values) => page.evaluate(what, ...values);
const title = () => read(() => document.querySelector("h1")?.textContent.trim() ?? "");
// On a page of its own, where scripts run: axe is one.
const looked = await browser.newPage();
const judge = async (where) => {
  await looked.setViewport({ width: 800, height: 900 });
  await looked.setContent(await page.content(), { waitUntil: "load" });
  await looked.evaluate(axe);
  for (const scheme of ["light", "dark"]) {
    await looked.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    const found = await looked.evaluate(() => globalThis.axe.run(document));
    expect(found.violations.length === 0,
      `${where}, ${scheme}: ${found.violations.map((v) => `${v.id} (${v.impact}): ${v.nodes[0].html.slice(0, 160)}`).join("; ")}`);
    expect(found.passes.length > 5, `${where}, ${scheme}: axe looked at nothing`);
  }
  await looked.setViewport({ width: 320, height: 640 });
  const [wide, small] = await looked.evaluate(() => [
    document.documentElement.scrollWidth,
    [...document.querySelectorAll("button, input:not([type=hidden]), select")]
      .filter((e) => !e.closest("[aria-hidden]") && (e.closest(".choice") ?? e).getBoundingClientRect().height < 44).map((e) => e.name || e.textContent),
  ]);
  expect(wide <= 320, `${where}: ${wide} pixels wide at 320`);
  expect(small.length === 0, `${where}: too small to touch: ${small}`);
};
const open = async (url, where, code = 200) => {
  const answer = await page.goto(url, { waitUntil: "load" });
  expect(answer.status() === code, `${where}: ${answer.status()}`);
  expect(!answer.headers()["set-cookie"] && /default-src 'none'/.test(answer.headers()["content-security-policy"] ?? ""), `${where}: headers`);
  await judge(where);
};
// By keyboard: a mouse needs scripts, as puppeteer moves it.
const hit = async (selector, key) => {
  await read((selector) => document.querySelector(selector).focus(), selector);
  await page.keyboard.press(key);
};
const press = async (selector, wanted, where) => {
  await Promise.all([page.waitForNavigation({ waitUntil: "load" }), hit(selector, "Enter")]);
  expect(await title() === wanted, `${where}: "${await title()}", not "${wanted}"`);
  await judge(where);
};

// The form. Nobody types faster than two seconds.
await open(`${base}/`, "form");
await page.type("#email", "ada@example.net");
await hit("input[name=topic][value=birds]", "Space");
await wait(2500);
await press("button", "Look into your mailbox", "asked");
const confirm = await mail("confirm/1");
expect(!/List-Unsubscribe/.test(confirm) && /To: <ada@example.net>/.test(confirm), confirm);
expect(status("ada@example.net") === "pending", "pending before the button");
await open(link(confirm, "confirm"), "confirm page");
expect(status("ada@example.net") === "pending", "a look changes nothing");
await press("button", "You are subscribed", "confirmed");
expect(status("ada@example.net") === "active", "active behind the button");

// Choices.
await Promise.all([page.waitForNavigation({ waitUntil: "load" }), hit("main a[href*=preferences]", "Enter")]);
expect(await title() === "Your subscription", await title());
await judge("preferences");
expect(await read(() => document.querySelector("input[name=topic][value=birds]").checked), "what was chosen on the form is chosen");
await hit("input[name=topic][value=night]", "Space");
await page.select("#language", "de");
await press("button", "Gespeichert", "saved, in German");
const listed = run("subscribers", "export").stdout;
expect(/ada@example.net,[^\n]*de,[^\n]*birds;night/.test(listed), listed);
const welcome = await mail("welcome/1");
expect(/List-Unsubscribe: </.test(welcome) && /editions\//.test(welcome), welcome);

// Another address.
await open(link(welcome, "preferences"), "preferences from the mail");
await page.type("#new_address", "ada@example.com");
await press("button", "Sieh in dein Postfach", "address asked");
const change = await mail("change/1");
expect(/To: <ada@example.com>/.test(change), change);
await open(link(change, "change"), "change page");
await press("button", "Deine Adresse ist geändert", "changed");
expect(status("ada@example.com") === "active" && status("ada@example.net") === "changed to ada@example.com", "the address is another");
await open(link(welcome, "preferences"), "an old link", 410);

// The link to one's choices, for who has lost it.
await open(`${base}/preferences`, "links form");
await page.type("#email", "ada@example.com");
await wait(2500);
await press("button", "Look into your mailbox", "link asked");
const links = await mail("links/1");
await open(link(links, "preferences"), "preferences again");

// Typing mistakes, wrong addresses, wrong links.
await open(`${base}/subscribe`, "form again");
await read(() => { document.querySelector("form").noValidate = true; });
await page.type("#email", "nobody");
await wait(2500);
await press("button", "Subscribe", "a typing mistake");
expect(await read(() => document.querySelector("[role=alert]")?.textContent.includes("typing mistakes")), "it says what is wrong");
await open(`${base}/nothing`, "nothing there", 404);
await open(`${base}/confirm/forged`, "a forged link", 404);
await page.setExtraHTTPHeaders({ "accept-language": "ar, en;q=0.5" });
await open(`${base}/`, "form in Arabic");
expect(await read(() => document.dir) === "rtl", "from right to left");
await page.setExtraHTTPHeaders({ "accept-language": "en" });

// One click, as Gmail sends it; and the page for people.
const leave = link(links, "unsubscribe").replace(/\/no-.*/, "");
const bin = /subject=unsubscribe%20([a-z0-9]+)/.exec(links)?.[1];
const unsubscribe = leave === base ? `${base}/unsubscribe/${bin}` : leave;
await open(unsubscribe, "the way out");
const clicked = await fetch(unsubscribe, { method: "POST", redirect: "manual", body: "List-Unsubscribe=One-Click",
  headers: { "content-type": "application/x-www-form-urlencoded", "user-agent": "Mozilla/5.0 (compatible; Google-Gmail-List-Unsubscribe)" } });
expect(clicked.status === 200 && !clicked.headers.get("set-cookie"), `one click: ${clicked.status}`);
expect(status("ada@example.com") === "unsubscribed", "one click is enough");
await open(unsubscribe, "the way out again");
await press("button", "Du hast abbestellt", "left");
await hit("input[value=often]", "Space");
await press("button", "Danke", "the reason");

// What a static host would serve.
const feed = await fetch(`${base}/atom.xml`);
expect(feed.status === 200 && feed.headers.get("content-type").startsWith("application/atom+xml"), `the feed: ${feed.status}`);
const again = await fetch(`${base}/atom.xml`, { headers: { "if-none-match": feed.headers.get("etag") } });
expect(again.status === 304, `the feed again: ${again.status}`);
expect((await fetch(`${base}/editions/`)).status === 200, "the archive");
expect([...asked].every((origin) => origin === base || origin === "null"), `asked of others: ${[...asked]}`);

server.kill("SIGTERM");
expect(await ended === 0, "SIGTERM ends it with 0");
await browser.close();
fs.rmSync(folder, { recursive: true });
end("subscribe");
