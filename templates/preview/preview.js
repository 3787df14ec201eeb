// The page of `postrider preview`: tabs, keys, widths and looks; and, where it is served, what changes with the files.
"use strict";

const WIDTHS = [360, 768, 1024];
const VIEWS = ["page", "text", "source", "headers"];
const byId = (id) => document.getElementById(id);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Where the reader of this page is. Kept in the address, so that a reload or a link comes back to it.
const state = { panel: "mails", mail: "", view: "page", width: 360, dark: false, noPictures: false, noStyle: false, feed: "", form: "reader" };
for (const [key, value] of new URLSearchParams(location.hash.slice(1))) {
  if (key in state) {
    state[key] = typeof state[key] === "boolean" ? value === "true" : typeof state[key] === "number" ? Number(value) : value;
  }
}
if (!WIDTHS.includes(state.width)) state.width = 360;
let version = document.documentElement.dataset.version;
// What came from the program, before anything here marked it.
const sources = new Map(all("[data-part]").map((part) => [part, part.innerHTML]));

function set(change) {
  Object.assign(state, change);
  show();
}

// Makes the page say what the state says.
function show() {
  for (const list of all("[data-tabs]")) {
    const key = list.dataset.tabs;
    const tabs = all("[role=tab]", list);
    if (!tabs.some((tab) => tab.id === idOf(key, state[key]) && !tab.hidden)) state[key] = valueOf(tabs[0].id);
    for (const tab of tabs) {
      const chosen = tab.id === idOf(key, state[key]);
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
  }
  for (const panel of all("main > [role=tabpanel]")) panel.hidden = panel.id !== state.panel;
  choose("mail");
  choose("feed");
  showMail();
  showFeed();
  const hash = new URLSearchParams(Object.entries(state).filter(([, value]) => value !== "" && value !== false)).toString();
  history.replaceState(null, "", "#" + hash);
}

const idOf = (key, value) => (key === "panel" ? "tab" : key) + "-" + value;
const valueOf = (id) => id.slice(id.indexOf("-") + 1);

// Marks the mail or the feed that is looked at; the first where there is none of that name.
function choose(kind) {
  const items = all(`[data-${kind}]`);
  if (!items.some((item) => item.dataset[kind] === state[kind])) state[kind] = items.length ? items[0].dataset[kind] : "";
  for (const item of items) item.setAttribute("aria-current", String(item.dataset[kind] === state[kind]));
}

function showMail() {
  const reading = state.view === "headers";
  byId("mails").classList.toggle("reading", reading);
  byId("mail-stage").hidden = byId("mail-facts").hidden = !state.mail;
  for (const button of all("[data-width]")) button.setAttribute("aria-pressed", String(Number(button.dataset.width) === state.width));
  for (const button of all("[data-look]")) button.setAttribute("aria-pressed", String(state[button.dataset.look]));
  byId("widths").hidden = byId("looks").hidden = byId("scale").hidden = state.view !== "page";
  for (const article of all("[data-of]")) {
    article.hidden = article.dataset.of !== state.mail;
    article.querySelector(".about").hidden = reading;
    article.querySelector(".headers").hidden = !reading;
    article.querySelector(".checked").hidden = reading;
  }
  byId("mail-frame-box").setAttribute("aria-labelledby", idOf("view", reading ? "page" : state.view));
  if (state.mail && !reading && state.panel === "mails") {
    const look = (state.dark ? "dark" : "light") + (state.noPictures ? "-no-pictures" : "") + (state.noStyle ? "-no-style" : "");
    fill(byId("mail-frame"), state.mail + (state.view === "page" ? look : state.view) + ".html");
    fit();
  }
}

function showFeed() {
  const chosen = all("[data-feed]").find((item) => item.dataset.feed === state.feed);
  const formats = chosen ? chosen.dataset.formats.split(" ") : [];
  for (const tab of all("[data-tabs=form] [role=tab]")) tab.hidden = tab.id !== "form-reader" && !formats.includes(valueOf(tab.id));
  byId("feed-frame-box").setAttribute("aria-labelledby", idOf("form", state.form));
  if (state.feed && state.panel === "feeds") fill(byId("feed-frame"), `${state.feed}${state.form}.html`);
}

// Loads a page into a frame, once; after a change of the files it comes again, at the place where it was.
function fill(frame, path) {
  const address = version ? `${path}?${version}` : path;
  if (frame.dataset.address === address) return;
  const same = frame.dataset.path === path;
  Object.assign(frame.dataset, { address, path });
  const place = same ? placeIn(frame) : 0;
  frame.onload = () => {
    // From a folder, frames are closed to us, and everything works but this.
    try {
      if (place) frame.contentWindow.scrollTo(0, place);
      frame.contentDocument.addEventListener("keydown", press);
    } catch { /* see above */ }
  };
  frame.contentWindow ? frame.contentWindow.location.replace(address) : (frame.src = address);
}

function placeIn(frame) {
  try {
    return frame.contentWindow.scrollY;
  } catch {
    return 0;
  }
}

// The frame has the width that was asked for; where there is no room for that, it is shown smaller.
function fit() {
  const frame = byId("mail-frame");
  const box = byId("mail-frame-box");
  const own = state.view !== "page";
  frame.classList.toggle("own", own);
  frame.style.cssText = "";
  byId("scale").textContent = "";
  if (own) return;
  const style = getComputedStyle(box);
  const room = box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const height = box.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
  const scale = Math.min(1, room / state.width);
  frame.style.width = `${state.width}px`;
  frame.style.height = `${height / scale}px`;
  if (scale < 1) {
    frame.style.transform = `scale(${scale})`;
    frame.style.marginLeft = "0";
    byId("scale").textContent = `shown at ${Math.round(scale * 100)} %`;
  }
}

function step(by) {
  const kind = state.panel === "feeds" ? "feed" : "mail";
  const items = all(`[data-${kind}]`);
  const at = items.findIndex((item) => item.dataset[kind] === state[kind]);
  const next = items[Math.max(0, Math.min(items.length - 1, at + by))];
  if (!next) return;
  set({ [kind]: next.dataset[kind] });
  next.scrollIntoView({ block: "nearest" });
  if (document.activeElement?.matches(".item")) next.focus();
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const tab = event.target.closest?.("[role=tab]");
  if (tab && ["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) {
    const tabs = all("[role=tab]", tab.parentElement).filter((other) => !other.hidden);
    const at = tabs.indexOf(tab);
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key];
    const chosen = tabs[(next + tabs.length) % tabs.length];
    set({ [tab.parentElement.dataset.tabs]: valueOf(chosen.id) });
    chosen.focus();
    event.preventDefault();
    return;
  }
  const mails = state.panel === "mails";
  const item = event.target.closest?.(".item");
  const actions = {
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: item && (() => step(1)),
    ArrowUp: item && (() => step(-1)),
    1: mails && (() => set({ width: WIDTHS[0], view: "page" })),
    2: mails && (() => set({ width: WIDTHS[1], view: "page" })),
    3: mails && (() => set({ width: WIDTHS[2], view: "page" })),
    d: mails && (() => set({ dark: !state.dark, view: "page" })),
    i: mails && (() => set({ noPictures: !state.noPictures, view: "page" })),
    s: mails && (() => set({ noStyle: !state.noStyle, view: "page" })),
    v: mails && (() => set({ view: VIEWS[(VIEWS.indexOf(state.view) + 1) % VIEWS.length] })),
    "?": () => byId("help").showModal(),
  };
  if (!actions[event.key]) return;
  actions[event.key]();
  event.preventDefault();
}

document.addEventListener("keydown", press);
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { mail, feed, width, look } = button.dataset;
  if (mail) set({ mail });
  if (feed) set({ feed });
  if (width) set({ width: Number(width) });
  if (look) set({ [look]: !state[look] });
  if (button.id === "help-button") byId("help").showModal();
  if (button.role === "tab" || button.getAttribute("role") === "tab") set({ [button.parentElement.dataset.tabs]: valueOf(button.id) });
});
addEventListener("resize", showMail);
addEventListener("hashchange", () => location.reload());

