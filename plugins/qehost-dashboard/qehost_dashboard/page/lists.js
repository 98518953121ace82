// What is wrong now, what went wrong, and what the guard did.
import { NONE, clock, moment, span } from "./numbers.js";
import { Table, element, orderColumn, say } from "./table.js";
import { known, t } from "./words.js";

const BAD = new Set(["rejected", "disconnected", "error", "plugin"]);
const BADLY = new Set(["REJECTED", "EXPIRED"]);

export function problemText(problem) {
  const count = problem.count > 1 ? t("times", { n: problem.count }) : "";
  const values = { text: problem.text || t("no-reason"), symbol: problem.symbol ?? "", status: known("status", problem.status ?? ""), code: problem.status ?? "", account: problem.account ?? "" };
  return `${t(`problem-${problem.kind}`, values)}${count}`;
}

export function problemColumns(open) {
  return [
    { key: "time", text: (row) => moment(row.at) },
    { key: "account", text: (row) => row.account || NONE },
    { key: "what", kind: "wide plain", text: problemText, look: (row) => (BAD.has(row.kind) || BADLY.has(row.status) ? "bad" : row.kind === "connected" ? "good" : "warn") },
    orderColumn("master", "wide code", open, (row) => [row.account, row.master_id]),
  ];
}

export function guardColumns(open) {
  return [
    { key: "time", text: (row) => moment(Date.parse(row.at ?? "")) },
    { key: "action", text: (row) => t(row.armed ? "guard-armed" : "guard-dry", { action: known("action", row.action ?? "") }), look: (row) => (row.armed ? "warn" : "") },
    { key: "outcome", text: (row) => known("guard-state", row.state ?? ""), look: (row) => ({ done: "good", refused: "bad", unknown: "bad" })[row.state] ?? "" },
    { key: "rule", text: (row) => row.rule || NONE },
    { key: "reason", kind: "wide plain", text: (row) => [row.reason, row.text].filter(Boolean).join(" · ") || NONE },
    orderColumn("master", "wide code", open, (row) => [row.account, row.master_order_id, `${row.symbol ?? ""} ${row.master_order_id}`]),
  ];
}

// A list with what to say where it is empty.
export class List {
  constructor(root, name, columns) {
    this.table = new Table(`${name}-caption`, columns);
    this.name = name;
    this.empty = element("p", { class: "empty" });
    root.append(this.table.root, this.empty);
  }

  show(entries, draw) {
    this.table.show(entries, draw);
    this.table.root.hidden = !entries.length;
    this.empty.hidden = entries.length > 0;
    say(this.empty, t(`${this.name}-none`));
  }

  translate() {
    this.table.translate();
    say(this.empty, t(`${this.name}-none`));
  }
}

export function troubleText(trouble, now) {
  const values = {
    who: trouble.who ?? "",
    text: trouble.text ? `: ${trouble.text}` : "",
    said: trouble.text ?? "",
    n: trouble.count ?? 0,
    span: span((trouble.seconds ?? 0) * 1000),
    since: trouble.since ? span(now - trouble.since) : NONE,
  };
  return t(`trouble-${trouble.kind}`, values);
}
