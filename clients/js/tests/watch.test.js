import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { HearthClient, HearthError } from '../src/index.js';
import { EPOCH, collect, frame, gateway, log, nowhere, refuse, rest, stream, text } from './gateway.js';

const WORDS = ['The', ' quick', ' žluť', ' 🔥', ' fox', ' jumps'];
const LOG = log(WORDS);
const POSITIONS = LOG.map(({ o }) => `${EPOCH}-${o}`);

function positions(events) {
  return events.map((event) => event.position);
}

test('a whole stream arrives in order', async (t) => {
  const { baseUrl } = await gateway(t, (request, response) => {
    stream(response);
    response.end(LOG.map(frame).join(''));
  });
  const told = [];
  const events = await collect(new HearthClient({ baseUrl }).watch('gen_a', { onPosition: (position) => told.push(position) }));
  assert.deepEqual(positions(events), POSITIONS);
  assert.deepEqual(told, POSITIONS);
  assert.equal(text(events), WORDS.join(''));
  assert.equal(events.at(-1).usage.completion_tokens, WORDS.length);
});

test('a stream that is cut after every event and inside every frame is the same stream', async (t) => {
  const { baseUrl, requests } = await gateway(t, (request, response) => {
    const left = rest(LOG, request.after).map(frame);
    stream(response);
    const half = (left[1] ?? '').slice(0, -1);
    response.write(left[0] + half, () => response.destroy());
  });
  const events = await collect(new HearthClient({ baseUrl }).watch('gen_a'));
  assert.deepEqual(positions(events), POSITIONS);
  assert.deepEqual(requests.map((request) => request.after), [null, ...POSITIONS.slice(0, -1)]);
});

test('what a server repeats is dropped', async (t) => {
  const { baseUrl } = await gateway(t, (request, response, nth) => {
    stream(response);
    response.end(LOG.slice(0, 3 * (nth + 1)).map(frame).join(''));
  });
  assert.deepEqual(positions(await collect(new HearthClient({ baseUrl }).watch('gen_a'))), POSITIONS);
});

test('what is not of the log is passed over', async (t) => {
  const { baseUrl } = await gateway(t, (request, response) => {
    stream(response);
    response.end(`event: weather\ndata: {"sky":"clear"}\n\n${LOG.map(frame).join('event: weather\ndata: {}\n\n')}`);
  });
  assert.deepEqual(positions(await collect(new HearthClient({ baseUrl }).watch('gen_a'))), POSITIONS);
});

test('folded frames move the position by all they fold', async (t) => {
  const folded = [LOG[0], LOG[1], { t: 'delta', c: 0, o: 2, n: 6, d: WORDS.join(''), replay: true }, LOG[8]];
  const { baseUrl } = await gateway(t, (request, response) => {
    stream(response);
    response.end(folded.map(frame).join(''));
  });
  const events = await collect(new HearthClient({ baseUrl }).watch('gen_a'));
  assert.equal(text(events), WORDS.join(''));
  assert.equal(events[2].position, `${EPOCH}-7`);
});

test('reading goes on after a given position', async (t) => {
  const { baseUrl } = await gateway(t, (request, response) => {
    stream(response);
    response.end(rest(LOG, request.after).map(frame).join(''));
  });
  const events = await collect(new HearthClient({ baseUrl }).watch('gen_a', { after: POSITIONS[4] }));
  assert.deepEqual(positions(events), POSITIONS.slice(5));
});

test('204 at the end of an ended log is the end', async (t) => {
  const { baseUrl, requests } = await gateway(t, (request, response) => response.writeHead(204).end());
  assert.deepEqual(await collect(new HearthClient({ baseUrl }).watch('gen_a', { after: POSITIONS.at(-1) })), []);
  assert.equal(requests[0].after, POSITIONS.at(-1));
});

test('a cut frame is followed by a new connection from the same place', async (t) => {
  const { baseUrl } = await gateway(t, (request, response, nth) => {
    stream(response, 7);
    if (nth === 0) {
      response.end(frame(LOG[0]) + 'event: cut\ndata: {"code":"draining","message":"going down","retry":true}\n\n');
    } else response.end(rest(LOG, request.after).map(frame).join(''));
  });
  const retries = [];
  let connected = 0;
  const options = { onRetry: (retry) => retries.push(retry), onConnect: () => connected++ };
  const events = await collect(new HearthClient({ baseUrl }).watch('gen_a', options));
  assert.deepEqual(positions(events), POSITIONS);
  assert.equal(retries.length, 1);
  assert.equal(connected, 2);
  assert.equal(retries[0].error.code, 'draining');
  assert.equal(retries[0].delay, 7, 'the first wait is what the server asked');
});

test('503 and 429 are waited out, as long as the server asks', async (t) => {
  const { baseUrl } = await gateway(t, (request, response, nth) => {
    if (nth === 0) return refuse(response, 503, { error: { code: 'draining', message: 'going down' } });
    if (nth === 1) return refuse(response, 429, { error: { code: 'rate_limited', message: 'slowly' } }, { 'retry-after': '0' });
    if (nth === 2) return response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad gateway</h1>');
    stream(response);
    response.end(LOG.map(frame).join(''));
  });
  const codes = [];
  const options = { retry: 1, onRetry: ({ error }) => codes.push(error.code) };
  assert.deepEqual(positions(await collect(new HearthClient({ baseUrl }).watch('gen_a', options))), POSITIONS);
  assert.deepEqual(codes, ['draining', 'rate_limited', 'http_502']);
});

