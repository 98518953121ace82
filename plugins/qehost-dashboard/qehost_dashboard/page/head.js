// What stands above: is it alive, how old is what is shown, how is qehost.
import { bytes, clock, span } from "./numbers.js";
import { troubleText } from "./lists.js";
import { element, mark, say } from "./table.js";
import { t } from "./words.js";

const STALE = 5000; // ms without a frame: two beats and more are missing

export class Head {
  constructor(book, stream) {
    this.book = book;
    this.stream = stream;
    this.alive = document.getElementById("alive");
    this.links = document.getElementById("links");
    this.figures = document.getElementById("figures");
    this.troubles = document.getElementById("troubles");
    this.isAway = false;
  }

  // The words of the state change seldom, since a screen reader says them each time.
  live() {
    const silent = performance.now() - (this.stream()?.heard ?? performance.now());
    const { health, boot } = this.book;
    let state = "live";
    if (!boot) state = this.isAway ? "away" : "connecting";
    else if (silent > STALE || this.isAway) state = "stale";
    else if (this.book.loading) state = "loading";
    else if (health?.links?.some((link) => link.state !== "connected")) state = "down";
    const since = state === "stale" ? clock(Date.now() - silent) : "";
    say(this.alive, t(`alive-${state}`, { since }));
    mark(this.alive, "data-look", { live: "good", loading: "warn", connecting: "warn" }[state] ?? "bad");
    mark(document.body, "data-stale", state === "stale" || state === "away");
    document.title = state === "live" ? "qehost" : `${t(`title-${state}`)} – qehost`;
  }

  draw() {
    this.live();
    const { health } = this.book;
    if (!health) return;
    const now = this.book.now();
    const links = health.links ?? [];
    keep(this.links, links.length, () => element("li", {}, element("b"), element("span")));
    links.forEach((link, place) => {
      const item = this.links.children[place];
      say(item.firstChild, link.account);
      const heard = link.last_message ? span(now - link.last_message) : "–";
      say(item.lastChild, link.state === "connected"
        ? t("link-up", { up: span(now - link.since), heard })
        : t("link-down", { down: span(now - (link.down_since || link.since)) }));
      mark(item, "data-look", link.state === "connected" ? "good" : "bad");
      mark(item, "title", [link.why, link.gap].filter(Boolean).join(" · "));
    });
    const unprotected = links.filter((link) => !link.protected).length;
    const journal = links.reduce((sum, link) => sum + (link.journal_bytes ?? 0), 0);
    const running = health.plugins ?? 0;
    const wanted = health.plugins_wanted ?? 0;
    // Before the first status nothing is known, and nothing is said to be well.
    this.write(!health.started ? [] : [
      ["behind", t("events", { n: (health.behind ?? 0).toLocaleString("en-US") }), health.lag > 5 ? "bad" : ""],
      ["letters", String(health.dead_letters ?? 0), health.dead_letters ? "bad" : ""],
      ["plugins", `${running} / ${wanted}`, running < wanted ? "bad" : ""],
      ["journal", unprotected ? t("unprotected") : t("protected", { size: bytes(journal) }), unprotected ? "bad" : ""],
      ["up", span(now - health.started), ""],
    ]);
    this.say(health.troubles ?? [], now);
  }

  write(entries) {
    keep(this.figures, entries.length, () => element("div", {}, element("dt"), element("dd")));
    entries.forEach(([key, text, look], place) => {
      const [name, value] = this.figures.children[place].children;
      say(name, t(`figure-${key}`));
      say(value, text);
      mark(value, "data-look", look);
    });
  }

  say(troubles, now) {
    this.troubles.hidden = !troubles.length;
    const list = this.troubles.firstElementChild;
    keep(list, Math.min(troubles.length, 12), () => element("li"));
    troubles.slice(0, 12).forEach((trouble, place) => say(list.children[place], troubleText(trouble, now)));
  }
}

function keep(root, count, make) {
  while (root.childElementCount > count) root.lastElementChild.remove();
  while (root.childElementCount < count) root.append(make());
}
