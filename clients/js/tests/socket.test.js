import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HearthClient, HearthError, Socket } from '../src/index.js';
import { EPOCH, collect, log, rest, text } from './gateway.js';

const WORDS = ['The', ' quick', ' brown', ' fox'];
const LOG = log(WORDS);

/** A WebSocket whose server is `serve(wire, frame)`, called with every frame the client sends. */
function fake(serve) {
  class FakeWebSocket {
    static wires = [];
    readyState = 0;
    sent = [];

    constructor(url, protocols) {
      this.url = url;
      this.protocols = protocols;
      this.nth = FakeWebSocket.wires.push(this) - 1;
      queueMicrotask(() => {
        if (serve.refuse?.(this)) return this.cut(1006);
        this.readyState = 1;
        this.onopen({});
      });
    }

    send(data) {
      assert.equal(this.readyState, 1, 'sent on a socket that is not open');
      const frame = JSON.parse(data);
      this.sent.push(frame);
      queueMicrotask(() => this.readyState === 1 && serve(this, frame));
    }

    tell(frame) {
      this.onmessage?.({ data: JSON.stringify(frame) });
    }

    cut(code = 1006, reason = '') {
      this.readyState = 3;
      this.onclose({ code, reason });
    }

    close() {
      if (this.readyState !== 3) this.cut(1000);
    }
  }
  return FakeWebSocket;
}

function open(serve, options) {
  const WebSocket = fake(serve);
  return { wires: WebSocket.wires, socket: new Socket({ url: 'ws://x/v1/ws', WebSocket, retry: 1, idle: 0, ...options }) };
}

function attached(wire, { id, generation = 'gen_a' }) {
  wire.tell({ t: 'attached', id, generation, epoch: EPOCH, from: 0, tail: -1 });
}

/** Answers create and attach with the log, from where it is asked, at most `most` events before `then`. */
function play(wire, frame, most = Infinity, then = () => {}) {
  if (frame.t !== 'create' && frame.t !== 'attach') return;
  attached(wire, frame);
  const events = rest(LOG, frame.after).slice(0, most);
  for (const event of events) wire.tell({ ...event, id: frame.id });
  if (events.at(-1)?.t !== 'end') then();
}

test('a created lane tells its generation and all its events', async () => {
  const { socket, wires } = open(play);
  const lane = socket.create({ model: 'demo', prompt: 'x' });
  assert.equal(await lane.opened, 'gen_a');
  const events = await collect(lane);
  assert.equal(text(events), WORDS.join(''));
  assert.deepEqual(events.map((event) => event.position), LOG.map(({ o }) => `${EPOCH}-${o}`));
  assert.deepEqual(wires[0].sent[0], { t: 'create', request: { model: 'demo', prompt: 'x' }, resumable: true, id: '0' });
});

test('a lane that is cut after every event is the same lane', async () => {
  const { socket, wires } = open((wire, frame) => play(wire, frame, 1, () => wire.cut()));
  let connected = 0;
  const lane = socket.attach('gen_a', { onConnect: () => connected++ });
  assert.deepEqual((await collect(lane)).map((event) => event.o), LOG.map((event) => event.o));
  assert.deepEqual([wires.length, connected], [LOG.length, LOG.length]);
  assert.deepEqual(wires.map(({ sent }) => sent[0].after), [undefined, ...LOG.slice(0, -1).map(({ o }) => `${EPOCH}-${o}`)]);
});

test('a created lane goes on by attaching', async () => {
  const { socket, wires } = open((wire, frame) => play(wire, frame, 2, () => wire.cut(1012, 'restart')));
  assert.equal(text(await collect(socket.create({ model: 'demo' }))), WORDS.join(''));
  assert.deepEqual(wires.map(({ sent }) => sent[0].t), ['create', 'attach', 'attach', 'attach']);
});

test('lanes share one connection and do not meet', async () => {
  const { socket, wires } = open(play);
  const lanes = await Promise.all([1, 2, 3].map((n) => collect(socket.attach(`gen_${n}`))));
  for (const events of lanes) assert.equal(text(events), WORDS.join(''));
  assert.equal(wires.length, 1);
});

