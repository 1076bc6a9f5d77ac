// Shows what comes from a run while it goes on. What a reader is using is kept: focus, zoom, selected text.

import { applyChange, type LiveMessage } from '../changes.js';
import type { ReportState } from '../report.js';
import { byId, data, element, type Section } from './page.js';

export function startLive(sections: readonly Section[]): void {
  const lost = byId('lost');
  let state: ReportState | null = null;
  let updatedAt = Date.now();
  let isHeld = false;
  let isBehind = false;

  /** Waits while a mouse button is down or the page is hidden. */
  function show(): void {
    isBehind = isHeld || document.hidden;
    if (isBehind || state === null) return;
    for (const [name, html] of Object.entries(state.parts)) {
      const place = document.querySelector(`[data-part="${name}"]`);
      const made = document.createElement('template');
      made.innerHTML = html;
      if (place !== null) become(place, made.content);
    }
    Object.assign(data, state.data);
    for (const section of sections) section.update();
  }

  addEventListener('pointerdown', () => (isHeld = true));
  for (const name of ['pointerup', 'pointercancel', 'dragend', 'blur']) {
    addEventListener(name, () => {
      isHeld = false;
      // After the other listeners of the event: one of them turns a selection into a zoom.
      if (isBehind) setTimeout(show);
    });
  }
  document.addEventListener('visibilitychange', () => {
    if (isBehind) show();
  });

  const stream = new EventSource('events');
  stream.addEventListener('message', ({ data: text }: MessageEvent<string>) => {
    const { ended, ...news } = JSON.parse(text) as LiveMessage<ReportState>;
    state = 'whole' in news ? news.whole : (applyChange(state, news.changes) as ReportState);
    updatedAt = Date.now();
    lost.hidden = true;
    if (ended) stream.close();
    show();
  });
  // The browser goes on trying, unless it was refused.
  stream.addEventListener('error', () => {
    if (!lost.hidden) return;
    lost.hidden = false;
    lost.replaceChildren(
      element('strong', '', 'Connection lost.'),
      ` The run was ended from outside or cannot be reached. This page shows its state at ${new Date(updatedAt).toLocaleTimeString()}.`,
    );
  });
}

/** Makes `old` like `fresh`, and touches only what differs, so that selected text stays selected. */
function become(old: Node, fresh: Node): void {
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  for (const [at, node] of after.entries()) {
    const was = before[at];
    if (was === undefined) old.appendChild(node);
    else if (was.nodeName !== node.nodeName) was.replaceWith(node);
    else if (was instanceof Text && node instanceof Text) {
      if (was.data !== node.data) was.data = node.data;
    } else if (was instanceof Element && node instanceof Element) {
      if (was.className !== node.className) was.className = node.className;
      become(was, node);
    }
  }
  for (const node of before.slice(after.length)) node.remove();
}
