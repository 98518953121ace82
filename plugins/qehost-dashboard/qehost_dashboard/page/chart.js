// Two pictures of a master order: what is filled over its schedule, and at which prices.
import { clock, exact, percent } from "./numbers.js";
import { corners, endOf, isEven, planned } from "./plan.js";
import { t } from "./words.js";

const HEIGHT = 190;
const PRICES = 150;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function axes(values) {
  const look = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  return [
    { ...look, values: (_, splits) => splits.map((at) => clock(at * 1000)), space: 80, size: 26 },
    { ...look, values: (_, splits) => splits.map(values), size: 74 },
  ];
}

function made(root, height, data, series, values, more = {}) {
  const options = {
    width: Math.max(200, root.clientWidth),
    height,
    legend: { show: false },
    cursor: { drag: { x: true, y: false } },
    axes: axes(values),
    series: [{}, ...series],
    ...more,
  };
  return new uPlot(options, data, root);
}

export class Charts {
  constructor(progress, prices, reading) {
    this.roots = [progress, prices];
    this.reading = reading; // a line of text: what is under the cursor
    this.plots = [];
    this.shape = "";
    this.resized = new ResizeObserver(() => this.resize());
    this.resized.observe(progress);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.scheme.addEventListener("change", () => (this.shape = ""));
  }

  resize() {
    this.plots.forEach((plot, place) => {
      const width = Math.max(200, this.roots[place].clientWidth);
      if (width !== plot.width) plot.setSize({ width, height: place ? PRICES : HEIGHT });
    });
  }

  show(row, trace, now) {
    const progress = progressOf(row, trace, now);
    const prices = pricesOf(row, trace, now);
    const shape = `${row.account}/${row.id} ${document.documentElement.lang}`;
    if (shape !== this.shape) {
      this.close();
      this.shape = shape;
      this.plots = [this.first(progress), this.second(prices)];
    } else {
      this.plots[0].setData(progress);
      this.plots[1].setData(prices);
    }
  }

  first(data) {
    const band = colour("--band");
    const bound = { stroke: colour("--plan"), width: 1, dash: [2, 4], points: { show: false } };
    const hooks = {
      setCursor: [
        (plot) => {
          const at = plot.cursor.idx;
          this.reading.textContent =
            at === null || at === undefined
              ? ""
              : t("reading", {
                  at: clock(plot.data[0][at] * 1000),
                  filled: percent(plot.data[1][at]),
                  plan: percent(plot.data[2][at]),
                });
        },
      ],
    };
    const series = [
      {
        stroke: colour("--fill"),
        width: 2,
        paths: uPlot.paths.stepped({ align: 1 }),
        points: { show: false },
      },
      { stroke: colour("--plan"), width: 1.5, dash: [6, 4], points: { show: false } },
      bound,
      bound,
    ];
    const range = { y: { range: (_, low, high) => [0, Math.max(1, (high ?? 1) * 1.02)] } };
    return made(this.roots[0], HEIGHT, data, series, (share) => `${Math.round(share * 100)} %`, {
      bands: [{ series: [3, 4], fill: band }],
      scales: range,
      hooks,
    });
  }

  second(data) {
    const line = (name, dash) => ({ stroke: colour(name), width: 1.5, dash, points: { show: false }, spanGaps: true });
    const series = [
      { paths: () => null, points: { show: true, size: 5, stroke: colour("--fill"), fill: colour("--fill") } },
      line("--ink", []),
      line("--plan", [6, 4]),
      line("--cost", [2, 3]),
    ];
    return made(this.roots[1], PRICES, data, series, (price) => exact(String(Number(price.toPrecision(8)))), {
      scales: { y: { range: (_, low, high) => around(low ?? 0, high ?? 1) } },
    });
  }

  close() {
    for (const plot of this.plots) plot.destroy();
    this.plots = [];
    this.shape = "";
  }
}

// Room around the prices; a tenth of a thousandth where all are one.
function around(low, high) {
  const room = Math.max((high - low) / 10, Math.abs(high) / 10_000) || 1;
  return [low - room, high + room];
}

// [time, filled, plan, upper bound, lower bound]
function progressOf(row, trace, now) {
  const until = row.ended || now;
  const whole = Number(row.target ?? 0);
  const amounts = trace.map(([at, quantity, price]) => [at, row.in_quote ? quantity * price : quantity]);
  const seen = amounts.reduce((sum, [, amount]) => sum + amount, 0);
  // What was filled before the first fill that was seen.
  let done = Math.max(0, (row.share ?? 0) * whole - seen);
  const start = row.started || row.created || until;
  const times = new Set([start, until, ...amounts.map(([at]) => at)]);
  if (isEven(row)) {
    for (const at of corners(row, now)) times.add(at);
    const end = endOf(row, now);
    for (const part of [0.25, 0.5, 0.75]) times.add(Math.round(start + (end - start) * part));
  }
  const data = [[], [], [], [], []];
  let place = 0;
  for (const at of [...times].sort((a, b) => a - b)) {
    while (place < amounts.length && amounts[place][0] <= at) done += amounts[place++][1];
    const plan = isEven(row) && at >= start ? planned(row, at, now) : null;
    const has = plan !== null;
    data[0].push(at / 1000);
    data[1].push(at <= until && whole ? done / whole : null);
    data[2].push(plan);
    data[3].push(has && row.up_tolerance !== undefined ? Math.min(1, plan + row.up_tolerance) : null);
    data[4].push(has && row.low_tolerance !== undefined ? Math.max(0, plan - row.low_tolerance) : null);
  }
  return data;
}

// [time, price of the fill, average, first price, worst price]
function pricesOf(row, trace, now) {
  const fills = trace.filter(([, , price]) => price);
  const begin = row.started || fills[0]?.[0] || now;
  const times = [Math.min(begin, fills[0]?.[0] ?? begin), ...fills.map(([at]) => at), row.ended || now];
  const ends = (value) =>
    times.map((_, place) => (value && (place === 0 || place === times.length - 1) ? Number(value) : null));
  return [
    times.map((at) => at / 1000),
    [null, ...fills.map(([, , price]) => price), null],
    ends(row.average),
    ends(row.first_price),
    ends(nearWorst(row, fills)),
  ];
}

// A bound that is far from all prices would press them into one line; then it is left to the figures.
function nearWorst(row, fills) {
  const worst = Number(row.worst_price ?? 0);
  const average = Number(row.average ?? 0);
  if (!worst || !average || !fills.length) return null;
  const spread = Math.max(...fills.map(([, , price]) => Math.abs(price - average)), average * 0.0005);
  return Math.abs(worst - average) < 8 * spread ? worst : null;
}
