// One stream for all tabs of a browser, since it opens six connections to a host at most.
//
// The tab that holds a lock reads the stream and passes each frame on; when it goes, the next one
// gets the lock.  Where there are no locks (a page over http from another machine), each tab has its
// own stream, and closes it while it is hidden.

const LOCK = "qehost-dashboard";
const SILENT = 6; // seconds without a frame: a beat comes each second
const FIRST_WAIT = 500;
const LONGEST_WAIT = 10_000;

export class Stream {
  // `take(text)` gets each frame, `away()` is called where the server does not answer.
  constructor(take, away) {
    this.take = take;
    this.away = away;
    this.heard = performance.now();
    this.silent = 0; // seconds, counted: a machine that was asleep has heard nothing, and lost nobody
    this.wait = FIRST_WAIT;
    this.source = null;
    this.timer = 0;
    if (navigator.locks && window.BroadcastChannel) this.share();
    else this.alone();
  }

  share() {
    this.channel = new BroadcastChannel(LOCK);
    this.channel.addEventListener("message", (event) => this.frame(event.data));
    this.lead();
    // A leader may be frozen by the browser: whoever is looked at and hears nothing takes its place.
    setInterval(() => {
      this.silent += 1;
      if (!this.source && !document.hidden && this.silent > SILENT + Math.random() * SILENT) this.lead(true);
    }, 1000);
  }

  async lead(steal = false) {
    this.silent = 0;
    const held = new Promise(() => {});
    try {
      await navigator.locks.request(LOCK, { steal }, () => {
        this.open();
        return held;
      });
    } catch {
      this.close(); // another tab has taken the lock
      this.lead();
    }
  }

  alone() {
    this.open();
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.close();
      else if (!this.source) this.open();
    });
  }

  open() {
    this.close();
    const source = new EventSource("api/stream");
    this.source = source;
    source.addEventListener("message", (event) => {
      this.wait = FIRST_WAIT;
      this.frame(event.data);
      this.channel?.postMessage(event.data);
    });
    source.addEventListener("error", () => {
      this.away();
      // After any answer but 200 the browser does not try again by itself.
      if (source.readyState === EventSource.CLOSED && source === this.source) this.later();
    });
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), this.wait * (0.5 + Math.random() / 2));
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
  }

  frame(text) {
    this.heard = performance.now();
    this.silent = 0;
    this.take(text);
  }
}
