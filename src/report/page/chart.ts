/** A chart of the report: drawn by uPlot, read with the mouse and the keyboard, and given other data at any time. */
export const CHART_SCRIPT = `
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
   * The part of the x axis that charts show: what \`range\` returns, and all of it while that is null. Charts are drawn
   * anew and get other data; this stays.
   */
  function newZoom(changed = () => {}) {
    const zoom = {
      range: null,
      charts: new Set(),
      to(range) {
        zoom.range = range;
        for (const u of zoom.charts) u.redraw();
        changed();
      },
    };
    return zoom;
  }

  /** The point that the keyboard is at: { u, at }. Several may lie on one pixel, where uPlot would take another one. */
  let chosen = null;

  /**
   * One chart. \`spec\`: height, label, columns, zoom, extent() of its x axis, options (of uPlot), describe(at) for the
   * point at a place: { title, rows: [swatch, name, value] }.
   */
  function drawChart(place, spec) {
    const { zoom } = spec;
    const tip = element('div', 'tip');
    function tell(u, at, aloud) {
      tip.hidden = at === null || at === undefined || at >= u.data[0].length;
      if (tip.hidden) return;
      const told = spec.describe(at);
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
    function choose(u, at) {
      chosen = { u, at };
      u.setCursor({ left: u.valToPos(u.data[0][at], 'x'), top: u.over.clientHeight / 2 });
    }
    const size = () => ({ width: Math.max(120, place.clientWidth), height: spec.height });
    const { scales, hooks, cursor, ...options } = spec.options;
    const u = new uPlot({
      padding: [10, 24, 0, 0],
      legend: { show: false },
      ...options,
      ...size(),
      scales: { x: { time: false, range: () => zoom.range?.() ?? spec.extent() }, ...scales },
      cursor: { points: { show: false }, drag: { x: true, y: false, uni: 8, setScale: false }, ...cursor },
      hooks: {
        ...hooks,
        setCursor: [(u) => {
          const { left, idx } = u.cursor;
          tell(u, chosen?.u === u ? chosen.at : left < 0 ? null : idx, false);
        }],
        setSelect: [(u) => {
          const { left, width } = u.select;
          if (width < 3) return;
          const range = [left, left + width].map((at) => u.posToVal(at, 'x'));
          u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          zoom.to(() => range);
        }],
      },
    }, spec.columns, place);
    zoom.charts.add(u);
    tip.hidden = true;
    u.over.append(tip);
    u.over.addEventListener('dblclick', () => zoom.to(null));
    u.root.tabIndex = 0;
    u.root.setAttribute('role', 'group');
    u.root.setAttribute('aria-label', spec.label + '. Arrow keys go from point to point.');
    u.root.addEventListener('keydown', (event) => {
      const xs = u.data[0];
      const { min, max } = u.scales.x;
      const first = xs.findIndex((x) => x >= min);
      const last = xs.findLastIndex((x) => x <= max);
      let at = chosen?.u === u ? chosen.at : u.cursor.idx ?? first;
      if (event.key === 'ArrowRight') at += 1;
      else if (event.key === 'ArrowLeft') at -= 1;
      else if (event.key === 'PageDown') at += 20;
      else if (event.key === 'PageUp') at -= 20;
      else if (event.key === 'Home') at = first;
      else if (event.key === 'End') at = last;
      else if (event.key === 'Escape') { chosen = null; u.setCursor({ left: -10, top: -10 }); return; }
      else return;
      event.preventDefault();
      if (last < first) return; // nothing was recorded in the part that is shown
      at = Math.min(last, Math.max(first, at));
      choose(u, at);
      tell(u, at, true);
    });
    u.root.addEventListener('mousemove', () => { chosen = null; });
    const observer = new ResizeObserver(() => u.setSize(size()));
    observer.observe(place);
    return {
      u,
      /** Shows other data: zoom, focus, and the point that was chosen stay. */
      update(columns) {
        const x = chosen?.u === u ? u.data[0][chosen.at] : undefined;
        u.batch(() => {
          u.setData(columns, false);
          u.redraw();
        });
        if (x !== undefined) choose(u, Math.max(0, columns[0].findLastIndex((value) => value <= x)));
        else if (u.cursor.left >= 0) u.setCursor({ left: u.cursor.left, top: u.cursor.top });
      },
      remove() {
        if (chosen?.u === u) chosen = null;
        zoom.charts.delete(u);
        observer.disconnect();
        u.destroy();
      },
    };
  }
`;
