/** The stacked memory timeline of each run, all on the same axes. */
export const MEMORY_SCRIPT = `
  (() => {
    const section = document.getElementById('memory');
    if (section === null) return;
    /** From the bottom: what stays long lies below what comes and goes. */
    const ORDER = ['weights', 'moments', 'gradients', 'activations', 'staging', 'pool']
      .map((name) => data.categories.indexOf(name)).filter((at) => at >= 0);
    const STEPS_OF_A_VIEW = 6;
    /** Several to a pixel, where they are all in view. */
    const DENSE_POINTS = 3000;
    const runs = data.runs.map(({ name }, at) => ({ name, at })).filter(({ at }) => data.runs[at].memory !== null);
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
      run.place = panel(section, many ? run.name : '', many ? 'run' + (run.at % RUN_COLORS) : '');
      run.place.parentElement.append(element('p', 'above'));
    }
    let [mostBytes, top, end, firstEnds, lastBegins] = [0, 1, 1, 0, 1];

    function load() {
      for (const run of runs) {
        run.memory = data.runs[run.at].memory;
        run.bytes = columnsOf(run.memory);
        run.total = run.memory.points.x.map((_, i) => run.bytes.reduce((sum, one) => sum + one[i], 0));
      }
      mostBytes = runs.reduce((most, { total }) => total.reduce((a, b) => Math.max(a, b), most), 0);
      end = runs.reduce((most, { memory }) => Math.max(most, memory.points.x.at(-1) ?? 0), 1);
      firstEnds = Math.max(...runs.map(({ memory }) => memory.points.firstEnds ?? 0));
      lastBegins = Math.min(...runs.map(({ memory }) => memory.points.lastBegins ?? memory.points.firstEnds ?? end));
      for (const run of runs) {
        const { budgetBytes } = run.memory;
        run.hasLine = budgetBytes !== null && budgetBytes <= 2.5 * mostBytes;
        run.place.parentElement.querySelector('.above').textContent = [
          budgetBytes === null ? '' : run.hasLine
            ? 'Dashed: the budget, ' + bytes(budgetBytes) + '.'
            : 'The budget, ' + bytes(budgetBytes) + ', is far above this chart.',
          gapOf(run.memory) === null ? '' : 'Faded: without its single events, only what was held when a step began, and its peak.',
        ].filter((text) => text !== '').join(' ');
      }
      top = Math.max(mostBytes, ...runs.map(({ hasLine, memory }) => (hasLine ? memory.budgetBytes : 0)));
      section.hidden = runs.every(({ total }) => total.length === 0);
      for (const { button, isThere } of views) button.hidden = !isThere();
      views[0].button.hidden = views.every(({ button }, at) => at === 0 || button.hidden);
      toggles.forEach((button, i) => {
        button.hidden = runs.every((run) => run.bytes[ORDER[i]].every((held) => held === 0));
      });
    }

    /** The part between the first events and the last ones, if any were not kept. */
    function gapOf({ points: { firstEnds: from, lastBegins: to } }) {
      return to === null || to <= (from ?? 0) ? null : [from ?? 0, to];
    }

    /** Blocks of a peak must not look like blocks that were there all the time. */
    function fadeGap(run) {
      return (u) => {
        const gap = gapOf(run.memory);
        if (gap === null) return;
        const { min, max } = u.scales.x;
        const [from, to] = gap.map((x) => u.valToPos(Math.min(max, Math.max(min, x)), 'x', true));
        u.ctx.save();
        u.ctx.fillStyle = color('--card') + '66';
        u.ctx.fillRect(from, u.bbox.top, to - from, u.bbox.height);
        u.ctx.restore();
      };
    }

    /** The line of the budget, where it is not far above everything else. */
    function columnsToDraw(run, sums) {
      const { points, budgetBytes } = run.memory;
      const line = run.hasLine ? budgetBytes : null;
      return [points.x, ...sums, ...(budgetBytes === null ? [] : [points.x.map(() => line)])];
    }

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

    function markViews() {
      for (const { button, range } of views) button.setAttribute('aria-pressed', String(zoom.range === range));
    }
    const zoom = newZoom(markViews);

    function draw() {
      for (const run of runs) {
        run.chart?.remove();
        if (section.hidden) continue;
        const { kept, sums } = stacked(run);
        const edge = color('--card');
        const isDense = run.total.length > DENSE_POINTS;
        run.chart = drawChart(run.place, {
          height: many ? 200 : 320,
          label: 'Device memory' + (many ? ' of ' + run.name : ''),
          columns: columnsToDraw(run, sums),
          zoom,
          extent: () => [0, end],
          describe: (i) => describe(run, i),
          options: {
            cursor: { sync: { key: 'memory', scales: ['x', null] } },
            scales: { y: { range: () => [0, top * 1.05 || 1] } },
            axes: [stepAxis(), bytesAxis()],
            series: [
              {},
              ...kept.map((at) => ({
                // Unrounded and without edges: of many moves within one pixel only the last would be seen.
                fill: color('--c' + at), ...(isDense ? { width: 0, pxAlign: 0 } : { stroke: edge, width: 0.5 }),
                paths: uPlot.paths.stepped({ align: 1 }), points: { show: false },
              })),
              ...(run.memory.budgetBytes === null ? [] : [{ stroke: color('--ink'), width: 1.5, dash: [6, 4], points: { show: false } }]),
            ],
            hooks: { draw: [fadeGap(run)] },
          },
        });
      }
    }
    function update() {
      load();
      if (runs.some(({ chart }) => chart === undefined)) draw();
      else for (const run of runs) run.chart.update(columnsToDraw(run, stacked(run).sums));
    }

    const views = [
      { name: 'Whole run', range: null, isThere: () => true },
      {
        name: 'First steps',
        range: () => [0, Math.min(firstEnds, STEPS_OF_A_VIEW + 1)],
        isThere: () => end > STEPS_OF_A_VIEW + 1 && firstEnds > 0,
      },
      {
        name: 'Last steps',
        range: () => [Math.floor(Math.max(Math.min(lastBegins, end - 1), end - STEPS_OF_A_VIEW)), end],
        isThere: () => end > 2 * STEPS_OF_A_VIEW,
      },
    ];
    for (const view of views) {
      const { name, range } = view;
      view.button = toggle(section.querySelector('.views'), name, '', range === null, () => zoom.to(range));
    }
    const toggles = ORDER.map((at) =>
      toggle(section.querySelector('.toggles'), data.categories[at], 'c' + at, true, (isOn) => {
        if (isOn) shown.add(at);
        else shown.delete(at);
        draw();
      }));
    load();
    sections.push({ draw, update });
  })();
`;
