/** The look of the report: light and dark by the reader's setting, always light on paper. */
export const REPORT_CSS = `
:root {
  --page: #fbfaf8; --card: #ffffff; --ink: #1d2329; --soft: #5d6771; --line: #e3e1dc;
  --raw: #b9c9d8; --alert: #8a4b00; --alert-back: #fff3df;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #cc79a7; --c4: #f0b429; --c5: #b8bcc0;
  --run0: #0b5cad; --run1: #c85200; --run2: #007a5a; --run3: #a3487d; --run4: #6b6f00;
  --compute: #7fa8cc; --sync: #c85200;
}
@media (prefers-color-scheme: dark) {
  :root:not([data-print]) {
    --page: #14171a; --card: #1c2126; --ink: #e8eaec; --soft: #9ba6b0; --line: #313840;
    --raw: #3d5468; --alert: #ffc876; --alert-back: #362a15;
    --c0: #3f97d8; --c1: #ee7b30; --c2: #2db58c; --c3: #d993bb; --c4: #f2c75c; --c5: #6a727a;
    --run0: #6cb6ff; --run1: #ff9a4d; --run2: #3fcfa4; --run3: #e59cc9; --run4: #d6d95c;
    --compute: #4f7ba3; --sync: #ff9a4d;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif;
}
main { max-width: 64rem; margin: 0 auto; padding: 2.5rem 1.25rem 3rem; }
h1 { margin: 0; font-size: 2rem; line-height: 1.2; letter-spacing: -0.01em; }
h2 { margin: 0 0 0.9rem; font-size: 1.15rem; }
.tool { margin: 0 0 0.25rem; color: var(--soft); font-size: 0.875rem; }
.what { margin: 0.4rem 0 0; color: var(--soft); }
.live { margin: 1rem 0 0; padding: 0.6rem 0.9rem; border-radius: 0.5rem; background: var(--card); border: 1px solid var(--line); font-variant-numeric: tabular-nums; }
.partial#lost { margin: 0 0 1.25rem; }
#lost:not([hidden]) ~ * .live { display: none; }
.partial { margin: 1rem 0 0; padding: 0.6rem 0.9rem; border-radius: 0.5rem; color: var(--alert); background: var(--alert-back); }
section { margin-top: 1.5rem; padding: 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: 0.75rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: 0.75rem; margin: 1.75rem 0 0; }
.tiles > div { padding: 0.9rem 1.1rem; background: var(--card); border: 1px solid var(--line); border-radius: 0.75rem; }
.tiles dt { color: var(--soft); font-size: 0.875rem; }
.tiles dd { margin: 0; font-size: 1.6rem; font-weight: 650; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tiles small { display: block; color: var(--soft); font-size: 0.8125rem; font-weight: 400; line-height: 1.35; }
.panel { margin: 0; }
.panel + .panel { margin-top: 0.75rem; }
.panel figcaption { font-size: 0.9375rem; font-weight: 600; }
.plot { width: 100%; }
.uplot:focus-visible, button:focus-visible { outline: 2px solid var(--run0); outline-offset: 2px; }
.above { margin: 0; color: var(--soft); font-size: 0.8125rem; }
.read { position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%); }
.controls { display: flex; flex-wrap: wrap; gap: 0.5rem 1.5rem; margin: 0 0 0.6rem; }
.views, .toggles { display: flex; flex-wrap: wrap; gap: 0.35rem; }
button {
  padding: 0.15rem 0.6rem; border: 1px solid var(--line); border-radius: 1rem; background: none;
  color: var(--soft); font: inherit; font-size: 0.8125rem; cursor: pointer;
}
button[aria-pressed="true"] { border-color: var(--soft); color: var(--ink); }
button[aria-pressed="false"] .swatch { opacity: 0.25; }
.toggles button[aria-pressed="false"] { text-decoration: line-through; }
.key { color: var(--soft); font-size: 0.8125rem; }
.swatch { display: inline-block; width: 0.7rem; height: 0.7rem; margin-right: 0.4rem; border-radius: 2px; vertical-align: -0.05em; }
.c0 { background: var(--c0); } .c1 { background: var(--c1); } .c2 { background: var(--c2); }
.c3 { background: var(--c3); } .c4 { background: var(--c4); } .c5 { background: var(--c5); }
.run0 { background: var(--run0); } .run1 { background: var(--run1); } .run2 { background: var(--run2); }
.run3 { background: var(--run3); } .run4 { background: var(--run4); }
.compute { background: var(--compute); } .sync { background: var(--sync); }
.swatch.line { width: 1.4rem; height: 0; border-top: 2px solid var(--soft); border-radius: 0; vertical-align: 0.25em; }
.swatch.each { border-top-width: 1px; }
.swatch.fast { border-top-style: dotted; }
.swatch.slow { border-top-style: dashed; }
.one.each { border-color: var(--raw); } .one.mean, .one.fast { border-color: var(--run0); } .one.slow { border-color: var(--run1); }
.tip {
  position: absolute; top: 6px; z-index: 10; max-width: min(22rem, 60%); padding: 0.4rem 0.6rem; pointer-events: none;
  border: 1px solid var(--line); border-radius: 0.4rem; background: var(--card); color: var(--ink);
  box-shadow: 0 2px 8px #0003; font-size: 0.8125rem; line-height: 1.35;
}
.tip > div { display: flex; align-items: baseline; }
.tip .name { flex: 1; margin-right: 0.8rem; }
.tip .value { white-space: nowrap; font-variant-numeric: tabular-nums; }
.runs { margin: 0.5rem 0 0; padding: 0; list-style: none; color: var(--soft); }
.runs strong { color: var(--ink); }
.tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); gap: 1.5rem 2.5rem; align-items: start; }
table { width: 100%; border-collapse: collapse; font-size: 0.9375rem; }
caption { padding-bottom: 0.3rem; color: var(--soft); font-size: 0.8125rem; font-weight: 600; letter-spacing: 0.02em; text-align: left; }
th, td { padding: 0.35rem 0; border-top: 1px solid var(--line); vertical-align: baseline; }
th { padding-right: 1rem; font-weight: 400; text-align: left; }
td { text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.results:not(.wide) td { white-space: nowrap; }
.scroll { overflow-x: auto; }
.wide .tables { grid-template-columns: 1fr; }
thead th { padding: 0.35rem 0 0.35rem 1rem; font-weight: 600; text-align: right; vertical-align: bottom; overflow-wrap: normal; }
thead td { border: 0; }
.wide td { padding-left: 1rem; }
thead ~ tbody th { min-width: 7rem; }
thead ~ tbody td { min-width: 5rem; padding-left: 1rem; overflow-wrap: normal; }
.wide .differs th, .wide .differs td { background: color-mix(in srgb, var(--run0) 7%, transparent); }
#memory .scroll { margin-top: 1rem; }
#memory table { width: auto; min-width: min(100%, 26rem); }
.note, .command { margin: 1rem 0 0; color: var(--soft); font-size: 0.875rem; }
code { font: 0.875rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
@media (max-width: 32rem) {
  main { padding: 1.5rem 0.875rem 2rem; }
  h1 { font-size: 1.6rem; }
  section { padding: 1rem 0.875rem; }
  .tiles { grid-template-columns: 1fr 1fr; gap: 0.5rem; }
  .tiles > div:last-child:nth-child(odd) { grid-column: span 2; }
  .tiles > div { padding: 0.7rem 0.8rem; }
  .tiles dd { font-size: 1.3rem; }
}
@media print {
  main { max-width: none; padding: 0; }
  section { padding: 0.75rem; }
  .panel, .tiles > div, tr { break-inside: avoid; }
  h2, caption { break-after: avoid; }
  .views, .tip, .toggles button[aria-pressed="false"] { display: none; }
  button, button[aria-pressed="true"] { border: 0; padding: 0 0.5rem 0 0; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
