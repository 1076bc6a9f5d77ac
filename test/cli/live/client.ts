// Asks a live page for things, as a browser would or wouldn't.

import { type IncomingMessage, request, type RequestOptions } from 'node:http';

import { applyChange, type LiveMessage } from '#src/report/changes.js';
import type { ReportState } from '#src/report/report.js';

export interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export function ask(url: string, options: RequestOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, options, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => (body += text));
      response.on('end', () =>
        resolve({ status: response.statusCode, headers: response.headers, body }),
      );
    });
    asked.on('error', reject);
    asked.end();
  });
}

export interface Stream {
  readonly messages: LiveMessage<ReportState>[];
  /** What a page would show now. */
  readonly state: () => ReportState;
  /** When there are `count` messages. */
  readonly received: (count: number) => Promise<void>;
  /** When the other side has ended it. */
  readonly ended: Promise<void>;
  close(): void;
}

export function listenTo(url: string): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const asked = request(`${url}events`, { agent: false }, (response) => {
      const messages: LiveMessage<ReportState>[] = [];
      let [text, state] = ['', undefined as unknown];
      const waiting = new Set<() => void>();
      response.setEncoding('utf8').on('data', (more: string) => {
        const parts = (text + more).split('\n\n');
        text = parts.pop() ?? '';
        for (const part of parts) {
          const message = JSON.parse(part.replace(/^data: /, '')) as LiveMessage<ReportState>;
          messages.push(message);
          state = 'whole' in message ? message.whole : applyChange(state, message.changes);
        }
        waiting.forEach((look) => look());
      });
      response.on('error', () => {}); // close() below
      resolve({
        messages,
        state: () => state as ReportState,
        received: (count) =>
          new Promise((done) => {
            const look = () => void (messages.length >= count && done());
            waiting.add(look);
            look();
          }),
        ended: new Promise((done) => response.once('close', done)),
        close: () => asked.destroy(),
      });
    });
    asked.on('error', reject);
    asked.end();
  });
}