// Takes over from a new page what changed in it. Everything else stays as it is: what is chosen, what has the focus, what is open.
function take(page) {
  for (const part of all("[data-part]")) {
    const fresh = page.querySelector(`[data-part="${part.dataset.part}"]`);
    if (!fresh || fresh.innerHTML === sources.get(part)) continue;
    sources.set(part, fresh.innerHTML);
    const focused = part.contains(document.activeElement) && document.activeElement.matches(".item");
    const place = part.scrollTop;
    const open = all("details[open] > summary", part).map((summary) => summary.textContent);
    part.replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)));
    for (const summary of all("details > summary", part)) summary.parentElement.open = open.includes(summary.textContent);
    if (focused) requestAnimationFrame(() => part.querySelector("[aria-current=true]")?.focus());
    requestAnimationFrame(() => { part.scrollTop = place; });
  }
  document.title = page.title;
  show();
}

function say(text, className) {
  const status = byId("status");
  if (status.textContent !== text) status.textContent = text;
  status.className = `live ${className}`;
}

async function follow() {
  for (;;) {
    try {
      const answer = await fetch(`changes?after=${version}`);
      const { version: now } = await answer.json();
      if (now !== version) {
        const page = await (await fetch("./")).text();
        const fresh = new DOMParser().parseFromString(page, "text/html");
        version = fresh.documentElement.dataset.version;
        document.documentElement.dataset.version = version;
        take(fresh);
        say(`live, changed at ${new Date().toLocaleTimeString()}`, "fresh");
      } else {
        say(byId("status").textContent.startsWith("live") ? byId("status").textContent : "live", "");
      }
    } catch {
      say("the preview has ended", "off");
      await new Promise((wait) => setTimeout(wait, 1000));
    }
  }
}

show();
if (version) follow();