test('an error on one lane leaves the others alone', async () => {
  const { socket } = open((wire, frame) => {
    if (frame.generation === 'gen_b') wire.tell({ t: 'error', id: frame.id, code: 'epoch_mismatch', message: 'no', retry: false, tail: 3 });
    else play(wire, frame);
  });
  const good = collect(socket.attach('gen_a'));
  await assert.rejects(collect(socket.attach('gen_b', { after: 'old-1' })), (error) => {
    assert.deepEqual([error.code, error.retry, error.details], ['epoch_mismatch', false, { tail: 3 }]);
    return error instanceof HearthError;
  });
  assert.equal(text(await good), WORDS.join(''));
});

test('a lane whose error may be retried attaches again on the same socket', async () => {
  let asked = 0;
  const { socket, wires } = open((wire, frame) => {
    play(wire, frame, asked++ ? Infinity : 2, () => wire.tell({ t: 'error', id: frame.id, code: 'slow_reader', message: 'slow', retry: true }));
  });
  const retries = [];
  const events = await collect(socket.attach('gen_a', { onRetry: ({ error }) => retries.push(error.code) }));
  assert.equal(text(events), WORDS.join(''));
  assert.deepEqual(retries, ['slow_reader']);
  assert.equal(wires.length, 1);
});

test('a creation whose answer is lost fails, and is not repeated', async () => {
  const { socket, wires } = open((wire) => wire.cut());
  await assert.rejects(collect(socket.create({ model: 'demo' })), { code: 'create_lost' });
  assert.equal(wires.length, 1);
});

test('a creation with a key whose answer is lost is asked for again', async () => {
  const { socket, wires } = open((wire, frame) => (wire.nth ? play(wire, frame) : wire.cut()));
  assert.equal(text(await collect(socket.create({ model: 'demo' }, { idempotencyKey: 'k' }))), WORDS.join(''));
  assert.deepEqual(wires.map(({ sent }) => [sent[0].t, sent[0].idempotency_key]), [['create', 'k'], ['create', 'k']]);
});

test('a creation that was never sent waits for the next connection', async () => {
  const serve = (wire, frame) => play(wire, frame);
  serve.refuse = (wire) => wire.nth < 2;
  const { socket, wires } = open(serve);
  assert.equal(text(await collect(socket.create({ model: 'demo' }))), WORDS.join(''));
  assert.equal(wires.length, 3);
});

test('a socket closed for good fails its lanes', async () => {
  const { socket, wires } = open((wire) => wire.cut(4401, 'unauthorized'));
  await assert.rejects(collect(socket.attach('gen_a')), { code: 'cut', message: 'unauthorized', retry: false });
  assert.equal(wires.length, 1);
});

test('a refused handshake is explained by a plain request', async () => {
  const serve = () => {};
  serve.refuse = () => true;
  const check = async () => {
    throw new HearthError('unauthorized', 'send a key', { status: 401 });
  };
  await assert.rejects(collect(open(serve, { check }).socket.attach('gen_a')), { code: 'unauthorized' });
});

test('a socket gives up after as many attempts as allowed', async () => {
  const serve = () => {};
  serve.refuse = () => true;
  const { socket, wires } = open(serve, { retries: 2 });
  await assert.rejects(collect(socket.attach('gen_a')), { code: 'cut' });
  assert.equal(wires.length, 3);
});

test('a silent socket is pinged, then given up for a new one', async () => {
  const { socket, wires } = open((wire, frame) => wire.nth && play(wire, frame), { silence: 30 });
  assert.equal(text(await collect(socket.attach('gen_a'))), WORDS.join(''));
  assert.deepEqual(wires[0].sent.map((frame) => frame.t), ['attach', 'ping', 'ping']);
});

test('a pong keeps a silent socket', async () => {
  let pongs = 0;
  const { socket, wires } = open(
    (wire, frame) => {
      if (frame.t === 'attach') attached(wire, frame);
      if (frame.t !== 'ping') return;
      wire.tell({ t: 'pong' });
      if (++pongs === 5) for (const event of LOG) wire.tell({ ...event, id: '0' });
    },
    { silence: 30 },
  );
  assert.equal(text(await collect(socket.attach('gen_a'))), WORDS.join(''));
  assert.equal(wires.length, 1);
});

