// Tables whose rows are kept by key, so that only what is another text is written.
import { NONE } from "./numbers.js";
import { t } from "./words.js";

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// Write only what differs: writing what is there already costs a layout, too.
export function say(node, text) {
  if (node.firstChild?.nodeType === Node.TEXT_NODE && node.childNodes.length === 1) {
    if (node.firstChild.data !== text) node.firstChild.data = text;
  } else {
    node.replaceChildren(text);
  }
}

export function mark(node, name, value) {
  if (value === "" || value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, value);
  }
}

// A column that opens a master order; `of(row)` gives its account, its id, and the text.
export function orderColumn(key, kind, open, of) {
  return {
    key,
    kind,
    make: (cell, row) => {
      const [account, id, text = id] = of(row);
      if (!id) {
        cell.append(NONE);
        return;
      }
      const button = element("button", { type: "button", class: "order" }, text);
      button.addEventListener("click", () => open(`${account}/${id}`, button));
      cell.append(button);
    },
    draw: () => {},
  };
}

// `columns`: {key, text(row), kind: "" | "number" | "wide", make?(cell, row), draw?(cell, row),
// look?(row), full?(row)}.
export class Table {
  constructor(name, columns) {
    this.columns = columns;
    this.rows = new Map();
    this.heads = columns.map((column) =>
      element("th", { scope: "col", role: "columnheader", class: column.kind ?? "" }),
    );
    this.caption = element("caption", { class: "unseen" });
    this.body = element("tbody", { role: "rowgroup" });
    this.name = name;
    this.root = element("table", { role: "table" }, this.caption,
      element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...this.heads)), this.body);
    this.translate();
  }

  translate() {
    say(this.caption, t(this.name));
    this.columns.forEach((column, place) => say(this.heads[place], t(`col-${column.key}`)));
    this.rows.clear();
    this.body.replaceChildren();
  }

  // Show these rows in this order; `draw` says which of those that are there already.
  show(entries, draw) {
    const wanted = new Set(entries.map(([key]) => key));
    for (const [key, shown] of this.rows) {
      if (!wanted.has(key)) {
        shown.row.remove();
        this.rows.delete(key);
      }
    }
    let before = this.body.firstChild;
    for (const [key, data] of entries) {
      let shown = this.rows.get(key);
      if (!shown) {
        shown = this.make(data);
        this.rows.set(key, shown);
        this.draw(shown, data);
      } else if (!draw || draw.has(key)) {
        this.draw(shown, data);
      }
      if (shown.row === before) before = before.nextSibling;
      else this.body.insertBefore(shown.row, before);
    }
  }

  make(data) {
    const cells = this.columns.map((column) => {
      const cell = element("td", { role: "cell", class: column.kind ?? "", "data-name": t(`col-${column.key}`) });
      column.make?.(cell, data);
      return cell;
    });
    return { row: element("tr", { role: "row" }, ...cells), cells };
  }

  draw(shown, data) {
    this.columns.forEach((column, place) => {
      const cell = shown.cells[place];
      if (column.draw) column.draw(cell, data, shown.row);
      else {
        const text = column.text(data);
        say(cell, text);
        mark(cell, "data-none", text === NONE);
      }
      if (column.look) mark(cell, "data-look", column.look(data));
      if (column.full) mark(cell, "title", column.full(data));
    });
  }
}