test('a refused position is told with all that the server knows', async (t) => {
  const { baseUrl } = await gateway(t, (request, response) =>
    refuse(response, 410, { error: { code: 'trimmed', message: 'too old', type: 'x', epoch: EPOCH, earliest: 40, tail: 90 } }),
  );
  await assert.rejects(collect(new HearthClient({ baseUrl }).watch('gen_a', { after: POSITIONS[0] })), (error) => {
    assert.ok(error instanceof HearthError);
    assert.deepEqual([error.code, error.message, error.status, error.retry], ['trimmed', 'too old', 410, false]);
    assert.deepEqual(error.details, { epoch: EPOCH, earliest: 40, tail: 90 });
    return true;
  });
});

for (const [status, code] of [[404, 'unknown_generation'], [409, 'epoch_mismatch'], [416, 'past_the_end'], [401, 'unauthorized']]) {
  test(`${status} ends it with ${code}, at once`, async (t) => {
    const { baseUrl, requests } = await gateway(t, (request, response) => refuse(response, status, { error: { code, message: 'no' } }));
    await assert.rejects(collect(new HearthClient({ baseUrl }).watch('gen_a')), { code, retry: false });
    assert.equal(requests.length, 1);
  });
}

test('a server that is not there is tried as often as allowed, with longer waits', async () => {
  const delays = [];
  const client = new HearthClient({ baseUrl: await nowhere() });
  const options = { retry: 1, retries: 3, onRetry: ({ delay }) => delays.push(delay) };
  await assert.rejects(collect(client.watch('gen_a', options)), { code: 'unreachable' });
  assert.equal(delays.length, 3);
  assert.ok(delays[0] === 1 && delays[2] >= 2, `${delays}`);
});

test('a connection on which nothing is heard is dead', async (t) => {
  const { baseUrl } = await gateway(t, (request, response, nth) => {
    stream(response);
    if (nth === 1) response.end(rest(LOG, request.after).map(frame).join(''));
    else response.write(frame(LOG[0]));
  });
  const codes = [];
  const events = await collect(new HearthClient({ baseUrl }).watch('gen_a', { silence: 50, onRetry: ({ error }) => codes.push(error.code) }));
  assert.deepEqual(positions(events), POSITIONS);
  assert.deepEqual(codes, ['silence']);
});

test('a gap is told, never passed over', async (t) => {
  const { baseUrl } = await gateway(t, (request, response) => {
    stream(response);
    response.end(frame(LOG[0]) + frame(LOG[2]));
  });
  await assert.rejects(collect(new HearthClient({ baseUrl }).watch('gen_a')), { code: 'gap' });
});

test('a log that was begun anew is told', async (t) => {
  const { baseUrl } = await gateway(t, (request, response) => {
    stream(response);
    response.end(frame(LOG[0]) + frame(LOG[1]) + frame(LOG[0]).replace(EPOCH, 'zzz'));
  });
  await assert.rejects(collect(new HearthClient({ baseUrl }).watch('gen_a')), { code: 'epoch_mismatch' });
});

test('a log that goes on under a new epoch is gone on with', async (t) => {
  const { baseUrl } = await gateway(t, (request, response) => {
    stream(response);
    response.end(LOG.map((event, at) => (at < 2 ? frame(event) : frame(event).replace(EPOCH, 'zzz'))).join(''));
  });
  const events = await collect(new HearthClient({ baseUrl }).watch('gen_a'));
  assert.equal(events.length, LOG.length);
  assert.match(events.at(-1).position, /^zzz-/);
});

test('an answer that is no event stream is told', async (t) => {
  const { baseUrl } = await gateway(t, (request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'));
  await assert.rejects(collect(new HearthClient({ baseUrl }).watch('gen_a')), { code: 'not_a_stream' });
});

test('a caller may stop reading with a signal, and the connection is closed', async (t) => {
  const gone = Promise.withResolvers?.() ?? resolvers();
  const { baseUrl } = await gateway(t, (request, response) => {
    stream(response);
    response.write(frame(LOG[0]));
    once(response, 'close').then(gone.resolve);
  });
  const stop = new AbortController();
  const reading = collect(new HearthClient({ baseUrl }).watch('gen_a', { signal: stop.signal, onPosition: () => stop.abort('enough') }));
  await assert.rejects(reading, (reason) => reason === 'enough');
  await gone.promise;
});

test('leaving the loop closes the connection', async (t) => {
  const gone = Promise.withResolvers?.() ?? resolvers();
  const { baseUrl } = await gateway(t, (request, response) => {
    stream(response);
    response.write(frame(LOG[0]));
    once(response, 'close').then(gone.resolve);
  });
  for await (const event of new HearthClient({ baseUrl }).watch('gen_a')) {
    assert.equal(event.type, 'opened');
    break;
  }
  await gone.promise;
});

test('an error of the reader is the reader’s', async (t) => {
  const { baseUrl, requests } = await gateway(t, (request, response) => {
    stream(response);
    response.end(LOG.map(frame).join(''));
  });
  const clumsy = () => {
    throw new RangeError('mine');
  };
  await assert.rejects(collect(new HearthClient({ baseUrl }).watch('gen_a', { onPosition: clumsy })), RangeError);
  assert.equal(requests.length, 1);
});

function resolvers() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}
