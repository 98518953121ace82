// Pages of the journal, the newest event first.
import { NONE, exact, moment, short } from "./numbers.js";
import { Table, element, orderColumn, say } from "./table.js";
import { known, t } from "./words.js";

const LIMIT = 100;

export class Past {
  constructor(root, open) {
    this.pages = []; // before_seq of the pages before this one
    this.before = null;
    this.next = null;
    this.filter = {};
    this.newest = element("button", { type: "button" });
    this.newer = element("button", { type: "button" });
    this.older = element("button", { type: "button" });
    this.state = element("p", { role: "status", class: "quiet" });
    this.table = new Table("past-caption", columns(open));
    this.table.root.hidden = true;
    root.append(element("div", { class: "pages" }, this.newest, this.newer, this.older), this.state, this.table.root);
    this.newest.addEventListener("click", () => this.go([], null));
    this.newer.addEventListener("click", () => this.go(this.pages.slice(0, -1), this.pages.at(-1) ?? null));
    this.older.addEventListener("click", () => this.go([...this.pages, this.before], this.next));
    this.translate();
  }

  translate() {
    say(this.newest, t("past-newest"));
    say(this.newer, t("past-newer"));
    say(this.older, t("past-older"));
    this.table.translate();
    this.show(this.found);
  }

  // `filter`: account, kinds, symbol.
  ask(filter) {
    this.filter = filter;
    return this.go([], null);
  }

  async go(pages, before) {
    this.asked?.abort();
    const asked = (this.asked = new AbortController());
    this.found = undefined;
    say(this.state, t("past-searching"));
    const query = new URLSearchParams({ limit: LIMIT });
    for (const [name, value] of Object.entries(this.filter)) if (value) query.set(name, value);
    if (before) query.set("before_seq", before);
    try {
      const answer = await fetch(`api/events?${query}`, { signal: asked.signal });
      const found = await answer.json();
      if (asked.signal.aborted) return;
      if (!answer.ok) {
        say(this.state, t("past-failed", { why: found.error }));
        return;
      }
      [this.pages, this.before, this.next] = [pages, before, found.next];
      this.show(found);
    } catch (error) {
      if (error.name !== "AbortError") say(this.state, t("past-failed", { why: t("away") }));
    }
  }

  show(found) {
    this.found = found;
    this.newer.disabled = !this.pages.length;
    this.older.disabled = !this.next;
    if (!found) return;
    this.table.show([], null);
    this.table.show(found.events.map((event) => [`${event.journal_id} ${event.seq}`, event]), null);
    this.table.root.hidden = !found.events.length;
    const pruned = found.pruned_before && !found.next ? ` ${t("past-pruned", { seq: found.pruned_before })}` : "";
    const more = found.next && found.events.length < LIMIT ? ` ${t("past-goes-on")}` : "";
    say(this.state, (found.events.length ? t("past-found", { n: found.events.length, account: found.events[0].account }) : t("past-none")) + more + pruned);
  }
}

function columns(open) {
  const of = (row) => row.fields ?? {};
  return [
    { key: "time", text: (row) => moment(row.at) },
    { key: "seq", kind: "number", text: (row) => String(row.seq) },
    { key: "kind", text: (row) => known("kind", row.kind) + (row.redelivered ? ` ${t("again")}` : "") },
    { key: "symbol", text: (row) => of(row).symbol ?? NONE },
    { key: "side", text: (row) => known("side", (of(row).side ?? "").toLowerCase()), look: (row) => (of(row).side ?? "").toLowerCase() },
    { key: "status", text: (row) => known("status", of(row).status ?? NONE), look: (row) => (of(row).status === "REJECTED" ? "bad" : "") },
    { key: "quantity", kind: "number", text: (row) => amount(row.kind, of(row)) },
    { key: "price", kind: "number", text: (row) => short(price(of(row))) },
    { key: "reason", kind: "wide plain", text: (row) => of(row).reject_reason ?? of(row).text ?? of(row).reason ?? NONE },
    orderColumn("master", "wide code", open, (row) => [row.account, of(row).master_order_id]),
  ];
}

// The average of what is filled; of a child order of which nothing is, its limit.
const price = (fields) =>
  [fields.average_price, fields.avg_filled_price, fields.price].find((each) => each && /[1-9]/.test(each));

function amount(kind, fields) {
  if (kind === "fill") return exact(fields.quantity);
  if (kind === "order") return `${exact(fields.filled_quantity ?? "0")} / ${exact(fields.quantity)}`;
  if (kind === "master_order") return `${exact(fields.cum_filled_qty ?? "0")} / ${exact(fields.total_quantity ?? fields.order_notional)}`;
  return NONE;
}