test('leaving the loop detaches', async () => {
  const { socket, wires } = open((wire, frame) => play(wire, frame, 2));
  for await (const event of socket.attach('gen_a')) if (event.o === 1) break;
  assert.deepEqual(wires[0].sent.map((frame) => frame.t), ['attach', 'detach']);
});

test('a signal detaches and throws its reason', async () => {
  const stop = new AbortController();
  const { socket, wires } = open((wire, frame) => play(wire, frame, 2));
  const reading = collect(socket.attach('gen_a', { signal: stop.signal, onPosition: () => stop.abort('enough') }));
  await assert.rejects(reading, (reason) => reason === 'enough');
  assert.equal(wires[0].sent.at(-1).t, 'detach');
});

test('a stop that was said in a cut is said again', async () => {
  const { socket } = open((wire, frame) => {
    if (frame.t === 'attach') {
      attached(wire, frame);
      if (wire.nth === 0) wire.cut();
    }
    if (frame.t === 'cancel') wire.tell({ t: 'end', id: frame.id, o: 0, n: 1, state: 'canceled' });
  });
  const lane = socket.attach('gen_a', { onRetry: () => lane.cancel() });
  assert.equal((await collect(lane)).at(-1).state, 'canceled');
});

test('a closed socket ends its lanes and opens no more', async () => {
  const { socket } = open((wire, frame) => play(wire, frame, 1));
  const reading = collect(socket.attach('gen_a', { onPosition: () => socket.close() }));
  await assert.rejects(reading, { code: 'closed' });
  assert.throws(() => socket.attach('gen_b'), { code: 'closed' });
});

test('a way that lets no WebSocket through is told, once the server has answered plainly', async () => {
  const serve = () => {};
  serve.refuse = () => true;
  let asked = 0;
  const { socket, wires } = open(serve, { check: async () => asked++ });
  await assert.rejects(collect(socket.attach('gen_a')), { code: 'no_websocket', retry: false });
  assert.deepEqual([wires.length, asked], [5, 5]);
});

test('a socket that fails without closing is a cut', async () => {
  const serve = (wire, frame) => play(wire, frame);
  serve.refuse = (wire) => wire.nth === 0;
  const WebSocket = fake(serve);
  WebSocket.prototype.cut = function () {
    this.readyState = 3;
    this.onerror({});
  };
  const socket = new Socket({ url: 'ws://x/v1/ws', WebSocket, retry: 1 });
  assert.equal(text(await collect(socket.attach('gen_a'))), WORDS.join(''));
  socket.close();
});

test('a word to a lane between two attachments does no harm', async () => {
  let asked = 0;
  const { socket } = open((wire, frame) => {
    if (frame.t === 'cancel') return wire.tell({ t: 'error', id: frame.id, code: 'unknown_lane', message: 'no', retry: false });
    play(wire, frame, asked++ ? Infinity : 2, () => wire.tell({ t: 'error', id: frame.id, code: 'slow_reader', message: 'slow', retry: true }));
  });
  const lane = socket.attach('gen_a', { onRetry: () => lane.cancel() });
  assert.equal(text(await collect(lane)), WORDS.join(''));
});

test('a watch over the WebSocket is a watch', async () => {
  const WebSocket = fake((wire, frame) => play(wire, frame));
  const client = new HearthClient({ baseUrl: 'https://gate/way', WebSocket });
  const both = await Promise.all([client.text('gen_a', { transport: 'ws' }), client.text('gen_b', { transport: 'ws' })]);
  assert.deepEqual(both, [WORDS.join(''), WORDS.join('')]);
  assert.deepEqual(WebSocket.wires.map(({ url }) => url), ['wss://gate/way/v1/ws']);
});

test('a platform without a WebSocket is told to bring one', () => {
  assert.throws(() => new Socket({ url: 'ws://x', WebSocket: null }), TypeError);
});

test('a socket sends the key as a protocol that it speaks', async () => {
  const WebSocket = fake(play);
  for (const [key, protocols] of [['hearth_ä?>', ['hearth.v1', 'bearer.aGVhcnRoX8OkPz4']], [undefined, []]]) {
    const socket = new HearthClient({ baseUrl: 'http://x', key, WebSocket }).socket({ idle: 0 });
    await collect(socket.create({ model: 'demo' }));
    assert.deepEqual(WebSocket.wires.at(-1).protocols, protocols);
  }
});
