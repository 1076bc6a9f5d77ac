// `--live`: serves the report of a run while it goes on, only on this machine, to whoever has the address.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

import { endedState, LIVE_POLICY, renderLivePage, runningState } from '../../report/report.js';
import type { RunRecord } from '../../records/run-record.js';
import { kindOf, reasonOf, RunError } from '../terminal/cli-error.js';
import { newToken, placeOf } from './address.js';
import { LiveStreams } from './streams.js';

export interface LivePage {
  readonly url: string;
  /** Sends the last state to the open pages, then closes. Never rejects, and never waits long for a page. */
  end(record: RunRecord, reportPath: string | null): Promise<void>;
  /** Stops listening. Idempotent. */
  close(): void;
}

export interface LiveOptions {
  /** 0 for a free port. */
  readonly port: number;
  /** Makes the record of the run so far. Called at most once a second, and only while a page is open. */
  readonly record: () => RunRecord;
  /** Gets the reason when the page ends early. */
  readonly warn: (message: string) => void;
}

const LOOPBACK = '127.0.0.1';

/** A page reads its last state in less time. A page that does not read is not waited for. */
const LONGEST_END_MS = 500;

/** Idle connections are closed. */
const IMPATIENT = {
  headersTimeout: 20_000,
  requestTimeout: 20_000,
  connectionsCheckingInterval: 5000,
} as const;

/** Connections that have not shown the token. A new one takes the place of the oldest, so nobody can hold them all. */
const MOST_STRANGERS = 64;

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
    warn(`--live has stopped: ${reasonOf(error)}. Training goes on.`);
    close();
  };
  const streams = new LiveStreams(() => runningState(record()), fail);
  const strangers = new Set<Socket>(); // oldest first
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const place = placeOf(request, token);
    if (place !== null) strangers.delete(request.socket);
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
  server.unref(); // the run alone keeps the process
  server.on('connection', (socket) => {
    socket.unref();
    socket.once('close', () => strangers.delete(socket));
    strangers.add(socket);
    const [oldest] = strangers;
    if (strangers.size > MOST_STRANGERS) oldest?.destroy();
  });
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

/** The same answer to every foreign request, so that it reveals nothing. */
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
    const reason =
      kindOf(error) === 'EADDRINUSE' ? 'another program listens there' : reasonOf(error);
    throw new RunError(
      `--live ${port} can't be used: ${reason}.`,
      'Give another port, or --live without a port for a free one',
      { cause: error },
    );
  }
}

/** Resolves when all of `ended` is sent, or after LONGEST_END_MS. */
async function settled(ended: readonly Promise<void>[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, LONGEST_END_MS);
  });
  await Promise.race([Promise.all(ended), tooLong]);
  clearTimeout(timer);
}
