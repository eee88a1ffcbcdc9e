import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthClient } from '../src/index.js';
import { frame, gateway, log, nowhere, refuse, stream } from './gateway.js';

test('start posts the request with the key and answers what was started', async (t) => {
  const { baseUrl, requests } = await gateway(t, (request, response) => refuse(response, 201, { id: 'gen_a', state: 'queued' }));
  const request = { model: 'demo', messages: [{ role: 'user', content: 'žluť' }] };
  const { id } = await new HearthClient({ baseUrl, key: 'secret' }).start(request);
  assert.equal(id, 'gen_a');
  assert.deepEqual([requests[0].method, requests[0].url], ['POST', '/v1/streams']);
  assert.equal(requests[0].headers.authorization, 'Bearer secret');
  assert.deepEqual(requests[0].body, request);
});

test('a ticket is asked for with the key, for one generation or for all', async (t) => {
  const { baseUrl, requests } = await gateway(t, (request, response) => refuse(response, 200, { ticket: 'abc', expires_in: 60 }));
  const client = new HearthClient({ baseUrl, key: 'secret' });
  assert.equal((await client.ticket('gen_a')).ticket, 'abc');
  await client.ticket();
  assert.deepEqual(requests.map(({ body }) => body), [{ generation: 'gen_a' }, {}]);
  assert.equal(requests[0].headers.authorization, 'Bearer secret');
});

test('start sends the key by which the server knows it again', async (t) => {
  const { baseUrl, requests } = await gateway(t, (request, response) => refuse(response, 201, { id: 'gen_a', state: 'queued' }));
  await new HearthClient({ baseUrl }).start({ model: 'demo' }, { idempotencyKey: 'k' });
  assert.equal(requests[0].headers['idempotency-key'], 'k');
  assert.equal(requests[0].headers['content-type'], 'application/json');
});

test('a base URL may have a path and a slash', async (t) => {
  const { baseUrl, requests } = await gateway(t, (request, response) => refuse(response, 200, { data: [{ id: 'demo' }] }));
  assert.deepEqual(await new HearthClient({ baseUrl: `${baseUrl}/hearth/` }).models(), [{ id: 'demo' }]);
  assert.equal(requests[0].url, '/hearth/v1/models');
});

test('get asks for JSON, cancel deletes', async (t) => {
  const { baseUrl, requests } = await gateway(t, (request, response) => refuse(response, 200, { id: 'gen_a', state: 'canceled' }));
  const client = new HearthClient({ baseUrl });
  await client.get('gen_a');
  assert.equal((await client.cancel('gen_a')).state, 'canceled');
  assert.deepEqual(requests.map(({ method, url, headers }) => [method, url, headers.accept]), [
    ['GET', '/v1/streams/gen_a', 'application/json'],
    ['DELETE', '/v1/streams/gen_a', 'application/json'],
  ]);
});

test('a refusal is told with its code, sentence and wait', async (t) => {
  const body = { error: { message: 'slowly', type: 'rate_limit_error', code: 'rate_limited', param: null } };
  const { baseUrl } = await gateway(t, (request, response) => refuse(response, 429, body, { 'retry-after': '3' }));
  await assert.rejects(new HearthClient({ baseUrl }).start({}), {
    name: 'HearthError',
    code: 'rate_limited',
    message: 'slowly',
    status: 429,
    retry: true,
    retryAfter: 3000,
  });
});

test('a server that is not there is told as unreachable', async () => {
  await assert.rejects(new HearthClient({ baseUrl: await nowhere() }).models(), { code: 'unreachable', retry: true });
});

test('text waits for the end', async (t) => {
  const { baseUrl } = await gateway(t, (request, response) => {
    stream(response);
    response.end(log(['a', 'b', 'c']).map(frame).join(''));
  });
  assert.equal(await new HearthClient({ baseUrl }).text('gen_a'), 'abc');
});

test('text of a failed generation throws what failed', async (t) => {
  const events = log(['a']);
  Object.assign(events.at(-1), { state: 'failed', error: { code: 'engine_died', message: 'it died', retry: true } });
  const { baseUrl } = await gateway(t, (request, response) => {
    stream(response);
    response.end(events.map(frame).join(''));
  });
  await assert.rejects(new HearthClient({ baseUrl }).text('gen_a'), { code: 'engine_died', message: 'it died', retry: true });
});

test('outside a browser a client needs to be told where the gateway is', () => {
  assert.throws(() => new HearthClient(), TypeError);
});
