// All that the command line prints, except its progress bar. Names and texts come from files, which may hold control
// characters: a terminal would obey them.

// Control characters but tab and line break, and those that turn the direction of text.
const CONTROLS = /[\p{Cc}\u2028-\u202E\u2066-\u2069]/gu;

/** `text` with its control characters written out, as JSON writes them. */
export function printable(text: string): string {
  return text.replaceAll(CONTROLS, (one) =>
    one === '\n' || one === '\t' ? one : `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Prints results, to stdout. */
export function print(text: string): void {
  process.stdout.write(`${printable(text)}\n`);
}

/** Prints messages, to stderr. */
export function say(text: string): void {
  process.stderr.write(`${printable(text)}\n`);
}
