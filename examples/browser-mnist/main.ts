// The page: buttons, messages, one run at a time.

import { Control } from './control.js';
import { loadMnist, type Mnist } from './mnist.js';
import { readSettings, type Settings, takeParameters } from './settings.js';
import { newRecord, type RunRecord, startEngine, train } from './training.js';
import { byId, View } from './view.js';

const REDRAW_MS = 250;

const form = byId('settings', HTMLFormElement);
const fields = byId('fields', HTMLFieldSetElement);
const mainButton = byId('main', HTMLButtonElement);
const stopButton = byId('stop', HTMLButtonElement);
const status = byId('status', HTMLElement);
const alert = byId('alert', HTMLElement);
const software = byId('software', HTMLElement);
const view = new View();

let control: Control | null = null;
let mnist: Promise<Mnist> | null = null;

form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (control === null) void run(readSettings(form));
  else if (control.isPaused) goOn(control);
  else pause(control);
});
// The browser shows no invalid field inside closed details, so they are opened.
form.addEventListener(
  'invalid',
  () => {
    for (const details of form.querySelectorAll('details')) details.open = true;
  },
  true,
);
stopButton.addEventListener('click', () => {
  say('Stopping.');
  mainButton.focus(); // otherwise the focus is lost with the disabled button
  control?.stop();
});

const autostart = takeParameters(form, location.href);
const { backend } = readSettings(form);
if (backend === 'webgpu' && !(await hasWebGPU())) offerCpu();
else if (autostart) form.requestSubmit();

async function run(settings: Settings): Promise<void> {
  control = new Control();
  alert.hidden = software.hidden = true;
  fields.disabled = true;
  stopButton.disabled = false;
  mainButton.textContent = 'Pause';
  try {
    say('Loading MNIST …');
    mnist ??= loadMnist();
    const data = await mnist;
    say('Starting …');
    const engine = await startEngine(settings);
    try {
      const record = newRecord(engine);
      markSoftware(record);
      say(trainingOn(record));
      view.show(record);
      const timer = setInterval(() => view.show(record), REDRAW_MS);
      try {
        await train(settings, data, engine, control, record);
      } finally {
        clearInterval(timer);
        view.show(record);
        Object.assign(globalThis, { record }); // to look at in the console
      }
      say(`Done after ${record.steps} steps. The slow weights are the result.`);
    } finally {
      engine?.stop();
    }
  } catch (error) {
    mnist = null;
    say('Failed.');
    show(error instanceof Error ? error.message : String(error));
  } finally {
    control = null;
    fields.disabled = false;
    stopButton.disabled = true;
    mainButton.textContent = 'Start';
  }
}

function pause(running: Control): void {
  running.pause();
  mainButton.textContent = 'Resume';
  say('Paused.');
}

function goOn(running: Control): void {
  running.resume();
  mainButton.textContent = 'Pause';
  say('Training.');
}

function trainingOn({ adapter, backend }: RunRecord): string {
  return adapter === null ? `Training on the backend ${backend}.` : `Training on ${adapter.name}.`;
}

function markSoftware({ adapter }: RunRecord): void {
  if (adapter?.software !== true) return;
  software.textContent =
    `Software adapter: ${adapter.name}. This browser computes WebGPU on the CPU, many times slower than ` +
    `a GPU. Its speed says nothing; its bytes are right.`;
  software.hidden = false;
}

async function hasWebGPU(): Promise<boolean> {
  return 'gpu' in navigator && (await navigator.gpu.requestAdapter()) !== null;
}

function offerCpu(): void {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Train on the CPU';
  button.addEventListener('click', () => {
    const select = form.elements.namedItem('backend');
    if (select instanceof HTMLSelectElement) select.value = 'cpu';
    mainButton.focus();
    form.requestSubmit();
  });
  show(
    'This browser has no WebGPU here. It needs a current Chrome, Edge, Safari or Firefox with graphics ' +
      'acceleration, and a page from https or localhost. The same training runs on the CPU, more slowly. ',
  );
  alert.append(button);
  say('No WebGPU.');
}

function show(message: string): void {
  alert.textContent = message;
  alert.hidden = false;
}

function say(message: string): void {
  status.textContent = message;
}
