/** The look of the report: light and dark by the reader's setting, always light on paper. */
export const REPORT_CSS = `
:root {
  --page: #fbfaf8; --card: #ffffff; --ink: #1d2329; --soft: #5d6771; --line: #e3e1dc;
  --raw: #9db8cf; --mean: #0b5cad; --alert: #8a4b00; --alert-back: #fff3df;
}
@media (prefers-color-scheme: dark) {
  :root:not([data-print]) {
    --page: #14171a; --card: #1c2126; --ink: #e8eaec; --soft: #9ba6b0; --line: #313840;
    --raw: #42617d; --mean: #6cb6ff; --alert: #ffc876; --alert-back: #362a15;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif;
}
main { max-width: 64rem; margin: 0 auto; padding: 2.5rem 1.25rem 3rem; }
h1 { margin: 0; font-size: 2rem; line-height: 1.2; letter-spacing: -0.01em; }
h2 { margin: 0 0 0.9rem; font-size: 1.15rem; }
.tool { margin: 0 0 0.25rem; color: var(--soft); font-size: 0.875rem; }
.what { margin: 0.4rem 0 0; color: var(--soft); }
.partial { margin: 1rem 0 0; padding: 0.6rem 0.9rem; border-radius: 0.5rem; color: var(--alert); background: var(--alert-back); }
section { margin-top: 1.5rem; padding: 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: 0.75rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: 0.75rem; margin: 1.75rem 0 0; }
.tiles > div { padding: 0.9rem 1.1rem; background: var(--card); border: 1px solid var(--line); border-radius: 0.75rem; }
.tiles dt { color: var(--soft); font-size: 0.875rem; }
.tiles dd { margin: 0; font-size: 1.6rem; font-weight: 650; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tiles small { display: block; color: var(--soft); font-size: 0.8125rem; font-weight: 400; line-height: 1.35; }
#chart { width: 100%; min-height: 20rem; }
#chart .u-legend { display: none; }
.key { display: flex; gap: 1.25rem; margin: 0.5rem 0 0; padding: 0; list-style: none; color: var(--soft); font-size: 0.875rem; }
.key li::before { content: ""; display: inline-block; width: 1.25rem; height: 0; margin-right: 0.45rem; vertical-align: 0.25em; border-top: 2px solid var(--raw); }
.key .smooth::before { border-top: 3px solid var(--mean); }
.tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); gap: 1.5rem 2.5rem; align-items: start; }
table { width: 100%; border-collapse: collapse; font-size: 0.9375rem; }
caption { padding-bottom: 0.3rem; color: var(--soft); font-size: 0.8125rem; font-weight: 600; letter-spacing: 0.02em; text-align: left; }
th, td { padding: 0.35rem 0; border-top: 1px solid var(--line); vertical-align: baseline; }
th { padding-right: 1rem; font-weight: 400; text-align: left; }
td { text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.results td { white-space: nowrap; }
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
  #chart { min-height: 15rem; }
}
@media print {
  main { max-width: none; padding: 0; }
  section, .tiles > div { break-inside: avoid; }
}
`;
