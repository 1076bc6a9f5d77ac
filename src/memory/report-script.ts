/**
 * The report in the browser: what its charts share. `uPlot` and the element `#data` are on the page. Strings,
 * because they must reach the page as they stand here: a function's source changes with whatever compiled it.
 * Together they are one function: this opens it, START_SCRIPT closes it.
 */
export const COMMON_SCRIPT = `
(() => {
  'use strict';
  const data = JSON.parse(document.getElementById('data').textContent);
  const page = document.documentElement;
  const RUN_COLORS = 5;
  /** Functions that draw a section anew, in the colours of now. */
  const draws = [];

  const color = (name) => getComputedStyle(page).getPropertyValue(name).trim();
  const runColor = (at) => color('--run' + (at % RUN_COLORS));
  const runDash = (at) => (at < RUN_COLORS ? undefined : [8, 3]);
  const many = data.runs.length > 1;

  function significant(value) {
    if (Math.abs(value) >= 999.5) return Math.round(value).toLocaleString('en-US');
    return value.toLocaleString('en-US', { maximumSignificantDigits: 3 });
  }
  function bytes(value) {
    let unit = 0;
    for (; Math.abs(value) >= 1024 && unit < 4; unit++) value /= 1024;
    return significant(value) + ' ' + ['B', 'KiB', 'MiB', 'GiB', 'TiB'][unit];
  }
  const ms = (value) => (value < 1000 ? significant(value) + ' ms' : significant(value / 1000) + ' s');
  const count = (value) => value.toLocaleString('en-US');
  const capital = (word) => word[0].toUpperCase() + word.slice(1);

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  /** A button that is pressed or not. */
  function toggle(place, text, swatch, pressed, change) {
    const button = element('button');
    button.type = 'button';
    if (swatch) button.append(element('span', 'swatch ' + swatch));
    button.append(text);
    button.setAttribute('aria-pressed', String(pressed));
    button.addEventListener('click', () => {
      const now = button.getAttribute('aria-pressed') !== 'true';
      button.setAttribute('aria-pressed', String(now));
      change(now);
    });
    place.append(button);
    return button;
  }

  /** A place for a chart, under the name of its run where there are several. */
  function panel(section, heading, swatch) {
    const outer = element('figure', 'panel');
    if (heading) {
      const caption = element('figcaption');
      if (swatch) caption.append(element('span', 'swatch ' + swatch));
      caption.append(heading);
      outer.append(caption);
    }
    const place = element('div', 'plot');
    outer.append(place);
    section.querySelector('.panels').append(outer);
    return place;
  }

  function axis(label, size, more) {
    const font = '12px ' + getComputedStyle(document.body).fontFamily;
    return {
      stroke: color('--soft'), font, labelFont: font, labelSize: 20, label, size,
      grid: { stroke: color('--line'), width: 1 }, ticks: { show: false }, ...more,
    };
  }
  /** Powers of two and their halves, so that bytes have round numbers. */
  const BINARY = Array.from({ length: 44 }, (_, power) => 2 ** power);
  const stepAxis = () => axis('step', 26, {
    incrs: Array.from({ length: 8 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat(),
  });
  const bytesAxis = () => axis('bytes', 62, { incrs: BINARY, values: (_, all) => all.map(bytes) });

  // From zero, because losses, bytes and times have one; a little air above the highest value.
  function fromZero(_, min, max) {
    return max > 0 ? [Math.min(0, min), max * 1.05] : [0, 1];
  }

  /**
   * One chart. \`spec\`: height, label, columns, options (of uPlot), describe(at) for the point at a place:
   * { title, rows: [swatch, name, value] } or null.
   */
  function drawChart(place, spec) {
    const tip = element('div', 'tip');
    let chosen = null;
    function tell(u, at, aloud) {
      const told = at === null || at === undefined ? null : spec.describe(at);
      tip.hidden = told === null;
      if (told === null) return;
      tip.replaceChildren(element('strong', '', told.title));
      for (const [swatch, name, value] of told.rows) {
        const row = element('div');
        if (swatch) row.append(element('span', 'swatch ' + swatch));
        row.append(element('span', 'name', name), element('span', 'value', value ?? ''));
        tip.append(row);
      }
      const left = u.valToPos(u.data[0][at], 'x');
      const isRight = left > u.over.clientWidth / 2;
      tip.style.left = isRight ? '' : left + 14 + 'px';
      tip.style.right = isRight ? u.over.clientWidth - left + 14 + 'px' : '';
      if (!aloud) return;
      const all = told.rows.map(([, name, value]) => name + (value ? ' ' + value : '')).join(', ');
      place.closest('section').querySelector('.read').textContent = told.title + ': ' + all;
    }
    const size = () => ({ width: Math.max(120, place.clientWidth), height: spec.height });
    const u = new uPlot({
      padding: [10, 24, 0, 0],
      legend: { show: false },
      ...spec.options,
      ...size(),
      cursor: { points: { show: false }, drag: { x: true, y: false, uni: 8 }, ...spec.options.cursor },
      hooks: {
        ...spec.options.hooks,
        setCursor: [(u) => {
          if (chosen !== null) return;
          tell(u, u.cursor.left < 0 ? null : u.cursor.idx, false);
        }],
      },
    }, spec.columns, place);
    tip.hidden = true;
    u.over.append(tip);
    u.root.tabIndex = 0;
    u.root.setAttribute('role', 'group');
    u.root.setAttribute('aria-label', spec.label + '. Arrow keys go from point to point.');
    u.root.addEventListener('keydown', (event) => {
      const xs = u.data[0];
      const { min, max } = u.scales.x;
      const first = xs.findIndex((x) => x >= min);
      const last = xs.findLastIndex((x) => x <= max);
      let at = u.cursor.idx ?? first;
      if (u.root.dataset.at !== undefined) at = Number(u.root.dataset.at);
      if (event.key === 'ArrowRight') at += 1;
      else if (event.key === 'ArrowLeft') at -= 1;
      else if (event.key === 'PageDown') at += 20;
      else if (event.key === 'PageUp') at -= 20;
      else if (event.key === 'Home') at = first;
      else if (event.key === 'End') at = last;
      else if (event.key === 'Escape') { tell(u, null); return; }
      else return;
      event.preventDefault();
      at = Math.min(last, Math.max(first, at));
      u.root.dataset.at = at;
      chosen = at; // several points may lie on one pixel: uPlot would take another one
      u.setCursor({ left: u.valToPos(xs[at], 'x'), top: u.over.clientHeight / 2 });
      tell(u, at, true);
      requestAnimationFrame(() => { chosen = null; });
    });
    u.root.addEventListener('mousemove', () => { delete u.root.dataset.at; });
    const observer = new ResizeObserver(() => u.setSize(size()));
    observer.observe(place);
    return { u, remove() { observer.disconnect(); u.destroy(); } };
  }
`;

/** Draws everything, and again when the colours change. */
export const START_SCRIPT = `
  const drawAll = () => draws.forEach((draw) => draw());
  drawAll();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
  addEventListener('beforeprint', () => { page.dataset.print = ''; drawAll(); });
  addEventListener('afterprint', () => { delete page.dataset.print; drawAll(); });
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
