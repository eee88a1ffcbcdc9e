import { Backoff, pause } from './backoff.js';
import { HearthError } from './errors.js';
import { Lane } from './lane.js';
import { Wire } from './wire.js';

// Refused handshakes in a row, with the server answering plain requests, until the way is held to be barred.
const BLOCKED = 4;

/**
 * Many generations on one WebSocket. It connects when the first lane is opened; after a cut it connects again and
 * attaches every open lane after the last event that came in.
 */
export class Socket {
  #options;
  #retry;
  #backoff;
  #lanes = new Map();
  #named = 0;
  #wire = null;
  #running = false;
  #idle;
  #closed = new AbortController();

  constructor({ url, protocols = [], WebSocket = globalThis.WebSocket, check, retry, retries = Infinity, silence = 45_000, idle = 30_000 }) {
    if (!WebSocket) throw new TypeError('This platform has no WebSocket: pass one.');
    this.#options = { url, protocols, WebSocket, check, retries, silence, idle };
    this.#retry = retry;
    this.#backoff = new Backoff(retry);
  }

  /**
   * Starts a generation. When a cut swallows the answer to that, it is asked for again if there is a key, by which the
   * server knows it; without one the lane fails rather than start a second generation.
   */
  create(request, { resumable = true, idempotencyKey, ...options } = {}) {
    return this.#open(null, options, { t: 'create', request, resumable, idempotency_key: idempotencyKey });
  }

  /** Reads a generation from its beginning, or after a position. */
  attach(generation, options = {}) {
    return this.#open(generation, options);
  }

  close() {
    this.#closed.abort(new HearthError('closed', 'The socket was closed.'));
    this.#eachLane((lane) => lane.fail(this.#closed.signal.reason));
    this.#wire?.close();
  }

  #open(generation, options, creation) {
    this.#closed.signal.throwIfAborted();
    const id = (this.#named++).toString(36);
    const port = { send: (frame) => this.#wire?.send({ ...frame, id }), release: () => this.#release(id) };
    const lane = new Lane(port, generation, options);
    if (lane.over) return lane;
    const entry = { lane, creation, wire: null, backoff: new Backoff(this.#retry) };
    this.#lanes.set(id, entry);
    clearTimeout(this.#idle);
    if (this.#wire?.isOpen) this.#ask(id, entry);
    else if (!this.#running) this.#run();
    return lane;
  }

  #release(id) {
    if (this.#lanes.delete(id)) this.#restIfIdle();
  }

  #restIfIdle() {
    if (this.#lanes.size === 0) this.#idle = setTimeout(() => this.#wire?.close(), this.#options.idle);
  }

  /** Owns the connection: from the first lane to the last, over as many wires as that takes. */
  async #run() {
    this.#running = true;
    while (this.#lanes.size) {
      const cut = await this.#connect();
      this.#wire = null;
      await this.#survive(cut);
    }
    clearTimeout(this.#idle);
    this.#running = false;
  }

  async #connect() {
    try {
      this.#wire = new Wire(this.#options, (frame) => this.#take(frame));
      await this.#wire.opened;
    } catch (error) {
      return this.#refusal(error);
    }
    for (const [id, entry] of this.#lanes) this.#ask(id, entry);
    this.#restIfIdle();
    return this.#wire.closed;
  }

  // A browser hides why a handshake was refused; asking by plain HTTP tells.
  async #refusal(error) {
    const { check, silence } = this.#options;
    try {
      await check?.(AbortSignal.timeout(silence));
    } catch (told) {
      return told instanceof HearthError && !told.retry ? told : error;
    }
    return check && this.#backoff.failures >= BLOCKED ? blocked(error) : error;
  }

  #ask(id, entry) {
    if (entry.wire === this.#wire) return;
    entry.wire = this.#wire;
    const { lane, creation } = entry;
    const attach = { t: 'attach', id, generation: lane.generation, after: lane.position };
    this.#wire.send(lane.generation ? attach : { ...creation, id });
  }

  async #survive(cut) {
    const givenUp = !cut.retry || this.#backoff.failures >= this.#options.retries;
    this.#eachLane((lane, { wire, creation }) => {
      if (givenUp) lane.fail(cut);
      else if (wire && !lane.generation && creation.idempotency_key === undefined) lane.fail(lost(cut));
    });
    if (this.#lanes.size === 0) return;
    const delay = this.#backoff.next();
    this.#eachLane((lane) => lane.retrying({ error: cut, delay, attempt: this.#backoff.failures }));
    await pause(delay, this.#closed.signal).catch(() => {});
  }

  #take(frame) {
    this.#backoff.reset();
    const entry = this.#lanes.get(frame.id);
    // Frames may still be under way to a lane that was given up.
    if (!entry) return;
    // A word to a lane that the server has closed, and that is about to be attached again.
    if (frame.code === 'unknown_lane') return;
    if (frame.t === 'error') return this.#lament(frame, entry);
    if (frame.t !== 'attached') entry.backoff.reset();
    entry.lane.take(frame);
  }

  async #lament({ t, id, ...told }, entry) {
    const error = HearthError.told(told);
    const { lane, wire, backoff } = entry;
    if (!error.retry || !lane.generation || backoff.failures >= this.#options.retries) return lane.fail(error);
    const delay = backoff.next();
    lane.retrying({ error, delay, attempt: backoff.failures });
    await pause(delay, this.#closed.signal).catch(() => {});
    // After a cut meanwhile, the new connection has attached this lane already.
    if (this.#lanes.has(id) && this.#wire === wire) {
      entry.wire = null;
      this.#ask(id, entry);
    }
  }

  #eachLane(act) {
    for (const entry of [...this.#lanes.values()]) act(entry.lane, entry);
  }
}

function blocked(cause) {
  const message = 'The server answers, but lets no WebSocket open; or something in between does not.';
  return new HearthError('no_websocket', message, { cause });
}

function lost(cause) {
  const message = 'The connection was cut before the server said whether the generation had started.';
  return new HearthError('create_lost', message, { retry: true, cause });
}
