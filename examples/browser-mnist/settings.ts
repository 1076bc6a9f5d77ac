// The settings in the form. The form checks them: its fields have types and limits.

export interface Settings {
  readonly backend: 'webgpu' | 'cpu';
  readonly hidden: number;
  readonly batch: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly syncPeriod: number;
  readonly slowStepSize: number;
  /** `'64MiB'`; empty for none. */
  readonly vramBudget: string;
  /** Steps between reads of the loss: a read waits for the device. */
  readonly readEvery: number;
  readonly testEvery: number;
  readonly testImages: number;
}

/** Puts the parameters of the URL into the form. Returns whether `autostart` is among them. */
export function takeParameters(form: HTMLFormElement, url: string): boolean {
  const parameters = new URL(url).searchParams;
  for (const [name, value] of parameters) {
    const field = form.elements.namedItem(name);
    if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement)
      field.value = value;
  }
  return parameters.has('autostart');
}

export function readSettings(form: HTMLFormElement): Settings {
  const fields = new FormData(form);
  const text = (name: keyof Settings) => {
    const value = fields.get(name);
    return typeof value === 'string' ? value.trim() : '';
  };
  const number = (name: keyof Settings) => Number(text(name));
  return {
    backend: text('backend') === 'cpu' ? 'cpu' : 'webgpu',
    hidden: number('hidden'),
    batch: number('batch'),
    steps: number('steps'),
    learningRate: number('learningRate'),
    syncPeriod: number('syncPeriod'),
    slowStepSize: number('slowStepSize'),
    vramBudget: text('vramBudget'),
    readEvery: number('readEvery'),
    testEvery: number('testEvery'),
    testImages: number('testImages'),
  };
}
