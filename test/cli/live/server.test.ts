// The server behind `--live`: whom it answers, what it sends, how it ends. Seconds are made by the test.

import { EventEmitter, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { type LivePage, startLivePage } from '#src/cli/live/server.js';
import { LiveStreams } from '#src/cli/live/streams.js';
import { endedState, runningState } from '#src/report/report.js';
import type { RunRecord } from '#src/records/run-record.js';
import { timedRun } from '../../report/timelines.js';
import { ask, listenTo } from './client.js';

let steps: number;
let asked: number;
let warnings: string[];
let page: LivePage;
let record: () => RunRecord;

const running = (): RunRecord => ({ ...timedRun(steps), partial: true, ended: 'running' });

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  [steps, asked, warnings] = [3, 0, []];
  record = running;
  page = await start();
});

afterEach(() => {
  page.close();
  vi.useRealTimers();
});

function start(port = 0): Promise<LivePage> {
  return startLivePage({
    port,
    record: () => {
      asked += 1;
      return record();
    },
    warn: (message) => warnings.push(message),
  });
}

/** A second passes, in which the run comes this far. */
function secondWith(now: number): void {
  steps = now;
  vi.advanceTimersByTime(1000);
}

describe('whom it answers', () => {
  test('whoever has the address: with the page, which may ask nobody else', async () => {
    const { status, headers, body } = await ask(page.url);
    expect(status).toBe(200);
    expect(body).toContain('mlp on mnist');
    expect(body).toContain('Running.');
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': 'text/html; charset=utf-8',
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    });
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(headers).not.toHaveProperty('access-control-allow-origin');
  });

  test('also under the name localhost, and at the near end of a tunnel', async () => {
    for (const host of ['localhost', 'LOCALHOST:8080', '127.0.0.1:9', '127.0.0.1']) {
      expect((await ask(page.url, { headers: { host } })).status).toBe(200);
    }
  });

  test('nobody else: the same short answer to all, with nothing of the run in it', async () => {
    const { origin, pathname } = new URL(page.url);
    const token = pathname.split('/')[1] ?? '';
    const wrong = token.startsWith('A') ? `B${token.slice(1)}` : `A${token.slice(1)}`;
    const answers = await Promise.all([
      ...['/', '/favicon.ico', `/${token}`, `/${wrong}/`, `/${wrong}/events`, '//', '/%00/'].map(
        (path) => ask(origin + path),
      ),
      ...['x', 'events/', 'events?x', '../../', 'toString', '__proto__'].map((path) =>
        ask(origin, { path: `/${token}/${path}` }),
      ),
      ask(origin, { path: page.url }),
      ...['POST', 'PUT', 'OPTIONS', 'DELETE'].map((method) => ask(page.url, { method })),
      ...['evil.example', 'evil.example:80', '127.0.0.1.evil.example', 'localhost.', '[::1]'].map(
        (host) => ask(page.url, { headers: { host } }),
      ),
    ]);
    for (const { status, body, headers } of answers) {
      expect([status, body, headers['content-type']]).toEqual([404, 'Not found\n', 'text/plain']);
    }
    expect(asked).toBe(0);
  });

  test('nobody from elsewhere: it listens on 127.0.0.1 alone', async () => {
    const { port } = new URL(page.url);
    const others = Object.values(networkInterfaces())
      .flatMap((all) => all ?? [])
      .filter(({ address, scopeid }) => address !== '127.0.0.1' && !scopeid)
      .map(({ address }) => address);
    for (const host of ['::1', ...others]) {
      const code = await new Promise((resolve) => {
        const socket = connect({ host, port: Number(port) }, () => resolve('connected'));
        socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
      });
      expect([host, code]).not.toEqual([host, 'connected']);
    }
  });

  test('at once, even while 200 connections say nothing', async () => {
    const { port } = new URL(page.url);
    const stream = await listenTo(page.url); // it stays, whoever comes
    const silent = Array.from({ length: 200 }, () => connect(Number(port), '127.0.0.1'));
    for (const socket of silent) socket.on('error', () => {});
    await Promise.all(silent.slice(-1).map((socket) => once(socket, 'connect')));
    expect((await ask(page.url)).status).toBe(200);
    secondWith(4);
    await stream.received(2);
    for (const socket of silent) socket.destroy();
    stream.close();
  });

  test('each run has a token of its own, of 192 bits', async () => {
    const other = await start();
    const tokenOf = ({ url }: LivePage) => new URL(url).pathname.split('/')[1] ?? '';
    expect(Buffer.from(tokenOf(page), 'base64url')).toHaveLength(24);
    expect(tokenOf(other)).not.toBe(tokenOf(page));
    other.close();
  });
});

