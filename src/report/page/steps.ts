/** How long each step took, and its sync, as bars; one strip a run, all on the same axes. */
export const STEPS_SCRIPT = `
  (() => {
    const section = document.getElementById('times');
    if (section === null) return;
    const runs = data.runs.map((run, at) => ({ name: run.name, at, zoom: newZoom() }))
      .filter(({ at }) => data.runs[at].times !== null && (!many || data.runs[at].times.ms.length > 0));
    for (const run of runs) run.place = panel(section, many ? run.name : '', many ? 'run' + (run.at % RUN_COLORS) : '');
    let [top, end] = [1, 1];

    function load() {
      for (const run of runs) {
        run.times = data.runs[run.at].times;
        const { stepsPerRow, stepsInLastRow, ms: means, syncMs } = run.times;
        const last = means.length - 1;
        run.stepsAt = (i) => (i === last ? stepsInLastRow : stepsPerRow);
        run.columns = [
          means.map((_, i) => i * stepsPerRow + (run.stepsAt(i) + 1) / 2),
          means,
          means.map((mean, i) => Math.max(0, mean - syncMs[i] / run.stepsAt(i))),
        ];
      }
      // A first step is far longer than the others: the scale is that of most.
      const all = runs.flatMap(({ times }) => times.ms).toSorted((a, b) => a - b);
      top = Math.max(0.1, 1.25 * (all[Math.floor(0.97 * (all.length - 1))] ?? 1));
      end = runs.reduce((most, { times: { stepsPerRow, stepsInLastRow, ms: { length } } }) =>
        Math.max(most, length === 0 ? 0 : (length - 1) * stepsPerRow + stepsInLastRow), 1);
      section.hidden = all.length === 0;
    }

    function describe(run, i) {
      const { stepsPerRow, ms: means, slowestMs, syncs, syncMs, syncPhases } = run.times;
      const [from, steps] = [i * stepsPerRow + 1, run.stepsAt(i)];
      const which = steps === 1 ? 'step ' + count(from) : 'steps ' + count(from) + '–' + count(from + steps - 1);
      const rows = [['compute', steps === 1 ? 'took' : 'mean', ms(means[i])]];
      if (steps > 1) rows.push(['', 'slowest', ms(slowestMs[i])]);
      if (syncs[i] > 0) {
        rows.push(['sync', syncs[i] === 1 ? 'sync' : count(syncs[i]) + ' syncs', ms(syncMs[i])]);
        for (const [phase, each] of Object.entries(syncPhases)) {
          if (each[i] > 0) rows.push(['', '· ' + phase, ms(each[i])]);
        }
      }
      return { title: (many ? run.name + ', ' : '') + which, rows };
    }

    /** A small mark over each row with a sync, while they do not run into each other. */
    function markSyncs(run) {
      return (u) => {
        const { syncs } = run.times;
        const marked = run.columns[0].filter((_, i) => syncs[i] > 0);
        if (marked.length === 0 || u.bbox.width / marked.length < 5 * devicePixelRatio) return;
        u.ctx.save();
        u.ctx.fillStyle = color('--sync');
        const half = 3 * devicePixelRatio;
        for (const x of marked) {
          const left = u.valToPos(x, 'x', true);
          u.ctx.beginPath();
          u.ctx.moveTo(left - half, u.bbox.top);
          u.ctx.lineTo(left + half, u.bbox.top);
          u.ctx.lineTo(left, u.bbox.top + 2 * half);
          u.ctx.fill();
        }
        u.ctx.restore();
      };
    }

    function draw() {
      const bars = uPlot.paths.bars({ size: [0.9, 60], align: 0 });
      for (const run of runs) {
        run.chart?.remove();
        if (section.hidden) continue;
        const bar = (fill) => ({ fill, width: 0, paths: bars, points: { show: false } });
        run.chart = drawChart(run.place, {
          height: many ? 130 : 180,
          label: 'Milliseconds of each step' + (many ? ' of ' + run.name : ''),
          columns: run.columns,
          zoom: run.zoom,
          extent: () => [0.5, end + 0.5],
          describe: (i) => describe(run, i),
          options: {
            scales: { y: { range: () => [0, top] } },
            axes: [stepAxis(), axis('ms', 62)],
            series: [{}, bar(color('--sync')), bar(color('--compute'))],
            hooks: { draw: [markSyncs(run)] },
          },
        });
      }
    }
    function update() {
      load();
      if (runs.some(({ chart }) => chart === undefined)) draw();
      else for (const run of runs) run.chart.update(run.columns);
    }
    load();
    sections.push({ draw, update });
  })();
`;
