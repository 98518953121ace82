// Puts the parts together: frames come in, and what they changed is drawn at the next animation frame.
import { Book, keyOf } from "./book.js";
import { Detail, fillColumns } from "./detail.js";
import { Head } from "./head.js";
import { List, guardColumns, problemColumns, problemText } from "./lists.js";
import { Orders, needsLook } from "./orders.js";
import { Past } from "./past.js";
import { Stream } from "./stream.js";
import { element, mark, say } from "./table.js";
import { choose, language, t, translate } from "./words.js";

const TABS = ["orders", "fills", "problems", "guard", "past"];
const $ = (id) => document.getElementById(id);

let stream = null;
let isDue = false;
let isAgeDue = false;
let tab = "orders";
let fetching = false;
let announced = 0; // the number of the last problem that was told

const book = new Book(fetchAll);
const detail = new Detail($("detail"), book, closedDetail);
const orders = new Orders($("orders"), book, openOrder);
const fills = new List($("fills"), "fills", fillColumns(openOrder));
const problems = new List($("problems"), "problems", problemColumns(openOrder));
const guard = new List($("guard"), "guard", guardColumns(openOrder));
const past = new Past($("past"), openOrder);
const head = new Head(book, () => stream);

// --- frames -------------------------------------------------------------------------------------

function take(text) {
  head.isAway = false;
  book.take(JSON.parse(text));
  due();
}

function due() {
  if (!isDue) {
    isDue = true;
    requestAnimationFrame(draw);
  }
}

// The whole state, where a frame was missed or another tab reads the stream.
async function fetchAll() {
  if (fetching) return;
  fetching = true;
  try {
    const answer = await fetch("api/state");
    if (answer.status === 401) location.assign("login");
    if (answer.ok) {
      $("logout").hidden = answer.headers.get("x-login") !== "1";
      if (!localStorage.getItem("lang") && answer.headers.get("x-lang") !== "auto") {
        await speak(answer.headers.get("x-lang"));
      }
      take(await answer.text());
    }
  } catch {
    away();
  } finally {
    fetching = false;
  }
}

async function away() {
  head.isAway = true;
  due();
  try {
    const answer = await fetch("api/health");
    if (answer.status === 401) location.assign("login");
  } catch {
    // The server is not there; the stream tries again.
  }
}

// --- drawing ------------------------------------------------------------------------------------

function draw() {
  isDue = false;
  const { dirty, news } = book;
  book.dirty = new Set();
  book.news = new Set();
  const all = news.has("all");
  if (all) drawAccounts();
  head.draw();
  if (tab === "orders" && (all || dirty.size)) orders.show(wantedOrders(), all ? null : dirty);
  if (tab === "fills" && (all || news.has("fills"))) {
    fills.show(newestFirst(book.fills).filter(([, row]) => passes(row)), new Set());
  }
  if (tab === "problems" && (all || news.has("problems"))) {
    problems.show(newestFirst(book.problems).filter(([, row]) => passes(row)), null);
  }
  if (tab === "guard" && (all || news.has("guard"))) {
    guard.show(book.guard.filter(passes).map((row) => [row.intent, row]), null);
  }
  if (all || news.has("problems")) {
    drawTabs();
    announce(all);
  }
  if (detail.isOpen) {
    orders.select(detail.key);
    detail.update(dirty.has(detail.key) || all);
  }
  if (isAgeDue) {
    isAgeDue = false;
    if (tab === "orders" && $("which").value === "look") orders.show(wantedOrders(), new Set());
    if (tab === "orders") orders.age();
  }
  drawCount();
}

const newestFirst = (map) => [...map.entries()].reverse();

function passes(row) {
  const account = $("account").value;
  if (account && row.account !== account) return false;
  const text = $("text").value.trim().toLowerCase();
  if (!text) return true;
  const where = [row.symbol, row.id, row.master_id, row.master_order_id, row.client_order_id, row.order_id, row.algorithm, row.side, row.status, row.exchange, row.notes, row.text, row.reason];
  return text.split(/\s+/).every((word) => where.some((each) => String(each ?? "").toLowerCase().includes(word)));
}

// One of which only child orders came, so far, has no status.
const works = (row) => Boolean(row.is_open || !row.status);

function wantedOrders() {
  const now = book.now();
  const shows = {
    open: works,
    look: (row) => needsLook(row, now),
    ended: (row) => !works(row),
    all: () => true,
  }[$("which").value];
  const rows = [...book.masters.values()].filter((row) => shows(row) && passes(row));
  // By what doesn't change while an order works, so that rows stay where they are.
  return rows.sort((a, b) =>
    Number(works(b)) - Number(works(a)) ||
    (b.created ?? 0) - (a.created ?? 0) || keyOf(a).localeCompare(keyOf(b)));
}

