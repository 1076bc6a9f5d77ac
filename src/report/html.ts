// Pieces of a page: escaped text, tables.

/** Text that is safe between tags and in attributes. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** Keeps a number and its unit on one line. */
export function escapeQuantity(text: string): string {
  return escapeHtml(text).replaceAll(/(\d) (?=\S)/g, '$1&nbsp;');
}

/** JSON that is safe in a script element: nothing in it can end the element. */
export function escapeJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

/** A label and its value in each column; undefined where it has none. */
export interface TableRow {
  readonly label: string;
  readonly values: readonly (string | undefined)[];
}

/** `heads` name the columns; they are shown if there is more than one. */
export function table(
  caption: string,
  heads: readonly string[],
  rows: readonly TableRow[],
): string {
  const head =
    heads.length < 2
      ? ''
      : `<thead><tr><td></td>${heads.map((name, at) => `<th scope="col"><span class="swatch run${at % RUN_COLORS}"></span>${escapeHtml(name)}</th>`).join('')}</tr></thead>`;
  const body = rows.map(
    ({ label, values }) =>
      `<tr${isSame(values) ? '' : ' class="differs"'}><th scope="row">${escapeHtml(label)}</th>${values
        .map((value) => `<td>${value === undefined ? '–' : escapeQuantity(value)}</td>`)
        .join('')}</tr>`,
  );
  return `<div class="scroll"><table><caption>${escapeHtml(caption)}</caption>${head}<tbody>${body.join('')}</tbody></table></div>`;
}

/** Number of colours for runs. Further runs reuse them with another dash. */
export const RUN_COLORS = 5;

function isSame(values: readonly (string | undefined)[]): boolean {
  return values.every((value) => value === values[0]);
}
