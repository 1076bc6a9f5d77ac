// What the sections of the page share: its data, colours, and elements.

import type { ReportData } from '../data.js';
import { RUN_COLORS } from '../html.js';

/** What the page shows. On a live page its fields change. */
export const data = JSON.parse(byId('data').textContent ?? '') as ReportData;

export const hasManyRuns = data.runs.length > 1;

export interface Section {
  /** Draws anew, in the current colours. */
  draw(): void;
  /** Shows what is in `data` now. */
  update(): void;
}

export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`The page has no #${id}.`);
  return found;
}

export function within(parent: Element, selector: string): HTMLElement {
  const found = parent.querySelector<HTMLElement>(selector);
  if (found === null) throw new Error(`The page has no ${selector}.`);
  return found;
}

export function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The class, and the custom property, of a run's colour. */
export const runClass = (at: number): string => `run${at % RUN_COLORS}`;

export function element(name: string, className = '', text?: string): HTMLElement {
  const made = document.createElement(name);
  if (className !== '') made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function swatch(className: string): HTMLElement {
  return element('span', `swatch ${className}`);
}

export interface ToggleOptions {
  readonly text: string;
  readonly swatch?: string;
  readonly isPressed: boolean;
  readonly change: (isPressed: boolean) => void;
}

/** Adds a button that is pressed or not. */
export function toggle(place: Element, options: ToggleOptions): HTMLButtonElement {
  const button = document.createElement('button');
  button.type = 'button';
  if (options.swatch !== undefined) button.append(swatch(options.swatch));
  button.append(options.text);
  button.setAttribute('aria-pressed', String(options.isPressed));
  button.addEventListener('click', () => {
    const isPressed = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', String(isPressed));
    options.change(isPressed);
  });
  place.append(button);
  return button;
}

export interface Panel {
  readonly outer: HTMLElement;
  /** Where the chart goes. */
  readonly plot: HTMLElement;
}

/** Adds a place for a chart. */
export function panel(section: Element): Panel {
  const outer = element('figure', 'panel');
  const plot = element('div', 'plot');
  outer.append(plot);
  within(section, '.panels').append(outer);
  return { outer, plot };
}

/** Adds a place for the chart of one run, under the run's name if there are several. */
export function runPanel(section: Element, name: string, at: number): Panel {
  const made = panel(section);
  if (hasManyRuns) {
    const caption = element('figcaption');
    caption.append(swatch(runClass(at)), name);
    made.outer.prepend(caption);
  }
  return made;
}
