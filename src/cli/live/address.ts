// Who may see a live page: whoever has its address. Every other request gets the same answer.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const TOKEN_BYTES = 24;

/** 192 random bits, in characters that an address may have. */
export function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url');
}

export type Place = 'page' | 'events';

const PLACES: Readonly<Record<string, Place>> = { '': 'page', events: 'events' };

/** What `request` asks for; null if it is nothing of ours. */
export function placeOf(request: IncomingMessage, token: string): Place | null {
  const [root, given = '', name, ...more] = (request.url ?? '').split('/');
  const isTokenRight = isSame(given, token); // always compared, so that the time of an answer reveals nothing
  if (!isTokenRight || root !== '' || name === undefined || more.length > 0) return null;
  if (request.method !== 'GET' || !isThisMachine(request.headers.host)) return null;
  return Object.hasOwn(PLACES, name) ? (PLACES[name] ?? null) : null;
}

/**
 * A foreign page can let its own host name point to 127.0.0.1, and then read what is served here under that name. So
 * the name is checked. The port may differ: a tunnel has its own.
 */
function isThisMachine(host: string | undefined): boolean {
  return /^(127\.0\.0\.1|localhost)(:\d+)?$/i.test(host ?? '');
}

/** Takes a time that depends on neither. */
function isSame(one: string, other: string): boolean {
  const hashOf = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hashOf(one), hashOf(other));
}
