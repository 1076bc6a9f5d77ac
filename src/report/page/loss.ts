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
    const curves = data.runs.flatMap((_, at) => KINDS.map(({ key, name }) => ({ at, key, name })));
    let columns;
    function load() {
      for (const curve of curves) {
        const { loss, validation } = data.runs[curve.at];
        const isTest = curve.key === 'fast' || curve.key === 'slow';
        curve.step = isTest ? validation.step : loss.step;
        curve.values = isTest ? validation[curve.key] : loss[curve.key];
      }
      // Null: not finite. Undefined: another curve's step.
      columns = uPlot.join(curves.map(({ step, values }) => [step, values]));
      section.hidden = columns[0].length === 0;
      for (const button of toggles.children) {
        const { kind } = button.dataset;
        if (kind !== undefined) button.hidden = !curves.some(({ key, values }) => key === kind && values.some((value) => value !== null));
      }
    }
    function extent() {
      const [first, last] = [columns[0][0], columns[0].at(-1)];
      return first === last ? [first - 1, last + 1] : [first, last];
    }
    const hidden = new Set(many ? ['each'] : []);
    const hiddenRuns = new Set();
    const isShown = ({ key, at }) => !hidden.has(key) && !hiddenRuns.has(at);

    function styleOf({ key, at }) {
      const few = (u) => u.data[0].length < 3;
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

    const zoom = newZoom();
    let chart;
    function draw() {
      chart?.remove();
      chart = section.hidden ? undefined : drawChart(place, {
        height: innerWidth < 520 ? 240 : 320,
        label: 'Loss by step',
        columns,
        zoom,
        extent,
        describe,
        options: {
          scales: { y: { range: fromZero } },
          axes: [stepAxis(), axis('loss (nats)', 46)],
          series: [{}, ...curves.map((curve) => ({ ...styleOf(curve), show: isShown(curve) }))],
        },
      });
    }
    function update() {
      load();
      if (chart === undefined) draw();
      else chart.update(columns);
    }

    const toggles = section.querySelector('.toggles');
    for (const { key, name } of KINDS) {
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
    load();
    sections.push({ draw, update });
  })();
`;
