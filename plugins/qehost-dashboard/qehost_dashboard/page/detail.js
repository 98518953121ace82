// One master order: its pictures, its figures, its child orders, what went wrong with it.
import { Charts } from "./chart.js";
import { keyOf } from "./book.js";
import { NONE, clock, exact, moment, percent, rounded, short, signed, span } from "./numbers.js";
import { costLook, done, isLate, isSilent, statusLook, timeLeft, unit } from "./orders.js";
import { problemText } from "./lists.js";
import { deviation, endOf } from "./plan.js";
import { Table, element, mark, orderColumn, say } from "./table.js";
import { known, t } from "./words.js";

const AGAIN = 1000; // ms between two looks at the server

export class Detail {
  constructor(root, book, closed) {
    this.root = root;
    this.book = book;
    this.closed = closed;
    this.key = "";
    this.view = null;
    this.asked = 0;
    this.asking = ""; // the key
    this.parts = {};
  }

  get isOpen() {
    return this.key !== "";
  }

  async open(key) {
    this.key = key;
    this.view = null;
    this.root.hidden = false; // what is hidden takes no focus
    this.build();
    await this.ask();
  }

  close() {
    if (!this.isOpen) return;
    const key = this.key;
    this.key = "";
    this.view = null;
    this.parts.charts?.close();
    this.root.hidden = true;
    this.root.replaceChildren();
    this.closed(key);
  }

  build() {
    this.parts.charts?.close();
    const parts = (this.parts = {});
    parts.title = element("h2", { tabindex: "-1" });
    parts.facts = element("dl", { class: "facts" });
    parts.reason = element("p", { class: "reason", hidden: true });
    parts.progress = element("div", { class: "chart", role: "img" });
    parts.prices = element("div", { class: "chart", role: "img" });
    parts.reading = element("p", { class: "reading quiet", "aria-hidden": "true" });
    parts.problems = element("ul", { class: "problems" });
    parts.children = new Table("children-caption", childColumns());
    parts.fills = new Table("fills-caption", fillColumns());
    const close = element("button", { type: "button", class: "close" }, t("close"));
    close.addEventListener("click", () => this.close());
    const copy = element("button", { type: "button", hidden: !navigator.clipboard }, t("copy-id"));
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(this.book.masters.get(this.key)?.id ?? this.key);
      say(copy, t("copied"));
    });
    this.root.replaceChildren(
      element("div", { class: "head" }, parts.title, copy, close),
      parts.reason,
      element("div", { class: "over" }, element("h3", {}, t("progress-title")), parts.reading),
      element("p", { class: "legend quiet" }, ...legend([["fill", "legend-filled"], ["plan", "legend-plan"], ["band", "legend-band"]])),
      parts.progress,
      element("h3", {}, t("prices-title")),
      element("p", { class: "legend quiet" }, ...legend([["dot", "legend-fill"], ["ink", "legend-average"], ["plan", "legend-first"], ["cost", "legend-worst"]])),
      parts.prices,
      parts.facts,
      element("h3", {}, t("problems-title")),
      parts.problems,
      element("h3", {}, t("children-title")),
      parts.children.root,
      element("h3", {}, t("fills-title")),
      parts.fills.root,
    );
    parts.charts = new Charts(parts.progress, parts.prices, parts.reading);
    this.draw();
    parts.title.focus();
  }

  // Called with each frame: `has` says whether this order has changed.
  update(has) {
    if (!this.isOpen) return;
    if (has) this.drawFacts();
    if (has || (this.view && this.view.master.is_open)) this.ask();
  }

  async ask() {
    const { key } = this;
    const now = performance.now();
    if (this.asking === key || (this.view && now - this.asked < AGAIN)) return;
    this.asking = key;
    this.asked = now;
    try {
      const [account, id] = split(key);
      const answer = await fetch(`api/master-orders/${encodeURIComponent(account)}/${encodeURIComponent(id)}`);
      if (key === this.key && answer.ok) {
        this.view = await answer.json();
        requestAnimationFrame(() => this.draw());
      } else if (key === this.key && answer.status === 404) {
        say(this.parts.reason, t("detail-gone"));
        this.parts.reason.hidden = false;
      }
    } catch {
      // The stream's own state says that the server is away.
    } finally {
      if (this.asking === key) this.asking = "";
    }
  }

  draw() {
    if (!this.isOpen) return;
    this.drawFacts();
    if (this.view) this.drawView(this.view);
  }

  // The same figures as in its row, of the same moment.
  drawFacts() {
    const row = this.book.masters.get(this.key) ?? this.view?.master;
    if (!row) return;
    const { parts } = this;
    const now = this.book.now();
    say(parts.title, `${row.symbol ?? ""} ${known("side", row.side ?? "")} ${row.algorithm ?? ""}`);
    parts.reason.hidden = !row.reason;
    say(parts.reason, row.reason ?? "");
    facts(parts.facts, factsOf(row, now));
    mark(parts.progress, "aria-label", t("progress-says", { done: percent(row.share), plan: against(deviation(row, now)) }));
    mark(parts.prices, "aria-label", t("prices-says", { average: short(row.average), first: short(row.first_price) }));
  }

  drawView(view) {
    const { parts } = this;
    parts.charts.show(view.master, view.trace ?? [], this.book.now());
    parts.children.show((view.children ?? []).slice(0, 50).map((child) => [child.id, child]));
    parts.fills.show((view.fills ?? []).slice(0, 50).map((fill) => [`${fill.journal_id} ${fill.seq}`, fill]), new Set());
    const problems = [...this.book.problems.values()].filter((each) => keyOf({ account: each.account, id: each.master_id }) === this.key);
    parts.problems.replaceChildren(...(problems.length
      ? problems.slice(-20).reverse().map((each) => element("li", {}, `${clock(each.at)} ${problemText(each)}`))
      : [element("li", { class: "quiet" }, t("problems-none"))]));
  }
}

