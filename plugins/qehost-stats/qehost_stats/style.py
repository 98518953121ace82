"""The look of the report: light, dark, phone and print."""

__all__ = ["STYLE"]

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --card: #f6f7f9; --ink: #16191d; --quiet: #5c6570;
  --line: #dde1e6; --cost: #c2410c; --gain: #0f766e; --plan: #6b7280; --fill: #2563eb;
  --band: #2563eb22; --area: #2563eb1f; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171b; --card: #1d2228; --ink: #e8eaed;
  --quiet: #9aa4b0; --line: #333b44; --cost: #fb923c; --gain: #2dd4bf; --plan: #9ca3af;
  --fill: #60a5fa; --band: #60a5fa26; --area: #60a5fa24; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 28px 24px 48px; max-width: 1280px; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { margin: 0 0 2px; font-size: 26px; line-height: 1.2; }
h2 { margin: 40px 0 4px; font-size: 18px; }
h3 { margin: 0; font-size: 14px; font-weight: 600; overflow-wrap: anywhere; }
p { margin: 4px 0; max-width: 78ch; }
.quiet { color: var(--quiet); }
.small { font-size: 13px; }
.cost { color: var(--cost); } .gain { color: var(--gain); }
.notes { margin: 16px 0 0; padding: 10px 14px 10px 30px; border-left: 4px solid var(--cost);
  background: var(--card); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(270px, 1fr)); gap: 12px;
  margin: 12px 0; }
.tile { margin: 0; padding: 12px 14px; border-radius: 8px; background: var(--card); min-width: 0; }
.tile dt { color: var(--quiet); font-size: 13px; }
.tile dd { margin: 0; } .tile .big { font-size: 21px; font-weight: 600; overflow-wrap: anywhere;
  line-height: 1.3; }
.tile, td, th { font-variant-numeric: tabular-nums; }
.plot { display: grid; grid-template-columns: auto 1fr; gap: 2px 8px; margin: 10px 0; }
.whole { white-space: nowrap; }
.plot .y { position: relative; display: flex; flex-direction: column; text-align: right;
  justify-content: space-between; color: var(--quiet); font-size: 12px; line-height: 1; }
.plot .zero { position: absolute; right: 0; transform: translateY(-50%); }
.plot .x { grid-column: 2; display: flex; justify-content: space-between; color: var(--quiet);
  font-size: 12px; }
svg { display: block; width: 100%; overflow: visible; }
svg.scatter { height: 220px; } svg.progress { height: 110px; } svg.bar { height: 14px; }
svg path { fill: none; vector-effect: non-scaling-stroke; }
svg .axis { stroke: var(--line); stroke-width: 1; }
svg .dot { stroke-linecap: round; stroke-opacity: .6; }
svg .many .dot { stroke-opacity: .4; }
svg .dot.cost { stroke: var(--cost); } svg .dot.gain { stroke: var(--gain); }
svg .plan { stroke: var(--plan); stroke-width: 1.5; stroke-dasharray: 5 4; }
svg .filled { stroke: var(--fill); stroke-width: 2; stroke-linejoin: round; }
svg .area { fill: var(--area); } svg .band { fill: var(--band); }
svg rect.cost { fill: var(--cost); } svg rect.gain { fill: var(--gain); }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 370px), 1fr));
  gap: 14px; margin: 12px 0; }
.card { padding: 12px 14px; border: 1px solid var(--line); border-radius: 8px; min-width: 0;
  break-inside: avoid; }
.card .x { display: flex; justify-content: space-between; color: var(--quiet); font-size: 12px;
  margin-top: 4px; }
table { width: 100%; border-collapse: collapse; margin: 10px 0; font-size: 13.5px; }
th { text-align: left; font-weight: 500; color: var(--quiet); vertical-align: bottom;
  border-bottom: 1px solid var(--line); padding: 5px 8px; }
td { padding: 5px 8px; border-bottom: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
.n { text-align: right; white-space: nowrap; }
td.bar { width: 110px; vertical-align: middle; }
td .id { overflow-wrap: anywhere; }
.mark { display: inline-block; padding: 0 6px; border: 1px solid var(--line); border-radius: 9px;
  font-size: 12px; color: var(--quiet); white-space: nowrap; }
details { margin: 12px 0; } summary { cursor: pointer; font-weight: 600; }
dl.words dt { margin-top: 8px; font-family: ui-monospace, monospace; font-size: 13px;
  overflow-wrap: anywhere; }
dl.words dd { margin: 0 0 0 16px; max-width: 90ch; }
@media (max-width: 720px) {
  body { padding: 18px 14px 32px; } h1 { font-size: 22px; }
  .tiles { grid-template-columns: 1fr 1fr; gap: 8px; } .tile { padding: 10px 12px; }
  .tile .big { font-size: 18px; } svg.scatter { height: 180px; }
  table, tbody, tr { display: block; } thead { display: none; }
  tr { padding: 9px 0; border-bottom: 1px solid var(--line); display: grid;
    grid-template-columns: 1fr 1fr; gap: 2px 14px; }
  td, td:first-child, td:last-child { display: flex; justify-content: space-between; gap: 8px;
    border: 0; padding: 0; text-align: right; min-width: 0; }
  td::before { content: attr(data-name); color: var(--quiet); text-align: left; font-weight: 400; }
  td.wide { grid-column: 1 / -1; text-align: left; justify-content: flex-start; font-weight: 600; }
  td.wide::before { content: none; } td.bar, td.none { display: none; }
}
@media print {
  :root { --paper: #fff; --card: #f6f7f9; --ink: #000; --quiet: #444; --line: #bbb; --cost: #9a3412;
    --gain: #0f5f58; --plan: #555; --fill: #1d4ed8; --band: #1d4ed81c; --area: #1d4ed814; }
  body { padding: 0; max-width: none; font-size: 10pt; } tr, .tile, .plot { break-inside: avoid; }
  h2 { break-after: avoid; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  thead { display: table-header-group; } table { font-size: 8.5pt; }
}
"""
