// `--live`: the report of a run while it goes on, on this machine alone, for whoever has the address.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { endedState, LIVE_POLICY, renderLivePage, runningState } from '../../report/report.js';
import type { RunRecord } from '../../records/run-record.js';
import { kindOf, reasonOf, RunError } from '../terminal/cli-error.js';
import { newToken, placeOf } from './address.js';
import { LiveStreams } from './streams.js';

export interface LivePage {
  readonly url: string;
  /** The last state goes to the open pages, then nothing listens any more. Never rejects, and never hangs on a page. */
  end(record: RunRecord, reportPath: string | null): Promise<void>;
  /** Nothing listens any more. Idempotent. */
  close(): void;
}

export interface LiveOptions {
  /** 0: a free one. */
  readonly port: number;
  /** The run so far; asked at most once a second, and only while somebody looks. */
  readonly record: () => RunRecord;
  /** Hears of what ends the page before its time. */
  readonly warn: (message: string) => void;
}

const LOOPBACK = '127.0.0.1';

/** Longer than it takes a page to read its last state; one that does not read is left. */
const LONGEST_END_MS = 500;

/** Whoever connects and says nothing gives way to whoever has the address; a long step holds up those who do. */
const IMPATIENT = {
  headersTimeout: 20_000,
  requestTimeout: 20_000,
  connectionsCheckingInterval: 5000,
} as const;

const MOST_CONNECTIONS = 64;

const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': `${LIVE_POLICY}; frame-ancestors 'none'`,
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer', // the token is in the address
  'X-Content-Type-Options': 'nosniff',
};

/** Listens on loopback. Throws a RunError if it can't on that port. */
export async function startLivePage({ port, record, warn }: LiveOptions): Promise<LivePage> {
  const token = newToken();
  const fail = (error: unknown): void => {
    warn(`--live can go on no longer: ${reasonOf(error)}. Training goes on.`);
    close();
  };
  const streams = new LiveStreams(() => runningState(record()), fail);
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const place = placeOf(request, token);
    if (place === null) refuse(response);
    else if (place === 'events') {
      const { state } = streams; // before the headers: it may throw
      response.writeHead(200, { ...HEADERS, 'Content-Type': 'text/event-stream' });
      streams.add(response, state);
    } else {
      const html = renderLivePage(streams.state);
      response.writeHead(200, {
        ...HEADERS,
        'Content-Type': 'text/html; charset=utf-8',
        Connection: 'close',
      });
      response.end(html);
    }
  };
  const server = createServer(IMPATIENT, (request, response) => {
    try {
      answer(request, response);
    } catch (error) {
      fail(error);
    }
  });
  const close = (): void => {
    streams.stop();
    server.close();
    server.closeAllConnections();
  };
  server.maxConnections = MOST_CONNECTIONS;
  server.unref(); // the run alone keeps the process
  server.on('connection', (socket) => socket.unref());
  await listen(server, port);
  server.on('error', fail);
  return {
    url: `http://${LOOPBACK}:${(server.address() as AddressInfo).port}/${token}/`,
    async end(last, reportPath) {
      try {
        await settled(streams.end(endedState(last, reportPath)));
      } catch (error) {
        warn(`--live could not show the end: ${reasonOf(error)}.`);
      } finally {
        close();
      }
    },
    close,
  };
}

/** One answer for whatever is not ours to answer: it gives nothing away. */
function refuse(response: ServerResponse): void {
  response.writeHead(404, { ...HEADERS, 'Content-Type': 'text/plain', Connection: 'close' });
  response.end('Not found\n');
}

async function listen(server: Server, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: LOOPBACK, port }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    const reason = kindOf(error) === 'EADDRINUSE' ? 'something listens there' : reasonOf(error);
    throw new RunError(
      `--live ${port} can't be used: ${reason}.`,
      'Give another port, or --live alone, which takes a free one',
      { cause: error },
    );
  }
}

/** When all of `ended` is on its way, or LONGEST_END_MS have passed. */
async function settled(ended: readonly Promise<void>[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, LONGEST_END_MS);
  });
  await Promise.race([Promise.all(ended), tooLong]);
  clearTimeout(timer);
}
