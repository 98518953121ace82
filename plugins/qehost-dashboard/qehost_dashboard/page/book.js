// What the page knows, by the frames of the stream.  It is as bounded as the server's.
const FILLS = 100;
const PROBLEMS = 200;

export const keyOf = (row) => `${row.account}/${row.id ?? row.master_id}`;

export class Book {
  // `ask()` is called where a frame is missing: the whole state is to be fetched.
  constructor(ask) {
    this.ask = ask;
    this.boot = "";
    this.n = -1;
    this.offset = 0;
    this.loading = true;
    this.accounts = [];
    this.masters = new Map();
    this.fills = new Map();
    this.problems = new Map();
    this.guard = [];
    this.health = null;
    this.dirty = new Set(); // the keys of master orders that are to be drawn
    this.news = new Set(); // and the parts: "all", "fills", "problems", "guard", "health"
  }

  // The server's time.
  now() {
    return Date.now() + this.offset;
  }

  take(frame) {
    this.offset = frame.now - Date.now();
    if (!frame.whole) {
      if (frame.boot === this.boot && frame.n <= this.n) return;
      if (frame.boot !== this.boot || frame.n !== this.n + 1) {
        this.ask();
        return;
      }
    } else if (frame.boot === this.boot && frame.n < this.n) return;
    else this.clear(frame);
    this.boot = frame.boot;
    this.n = frame.n;
    if (this.loading !== (frame.loading ?? false)) {
      this.loading = frame.loading ?? false;
      this.news.add("health");
    }
    if (frame.health) {
      this.health = frame.health;
      this.news.add("health");
    }
    if (frame.guard) {
      this.guard = frame.guard;
      this.news.add("guard");
    }
    if (frame.changes) this.change(frame.changes);
  }

  clear(frame) {
    this.accounts = frame.accounts ?? [];
    this.masters.clear();
    this.fills.clear();
    this.problems.clear();
    this.guard = [];
    this.news.add("all");
  }

  change({ masters = [], gone = [], fills = [], problems = [] }) {
    for (const row of masters) {
      const key = keyOf(row);
      this.masters.set(key, row);
      this.dirty.add(key);
    }
    for (const [account, id] of gone) {
      this.masters.delete(`${account}/${id}`);
      this.news.add("all");
    }
    for (const fill of fills) {
      this.fills.set(`${fill.journal_id} ${fill.account} ${fill.seq}`, fill);
      this.news.add("fills");
    }
    for (const problem of problems) {
      this.problems.set(problem.id, problem);
      this.news.add("problems");
    }
    bound(this.fills, FILLS);
    bound(this.problems, PROBLEMS);
  }
}

function bound(map, most) {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}