describe('what it sends', () => {
  test('all of it at first, then each second what is new; late pages get all of it too', async () => {
    const early = await listenTo(page.url);
    await early.received(1);
    expect(early.state()).toEqual(runningState(running()));
    secondWith(9);
    await early.received(2);
    expect(early.messages[1]).toHaveProperty('changes');
    expect(early.state()).toEqual(runningState(running()));
    const late = await listenTo(page.url);
    await late.received(1);
    expect(late.state()).toEqual(early.state());
    secondWith(700); // rows of steps were merged
    await Promise.all([early.received(3), late.received(2)]);
    expect(late.state()).toEqual(runningState(running()));
    expect(early.state()).toEqual(late.state());
  });

  test('nothing where nothing is new, and no record is made while nobody looks', async () => {
    vi.advanceTimersByTime(5000);
    expect(asked).toBe(0);
    const stream = await listenTo(page.url);
    await stream.received(1);
    await Promise.all([ask(page.url), ask(page.url)]);
    expect(asked).toBe(1); // one for all in a second
    vi.advanceTimersByTime(2000);
    expect(asked).toBe(3);
    secondWith(4);
    await stream.received(2);
    expect(stream.messages).toHaveLength(2);
    stream.close();
    await expect
      .poll(() => {
        const before = asked;
        vi.advanceTimersByTime(3000);
        return asked - before;
      })
      .toBe(0);
  });

  test('a page that did not keep up gets nothing until it reads again, and then all of it', () => {
    const written: string[] = [];
    const response = Object.assign(new EventEmitter(), {
      writableNeedDrain: false,
      write: (text: string) => written.push(text),
    });
    const streams = new LiveStreams(
      () => runningState(running()),
      () => {},
    );
    streams.add(response as unknown as ServerResponse, streams.state);
    response.writableNeedDrain = true;
    secondWith(4);
    secondWith(5);
    expect(written).toHaveLength(1);
    response.writableNeedDrain = false;
    secondWith(6);
    secondWith(7);
    expect(written.map((text) => text.slice(0, 14))).toEqual([
      'data: {"whole"',
      'data: {"whole"',
      'data: {"change',
    ]);
    streams.stop();
  });

  test('a record that cannot be made ends the page and not the run', async () => {
    const stream = await listenTo(page.url);
    record = () => {
      throw new Error('No record');
    };
    vi.advanceTimersByTime(1000);
    await stream.ended;
    expect(warnings).toEqual(['--live has stopped: No record. Training goes on.']);
    await expect(ask(page.url)).rejects.toThrow('ECONNREFUSED');
  });
});

describe('how it ends', () => {
  test('open pages get the last state at once; then nothing listens', async () => {
    const stream = await listenTo(page.url);
    await stream.received(1);
    steps = 40;
    const last = timedRun(40);
    await page.end(last, 'out/report.html');
    await stream.ended;
    expect(stream.messages.at(-1)?.ended).toBe(true);
    expect(stream.messages.at(-1)).toHaveProperty('changes');
    expect(stream.state()).toEqual(endedState(last, 'out/report.html'));
    expect(stream.state().parts.header).toContain('The run has ended.');
    await expect(ask(page.url)).rejects.toThrow('ECONNREFUSED');
  });

  test('it does not wait for a page that does not read, nor for one that says nothing', async () => {
    const { port, pathname } = new URL(page.url);
    const deaf = connect(Number(port), '127.0.0.1');
    deaf.pause();
    deaf.write(`GET ${pathname}events HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const silent = connect(Number(port), '127.0.0.1');
    for (const socket of [deaf, silent]) socket.on('error', () => {});
    await expect.poll(() => asked).toBe(1);
    for (let i = 0; i < 20; i++) secondWith(2000 + 600 * (i % 2)); // more than sockets hold
    await page.end(timedRun(40), null);
    await expect(ask(page.url)).rejects.toThrow('ECONNREFUSED');
    deaf.destroy();
    silent.destroy();
  });

  test('a port that is taken is said to be', async () => {
    const { port } = new URL(page.url);
    await expect(start(Number(port))).rejects.toThrow(
      `--live ${port} can't be used: another program listens there.`,
    );
  });
});
