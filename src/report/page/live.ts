/** What a live page gets: all there is to show, or what changed since the last message. */
export interface LiveMessage {
  readonly whole?: unknown;
  readonly changes?: unknown;
  /** The last one. */
  readonly ended: boolean;
}

/** The other half of changesOf(), in the browser. */
export const APPLY_SCRIPT = `
  function applyChange(value, change) {
    if ('set' in change) return change.set;
    if ('keep' in change) return [...value.slice(0, change.keep), ...change.add];
    const made = Array.isArray(value) ? [...value] : { ...value };
    for (const name of change.without ?? []) delete made[name];
    for (const [name, inside] of Object.entries(change.of)) made[name] = applyChange(made[name], inside);
    return made;
  }
`;

/** Shows what comes from the run while it goes on. Nothing that a reader has in hand is made anew. */
export const LIVE_SCRIPT = `
${APPLY_SCRIPT}
  (() => {
    const lost = document.getElementById('lost');
    let state = null;
    let updatedAt = Date.now();
    let isHeld = false;
    let isBehind = false;

    /** Makes \`old\` like \`fresh\`, and touches only what differs: selected text stays selected. */
    function become(old, fresh) {
      const before = [...old.childNodes];
      const after = [...fresh.childNodes];
      after.forEach((node, at) => {
        const was = before[at];
        if (was === undefined) old.append(node);
        else if (was.nodeName !== node.nodeName) was.replaceWith(node);
        else if (was.nodeType === Node.TEXT_NODE) { if (was.data !== node.data) was.data = node.data; }
        else {
          if (was.className !== node.className) was.className = node.className;
          become(was, node);
        }
      });
      before.slice(after.length).forEach((node) => node.remove());
    }

    /** While a button of the mouse is down, or nobody looks, the page waits. */
    function show() {
      isBehind = isHeld || document.hidden;
      if (isBehind || state === null) return;
      for (const [name, html] of Object.entries(state.parts)) {
        const place = document.querySelector('[data-part="' + name + '"]');
        const made = element('template');
        made.innerHTML = html;
        if (place !== null) become(place, made.content);
      }
      Object.assign(data, state.data);
      for (const { update } of sections) update();
    }
    addEventListener('pointerdown', () => { isHeld = true; });
    for (const name of ['pointerup', 'pointercancel', 'dragend', 'blur']) {
      addEventListener(name, () => {
        isHeld = false;
        // After whatever else the event does: a selection becomes a zoom.
        if (isBehind) setTimeout(show);
      });
    }
    document.addEventListener('visibilitychange', () => { if (isBehind) show(); });

    const stream = new EventSource('events');
    stream.onmessage = ({ data: text }) => {
      const message = JSON.parse(text);
      state = message.whole ?? applyChange(state, message.changes);
      updatedAt = Date.now();
      lost.hidden = true;
      if (message.ended) stream.close();
      show();
    };
    // The browser goes on trying, unless it was refused.
    stream.onerror = () => {
      if (!lost.hidden) return;
      lost.hidden = false;
      lost.replaceChildren(element('strong', '', 'Connection lost.'), ' The run was ended from outside, or cannot be ' +
        'reached. What is shown is of ' + new Date(updatedAt).toLocaleTimeString() + '.');
    };
  })();
`;