function drawCount() {
  $("count").hidden = tab !== "orders";
  const rows = [...book.masters.values()];
  const now = book.now();
  const look = rows.filter((row) => needsLook(row, now)).length;
  say($("count"), t("count", { open: rows.filter(works).length, look, all: rows.length }));
}

function drawAccounts() {
  const chosen = $("account").value;
  $("account").replaceChildren(
    element("option", { value: "" }, t("account-all")),
    ...book.accounts.map((name) => element("option", { value: name }, name)),
  );
  $("account").value = book.accounts.includes(chosen) ? chosen : "";
}

function drawTabs() {
  for (const name of TABS) {
    const button = $(`tab-${name}`);
    const count = name === "problems" && book.problems.size ? ` (${book.problems.size})` : "";
    say(button, t(`tab-${name}`) + count);
    mark(button, "aria-selected", name === tab ? "true" : "false");
    button.tabIndex = name === tab ? 0 : -1;
    $(name).hidden = name !== tab;
  }
  $("which-label").hidden = tab !== "orders";
  $("kinds-label").hidden = tab !== "past";
}

// To screen readers, new problems only, and no more than the last.
function announce(isFirst) {
  const last = [...book.problems.values()].at(-1);
  const id = last?.id ?? 0;
  if (id > announced && !isFirst) say($("announced"), `${last.account ?? ""} ${problemText(last)}`);
  announced = id;
}

function redraw() {
  book.news.add("all");
  due();
}

// --- what the reader does -----------------------------------------------------------------------

function openOrder(key, button) {
  openOrder.from = button;
  remember(key);
  detail.open(key);
  orders.select(key);
}

function closedDetail(key) {
  remember("");
  orders.select("");
  const from = openOrder.from?.isConnected ? openOrder.from : orders.buttonOf(key);
  from?.focus();
}

function remember(key) {
  history.replaceState(null, "", key ? `#${tab}/${encodeURIComponent(key)}` : `#${tab}`);
}

function choseTab(name, focus) {
  tab = name;
  drawTabs();
  if (focus) $(`tab-${name}`).focus();
  remember(detail.key);
  if (name === "past") askPast();
  redraw();
}

function askPast() {
  const text = $("text").value.trim();
  // A pair, or the id of a master order.
  const name = /\d{6}|_/.test(text) ? "master" : "symbol";
  past.ask({ account: $("account").value, kinds: $("kinds").value, [name]: text });
}

// The browser would clear it, too, but tell nobody.
function clearFilter(event) {
  event.preventDefault();
  $("text").value = "";
  if (tab === "past") askPast();
  redraw();
}

async function speak(wanted) {
  await choose(wanted);
  translate(document);
  const other = language === "en" ? "zh" : "en";
  say($("language"), { en: "English", zh: "中文" }[other]);
  mark($("language"), "lang", other === "zh" ? "zh-CN" : "en");
  for (const part of [orders, fills, problems, guard, past]) part.translate();
  drawTabs();
  if (detail.isOpen) detail.open(detail.key);
  redraw();
}

$("language").addEventListener("click", () => {
  const wanted = language === "en" ? "zh" : "en";
  localStorage.setItem("lang", wanted);
  speak(wanted);
});
$("logout").addEventListener("click", async () => {
  await fetch("logout", { method: "POST" });
  location.assign("login");
});
$("filters").addEventListener("submit", (event) => {
  event.preventDefault();
  if (tab === "past") askPast();
});
$("filters").addEventListener("input", (event) => {
  if (tab === "past" && event.target !== $("text")) askPast();
  redraw();
});
$("text").addEventListener("change", () => tab === "past" && askPast());
for (const name of TABS) $(`tab-${name}`).addEventListener("click", () => choseTab(name));
$("tabs").addEventListener("keydown", (event) => {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const to = { Home: TABS[0], End: TABS.at(-1) }[event.key];
  const name = to ?? (by && TABS[(TABS.indexOf(tab) + by + TABS.length) % TABS.length]);
  if (name) {
    event.preventDefault();
    choseTab(name, true);
  }
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = event.target.matches?.("input, select, textarea");
  if (event.key === "Escape") {
    if (isTyping && event.target === $("text") && $("text").value) clearFilter(event);
    else if (isTyping) event.target.blur();
    else if (detail.isOpen) detail.close();
  } else if (isTyping) return;
  else if (event.key === "/") {
    event.preventDefault();
    $("text").focus();
  } else if (/^[1-5]$/.test(event.key)) choseTab(TABS[Number(event.key) - 1], true);
});

setInterval(() => {
  isAgeDue = true;
  if (document.hidden) head.live();
  else due();
}, 1000);

await speak(localStorage.getItem("lang") ?? "auto");
const [wantedTab, wantedOrder] = location.hash.slice(1).split("/");
if (TABS.includes(wantedTab) && wantedTab !== "orders") choseTab(wantedTab);
stream = new Stream(take, away);
await fetchAll();
if (wantedOrder) openOrder(decodeURIComponent(wantedOrder));
