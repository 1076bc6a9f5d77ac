/**
 * The report in the browser: what its sections share. `uPlot` and the element `#data` are on the page. Strings,
 * because they must reach the page as they stand here: a function's source changes with whatever compiled it.
 * Together they are one function: this opens it, END_SCRIPT closes it.
 */
export const COMMON_SCRIPT = `
(() => {
  'use strict';
  const data = JSON.parse(document.getElementById('data').textContent);
  const page = document.documentElement;
  const RUN_COLORS = 5;
  /** \`draw\` draws a section anew, in the colours of now; \`update\` shows what is in \`data\` now. */
  const sections = [];

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
`;

/** Draws everything, and again when the colours change. */
export const START_SCRIPT = `
  const drawAll = () => sections.forEach(({ draw }) => draw());
  drawAll();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
  addEventListener('beforeprint', () => { page.dataset.print = ''; drawAll(); });
  addEventListener('afterprint', () => { delete page.dataset.print; drawAll(); });
`;

export const END_SCRIPT = `
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
