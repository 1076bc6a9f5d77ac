/** The stacked memory timeline of each run, all on the same axes. */
export const MEMORY_SCRIPT = `
  (() => {
    const section = document.getElementById('memory');
    if (section === null) return;
    /** From the bottom: what stays long lies below what comes and goes. */
    const ORDER = ['weights', 'moments', 'gradients', 'activations', 'staging', 'pool']
      .map((name) => data.categories.indexOf(name)).filter((at) => at >= 0);
    const STEPS_OF_A_VIEW = 6;
    const runs = data.runs.map((run, at) => ({ ...run, at })).filter(({ memory }) => memory !== null);
    const shown = new Set(ORDER);

    /** Bytes by category at each point. */
    function columnsOf({ points }) {
      const { size, from, to, absolute } = points;
      const columns = data.categories.map(() => new Float64Array(size.length));
      let held = data.categories.map(() => 0);
      for (let i = 0; i < size.length; i++) {
        if (absolute[i] !== undefined) held = [...absolute[i]];
        else {
          held[from[i]] -= size[i]; // the place after the last one is of no category
          held[to[i]] += size[i];
        }
        for (let at = 0; at < columns.length; at++) columns[at][i] = held[at];
      }
      return columns;
    }
    for (const run of runs) {
      run.bytes = columnsOf(run.memory);
      run.total = run.memory.points.x.map((_, i) => run.bytes.reduce((sum, one) => sum + one[i], 0));
      run.place = panel(section, many ? run.name : '', many ? 'run' + (run.at % RUN_COLORS) : '');
      run.place.parentElement.append(element('p', 'above'));
    }
    const mostBytes = runs.reduce((most, { total }) => total.reduce((a, b) => Math.max(a, b), most), 0);
    const end = runs.reduce((most, { memory }) => Math.max(most, memory.points.x.at(-1) ?? 0), 1);
    let view = [0, end];

    function stacked(run) {
      const kept = ORDER.filter((at) => shown.has(at));
      let below = new Float64Array(run.total.length);
      const sums = kept.map((at) => (below = below.map((sum, i) => sum + run.bytes[at][i])));
      return { kept: kept.toReversed(), sums: sums.toReversed() };
    }

    function moved(points, i) {
      const places = [...data.categories, 'free'];
      const [from, to] = [places[points.from[i]], places[points.to[i]]];
      const size = bytes(points.size[i]);
      if (from === 'free') return size + ' allocated: ' + to;
      if (to === 'free') return size + ' freed: ' + from;
      if (to === 'pool') return size + ' released, back to the pool: ' + from;
      if (from === 'pool') return size + ' taken from the pool: ' + to;
      return size + ' of ' + from + ' counted as ' + to + ' from now on';
    }

    function describe(run, i) {
      const { points } = run.memory;
      const step = points.step[i];
      const when = step === 0 ? 'before step 1' : 'step ' + count(step);
      const phase = data.phases[points.phase[i]];
      const isRow = points.size[i] < 0;
      const title = points.size[i] === -1
        ? when + ', when it began'
        : points.size[i] === -2 ? when + ', ' + phase + ': most in use' : when + ', ' + phase;
      const rows = isRow ? [] : [['', moved(points, i), '']];
      for (const at of ORDER.toReversed()) {
        if (run.bytes[at][i] !== 0) rows.push(['c' + at, data.categories[at], bytes(run.bytes[at][i])]);
      }
      return { title: (many ? run.name + ', ' : '') + title, rows: [...rows, ['', 'in all', bytes(run.total[i])]] };
    }

    let isZooming = false;
    function zoom(range) {
      view = range;
      isZooming = true;
      for (const { chart } of runs) chart.u.setScale('x', { min: range[0], max: range[1] });
      isZooming = false;
      for (const { button, of } of buttons) {
        button.setAttribute('aria-pressed', String(of[0] === range[0] && of[1] === range[1]));
      }
    }

    function draw() {
      for (const run of runs) {
        run.chart?.remove();
        const { kept, sums } = stacked(run);
        const { budgetBytes, points } = run.memory;
        const hasLine = budgetBytes !== null && budgetBytes <= 2.5 * mostBytes;
        const edge = color('--card');
        run.place.parentElement.querySelector('.above').textContent =
          budgetBytes === null ? '' : hasLine
            ? 'Dashed: the budget, ' + bytes(budgetBytes) + '.'
            : 'The budget, ' + bytes(budgetBytes) + ', is far above this chart.';
        const top = Math.max(mostBytes, ...runs.map(({ memory: { budgetBytes: line } }) =>
          line !== null && line <= 2.5 * mostBytes ? line : 0));
        run.chart = drawChart(run.place, {
          height: many ? 200 : 320,
          label: 'Device memory' + (many ? ' of ' + run.name : ''),
          columns: [points.x, ...sums, ...(hasLine ? [points.x.map(() => budgetBytes)] : [])],
          describe: (i) => describe(run, i),
          options: {
            cursor: { sync: { key: 'memory', scales: ['x', null] } },
            scales: { x: { time: false, range: () => view }, y: { range: () => [0, top * 1.05 || 1] } },
            axes: [stepAxis(), bytesAxis()],
            series: [
              {},
              ...kept.map((at) => ({
                fill: color('--c' + at), stroke: edge, width: 0.5,
                paths: uPlot.paths.stepped({ align: 1 }), points: { show: false },
              })),
              ...(hasLine ? [{ stroke: color('--ink'), width: 1.5, dash: [6, 4], points: { show: false } }] : []),
            ],
            hooks: {
              setSelect: [(u) => {
                if (u.select.width < 3) return;
                const range = [u.select.left, u.select.left + u.select.width].map((at) => u.posToVal(at, 'x'));
                u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
                zoom(range);
              }],
            },
          },
        });
        run.chart.u.over.addEventListener('dblclick', () => zoom([0, end]));
      }
    }

    const views = [['Whole run', [0, end]]];
    const firstEnds = Math.max(...runs.map(({ memory }) => memory.points.firstEnds ?? 0));
    const lastBegins = Math.min(...runs.map(({ memory }) => memory.points.lastBegins ?? memory.points.firstEnds ?? end));
    if (end > STEPS_OF_A_VIEW + 1 && firstEnds > 0) views.push(['First steps', [0, Math.min(firstEnds, STEPS_OF_A_VIEW + 1)]]);
    if (end > 2 * STEPS_OF_A_VIEW) views.push(['Last steps', [Math.floor(Math.max(Math.min(lastBegins, end - 1), end - STEPS_OF_A_VIEW)), end]]);
    const buttons = views.length < 2 ? [] : views.map(([name, of]) => ({
      of,
      button: toggle(section.querySelector('.views'), name, '', of === views[0][1], () => zoom(of)),
    }));
    for (const at of ORDER) {
      if (runs.every((run) => run.bytes[at].every((held) => held === 0))) continue;
      toggle(section.querySelector('.toggles'), data.categories[at], 'c' + at, true, (isOn) => {
        if (isOn) shown.add(at);
        else shown.delete(at);
        draw();
      });
    }
    draws.push(draw);
  })();
`;
