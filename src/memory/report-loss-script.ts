/** Loss curves of all runs in one chart. */
export const LOSS_SCRIPT = `
  (() => {
    const section = document.getElementById('loss');
    if (section.querySelector('.panels') === null) return;
    const place = panel(section, '');
    const KINDS = [
      { key: 'each', name: 'each batch' },
      { key: 'mean', name: 'training, smoothed (fast weights)' },
      { key: 'fast', name: 'test, fast weights' },
      { key: 'slow', name: 'test, slow weights' },
    ];
    const curves = [];
    data.runs.forEach((run, at) => {
      const { loss, validation } = run;
      for (const { key, name } of KINDS) {
        const isTest = key === 'fast' || key === 'slow';
        const step = isTest ? validation.step : loss.step;
        const values = isTest ? validation[key] : loss[key];
        if (values.some((value) => value !== null)) curves.push({ at, key, name, step, values });
      }
    });
    const hidden = new Set(many ? ['each'] : []);
    const hiddenRuns = new Set();
    const isShown = ({ key, at }) => !hidden.has(key) && !hiddenRuns.has(at);
    // Null: not finite. Undefined: another curve's step.
    const columns = curves.length === 0 ? [[0]] : uPlot.join(curves.map(({ step, values }) => [step, values]));

    function styleOf({ key, at }) {
      const few = columns[0].length < 3;
      const stroke = many ? runColor(at) : color(key === 'slow' ? '--run1' : '--run0');
      const points = (filled) => ({
        show: true, size: 8, width: 2, stroke, fill: filled ? stroke : color('--card'),
      });
      if (key === 'each') return { stroke: many ? stroke + '66' : color('--raw'), width: 1, points: { show: few } };
      if (key === 'mean') return { stroke, width: 2, dash: runDash(at), points: { show: few } };
      if (key === 'fast') return { stroke, width: 1.5, dash: [3, 4], points: points(false) };
      return { stroke, width: 1.5, dash: [9, 4], points: points(true) };
    }

    function valueAt(column, i) {
      for (; i >= 0; i--) if (column[i] !== undefined) return column[i];
      return undefined;
    }

    function describe(i) {
      const rows = curves.flatMap((curve, at) => {
        if (!isShown(curve)) return [];
        const value = valueAt(columns[at + 1], i);
        if (value === undefined) return [];
        const name = (many ? data.runs[curve.at].name + ', ' : '') + curve.name;
        const swatch = 'run' + (many ? curve.at % RUN_COLORS : curve.key === 'slow' ? 1 : 0);
        return [[swatch, name, value === null ? 'not finite' : value.toPrecision(4)]];
      });
      return { title: 'step ' + count(columns[0][i]), rows };
    }

    let chart;
    function draw() {
      chart?.remove();
      chart = drawChart(place, {
        height: innerWidth < 520 ? 240 : 320,
        label: 'Loss by step',
        columns,
        describe,
        options: {
          scales: { x: { time: false }, y: { range: fromZero } },
          axes: [stepAxis(), axis('loss (nats)', 46)],
          series: [{}, ...curves.map((curve) => ({ ...styleOf(curve), show: isShown(curve) }))],
        },
      });
    }

    const toggles = section.querySelector('.toggles');
    for (const { key, name } of KINDS) {
      if (!curves.some((curve) => curve.key === key)) continue;
      const button = toggle(toggles, name, 'line ' + key + (many ? '' : ' one'), !hidden.has(key), (isOn) => {
        if (isOn) hidden.delete(key);
        else hidden.add(key);
        draw();
      });
      button.dataset.kind = key;
    }
    if (many) {
      data.runs.forEach((run, at) => toggle(toggles, run.name, 'run' + (at % RUN_COLORS), true, (isOn) => {
        if (isOn) hiddenRuns.delete(at);
        else hiddenRuns.add(at);
        draw();
      }));
    }
    draws.push(draw);
  })();
`;
