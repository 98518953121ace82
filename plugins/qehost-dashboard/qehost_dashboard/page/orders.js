// The table of master orders.
import { keyOf } from "./book.js";
import { NONE, exact, percent, rounded, short, signed, span } from "./numbers.js";
import { deviation, endOf, isEven, planned } from "./plan.js";
import { Table, element, mark, say } from "./table.js";
import { known, t } from "./words.js";

export const PAGE = 100; // rows in the document; more are there on request

export class Orders {
  constructor(root, book, open) {
    this.root = root;
    this.book = book;
    this.most = PAGE;
    this.order = [];
    this.table = new Table("orders-caption", this.columns(open));
    this.empty = element("p", { class: "empty" });
    this.more = element("button", { type: "button", class: "more", hidden: true });
    this.more.addEventListener("click", () => {
      this.most += PAGE;
      this.show(this.wanted, null);
    });
    root.append(this.table.root, this.empty, this.more);
    this.table.body.addEventListener("keydown", (event) => this.step(event));
  }

  columns(open) {
    const now = () => this.book.now();
    return [
      {
        key: "order",
        kind: "wide",
        make: (cell, row) => {
          const button = element("button", { type: "button", class: "order" }, element("b"), element("span", { class: "side" }), element("span", { class: "quiet" }));
          button.addEventListener("click", () => open(keyOf(row), button));
          cell.append(button, element("span", { class: "id quiet" }));
        },
        draw: (cell, row, line) => {
          const [name, side, algorithm] = cell.firstChild.children;
          say(name, row.symbol || NONE);
          say(side, known("side", row.side ?? ""));
          mark(side, "data-look", row.side);
          say(algorithm, row.algorithm ?? "");
          const account = this.book.accounts.length > 1 ? `${row.account} · ` : "";
          const id = row.client_order_id || row.id;
          say(cell.lastChild, account + (id.length > 24 ? `${id.slice(0, 8)}…${id.slice(-12)}` : id));
          mark(cell.lastChild, "title", id);
          mark(line, "data-ended", !row.is_open);
          mark(line, "data-needs", needsLook(row, now()));
        },
      },
      {
        key: "status",
        text: (row) => known("status", row.status || NONE),
        look: (row) => statusLook(row),
        full: (row) => row.reason,
      },
      { key: "progress", kind: "wide", make: makeBar, draw: (cell, row) => drawBar(cell, row, now()) },
      { key: "filled", kind: "number broad", text: (row) => `${short(done(row))} / ${short(row.target)}`, full: (row) => `${exact(done(row))} / ${exact(row.target)} ${unit(row)}` },
      { key: "remaining", kind: "number", text: (row) => short(row.remaining), full: (row) => `${exact(row.remaining)} ${unit(row)}` },
      { key: "average", kind: "number", text: (row) => short(row.average), full: (row) => `${exact(row.average)} ${row.quote ?? ""}` },
      { key: "cost", kind: "number", text: (row) => signed(row.cost_bps, 1), look: costLook, full: (row) => (row.cost ? `${signed(row.cost, 2)} ${row.quote ?? ""}` : t("cost-none")) },
      { key: "open", kind: "number", text: (row) => String(row.children?.open ?? 0) },
      { key: "rejected", kind: "number", text: (row) => String(row.children?.rejected ?? 0), look: (row) => (row.children?.rejected ? "bad" : "") },
      { key: "maker", kind: "number", text: (row) => (row.maker_rate ? percent(Number(row.maker_rate), 0) : NONE) },
      { key: "left", kind: "number", text: (row) => timeLeft(row, now()), look: (row) => (isLate(row, now()) ? "bad" : "") },
      { key: "fill", kind: "number", text: (row) => sinceFill(row, now()), look: (row) => (isSilent(row, now()) ? "warn" : ""), full: (row) => (isSilent(row, now()) ? t("silent", { span: span(now() - row.heard) }) : "") },
    ];
  }

  // `wanted` are the rows that the filters let through; `draw` the keys of those that have changed.
  show(wanted, draw) {
    this.wanted = wanted;
    const shown = wanted.slice(0, this.most);
    this.table.show(shown.map((row) => [keyOf(row), row]), draw);
    this.table.root.hidden = !shown.length;
    this.empty.hidden = shown.length > 0;
    if (!shown.length) say(this.empty, t(this.book.loading ? "loading" : "orders-none"));
    this.more.hidden = wanted.length <= this.most;
    if (!this.more.hidden) say(this.more, t("more", { n: wanted.length - this.most }));
  }