export const split = (key) => [key.slice(0, key.indexOf("/")), key.slice(key.indexOf("/") + 1)];

function legend(entries) {
  return entries.flatMap(([look, key]) => [element("span", { class: `key ${look}`, "aria-hidden": "true" }), element("span", {}, t(key))]);
}

// Against the even schedule, in percent of the whole.
function against(off) {
  return off === null ? NONE : `${off.ahead < 0 ? "−" : "+"}${percent(Math.abs(off.ahead))}`;
}

// What is known of it: key, text, look.
function factsOf(row, now) {
  const quote = row.quote ?? "";
  const off = deviation(row, now);
  const counts = row.children ?? {};
  const fees = Object.entries(row.fees ?? {}).map(([currency, fee]) => `${short(fee)} ${currency}`);
  const bounds = [["+", row.up_tolerance], ["−", row.low_tolerance]]
    .filter(([, share]) => share !== undefined)
    .map(([sign, share]) => sign + percent(share, 0));
  const became = Object.entries(counts).map(([what, n]) => t(`became-${what}`, { n }));
  const end = endOf(row, now);
  return [
    ["status", [row.status && known("status", row.status), percent(row.share)].filter(Boolean).join(", "), statusLook(row)],
    ["filled", `${exact(done(row))} / ${exact(row.target)} ${unit(row)}`],
    ["remaining", `${exact(row.remaining)} ${unit(row)}`],
    ["ahead", against(off) + (bounds.length ? ` (${bounds.join(" / ")})` : ""), off?.beyond ? "bad" : ""],
    ["left", timeLeft(row, now), isLate(row, now) ? "bad" : ""],
    ["average", `${short(row.average)} ${quote}`],
    ["first-price", `${short(row.first_price)} ${quote}`],
    ["cost", row.cost_bps ? `${signed(row.cost_bps, 2)} bps · ${signed(row.cost, 2)} ${quote}` : NONE, costLook(row)],
    ["notional", `${rounded(row.notional, 2)} ${quote}`],
    ["worst", row.worst_price?.startsWith("-") ? NONE : `${short(row.worst_price)} ${quote}`],
    ["room", row.room_bps ? `${signed(row.room_bps, 2)} bps` : NONE, row.room_bps?.startsWith("-") ? "bad" : ""],
    ["venue", row.venue_average ? `${exact(row.venue_filled)} ${unit(row)} @ ${short(row.venue_average)}` : NONE],
    ["maker", row.maker_rate ? percent(Number(row.maker_rate)) : NONE],
    ["fees", fees.join(", ") || NONE],
    ["counts", became.join(", ") || NONE, counts.rejected ? "bad" : ""],
    ["fill", row.last_fill ? t("ago", { span: span(now - row.last_fill) }) : NONE],
    ["heard", row.heard ? t("ago", { span: span(now - row.heard) }) : NONE, isSilent(row, now) ? "warn" : ""],
    ["started", moment(row.started)],
    ["ends", moment(row.ended || end)],
    ["exchange", [row.exchange, row.category].filter(Boolean).join(" · ") || NONE],
    ["account", row.account],
    ["id", row.id],
    ["client-id", row.client_order_id || NONE],
    ["notes", row.notes || NONE],
    ["seen", t(row.incomplete ? "seen-part" : "seen-all"), row.incomplete ? "warn" : ""],
  ].filter(([, text]) => !text.startsWith(NONE));
}

function facts(root, entries) {
  const keys = entries.map(([key]) => key).join(" ");
  if (root.dataset.keys !== keys) {
    root.dataset.keys = keys;
    root.replaceChildren(...entries.map(([key]) => element("div", {}, element("dt", {}, t(`fact-${key}`)), element("dd"))));
  }
  entries.forEach(([, text, look], place) => {
    const value = root.children[place].lastChild;
    say(value, text);
    mark(value, "data-look", look);
  });
}

function childColumns() {
  return [
    { key: "created", text: (row) => clock(row.created) },
    { key: "status", text: (row) => known("status", row.status ?? ""), look: (row) => (row.status === "REJECTED" ? "bad" : row.is_open ? "good" : "") },
    { key: "price", kind: "number", text: (row) => exact(row.price) },
    { key: "filled", kind: "number", text: (row) => `${exact(row.filled)} / ${exact(row.quantity)}` },
    { key: "average", kind: "number", text: (row) => short(row.average) },
    { key: "reason", kind: "wide", text: (row) => row.reason || NONE },
    { key: "order-id", kind: "wide", text: (row) => row.order_id || row.id },
  ];
}

export function fillColumns(open) {
  const columns = [
    { key: "time", text: (row) => clock(row.at) },
    { key: "side", text: (row) => known("side", row.side ?? ""), look: (row) => row.side },
    { key: "quantity", kind: "number", text: (row) => exact(row.quantity) },
    { key: "price", kind: "number", text: (row) => short(row.price), full: (row) => exact(row.price) },
    { key: "notional", kind: "number", text: (row) => rounded(row.notional, 2) },
  ];
  if (!open) return columns;
  columns.splice(1, 0, orderColumn("symbol", "", open, (row) => [row.account, row.master_id, row.symbol]));
  columns.push({ key: "master", kind: "wide code", text: (row) => row.master_id ?? NONE });
  return columns;
}
