/**
 * Draws the curve in the browser; `uPlot` and the element `#curve` are on the page. A string, because
 * it must reach the page as it stands here: a function's source changes with whatever compiled it.
 */
export const REPORT_SCRIPT = `
(() => {
  const place = document.getElementById('chart');
  const data = JSON.parse(document.getElementById('curve').textContent);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  let plot;

  function draw() {
    plot?.destroy();
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(name).trim();
    const font = '12px ' + getComputedStyle(document.body).fontFamily;
    const axis = {
      stroke: color('--soft'), font, labelFont: font, labelSize: 20,
      grid: { stroke: color('--line'), width: 1 }, ticks: { show: false },
    };
    const few = data[0].length < 3;
    plot = new uPlot({
      ...size(),
      padding: [10, 14, 0, 0],
      cursor: { drag: { x: false, y: false }, points: { show: !few } },
      legend: { show: false },
      scales: { x: { time: false }, y: { range: yRange } },
      axes: [
        { ...axis, label: 'step', size: 34 },
        { ...axis, label: 'loss (nats)', size: 46 },
      ],
      series: [
        {},
        { stroke: color('--raw'), width: 1, points: { show: few } },
        { stroke: color('--mean'), width: 2.5, points: { show: few } },
      ],
    }, data, place);
  }

  // From zero, because a loss has one; a little air above the highest value.
  function yRange(_, min, max) {
    return max > 0 ? [Math.min(0, min), max * 1.05] : [0, 1];
  }

  function size() {
    return { width: place.clientWidth, height: parseFloat(getComputedStyle(place).minHeight) };
  }

  draw();
  new ResizeObserver(() => plot.setSize(size())).observe(place);
  dark.addEventListener('change', draw);
  const page = document.documentElement;
  addEventListener('beforeprint', () => { page.dataset.print = ''; draw(); });
  addEventListener('afterprint', () => { delete page.dataset.print; draw(); });
})();
`;

/**
 * Runs before uPlot, which gives up while loading where the browser's language is one that `Intl`
 * refuses, such as `en-US@posix` of a headless Chromium under `LANG=C`.
 */
export const LANGUAGE_SCRIPT = `
try { Intl.getCanonicalLocales(navigator.language); }
catch { Object.defineProperty(navigator, 'language', { value: 'en-US' }); }
`;