  // What changes by time alone.
  age() {
    const now = this.book.now();
    for (const [key, shown] of this.table.rows) {
      const row = this.book.masters.get(key);
      if (!row || !row.is_open) continue;
      const place = this.table.columns.length;
      mark(shown.row, "data-needs", needsLook(row, now));
      drawBar(shown.cells[2], row, now);
      for (const at of [place - 2, place - 1]) {
        say(shown.cells[at], this.table.columns[at].text(row));
        mark(shown.cells[at], "data-look", this.table.columns[at].look(row));
      }
    }
  }

  select(key) {
    for (const [each, shown] of this.table.rows) {
      mark(shown.row, "data-selected", each === key);
      mark(shown.cells[0].firstChild, "aria-expanded", each === key ? "true" : "false");
    }
  }

  buttonOf(key) {
    return this.table.rows.get(key)?.cells[0].firstChild;
  }

  translate() {
    this.table.translate();
    this.most = PAGE;
  }

  // Arrow keys go from order to order.
  step(event) {
    const by = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key];
    if (!by || !event.target.matches("button.order")) return;
    const buttons = [...this.table.body.querySelectorAll("button.order")];
    const next = buttons[buttons.indexOf(event.target) + by];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  }
}

export const done = (row) => (row.in_quote ? row.notional : row.filled);
export const unit = (row) => (row.in_quote ? row.quote : row.category === "perp_cm" ? t("contracts") : row.base) ?? "";

export function statusLook(row) {
  if (["REJECTED", "EXPIRED"].includes(row.status)) return "bad";
  if (["PAUSED", "COMPLETED_WITHTAIL", "CANCELLED", "CANCEL"].includes(row.status)) return "warn";
  return row.status === "PROCESSING" ? "good" : "";
}

export function costLook(row) {
  if (!/[1-9]/.test(signed(row.cost_bps, 1))) return "";
  return row.cost_bps.startsWith("-") ? "gain" : "cost";
}

// Nothing was heard of it for a minute, or for a twentieth of the time that it has.
export const isSilent = (row, now) =>
  row.status === "PROCESSING" && row.heard > 0 && now - row.heard > Math.max(60_000, 50 * row.duration);

export function isLate(row, now) {
  const end = endOf(row, now);
  return row.is_open && end > 0 && now > end;
}

// What somebody should look at: it stands still, is late, off its schedule or its price, or rejected.
export const needsLook = (row, now) =>
  Boolean(row.is_open) &&
  (row.status === "PAUSED" || row.children?.rejected > 0 || row.room_bps?.startsWith("-") === true ||
    isLate(row, now) || isSilent(row, now) || deviation(row, now)?.beyond === true);

export function timeLeft(row, now) {
  if (!row.is_open) return NONE;
  const end = endOf(row, now);
  if (!end) return NONE;
  return now > end ? `−${span(now - end)}` : span(end - now);
}

const sinceFill = (row, now) => (row.last_fill ? span(now - row.last_fill) : NONE);

// The bar is a picture; the text beside it says the same.
function makeBar(cell) {
  cell.append(
    element("span", { class: "bar", "aria-hidden": "true" }, element("span", { class: "done" }), element("span", { class: "plan" })),
    element("span", { class: "share" }),
    element("span", { class: "ahead" }),
  );
}

function drawBar(cell, row, now) {
  const [bar, share, ahead] = cell.children;
  const [filled, plan] = bar.children;
  width(filled, "inlineSize", row.share ?? 0);
  const at = row.is_open ? planned(row, now, now) : null;
  plan.hidden = at === null;
  if (at !== null) width(plan, "insetInlineStart", at);
  mark(plan, "data-even", isEven(row));
  say(share, percent(row.share));
  const off = deviation(row, now);
  say(ahead, off === null ? "" : `${off.ahead < 0 ? "−" : "+"}${Math.abs(off.ahead * 100).toFixed(1)}`);
  mark(ahead, "title", off === null ? "" : t("ahead"));
  mark(ahead, "data-look", off?.beyond ? "bad" : "");
}

function width(node, property, share) {
  const value = `${(Math.min(1, Math.max(0, share)) * 100).toFixed(1)}%`;
  if (node.style[property] !== value) node.style[property] = value;
}
