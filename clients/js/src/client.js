import { HearthError } from './errors.js';
import { Socket } from './socket.js';
import { watch } from './watch.js';

/** One gateway, one key. Starting, reading and stopping are separate things: an answer does not depend on who reads it. */
export class HearthClient {
  #base;
  #key;
  #fetch;
  #WebSocket;
  #shared;

  constructor({ baseUrl = globalThis.location?.origin, key, fetch = globalThis.fetch, WebSocket = globalThis.WebSocket } = {}) {
    if (!baseUrl) throw new TypeError('Outside a browser, HearthClient needs a baseUrl.');
    this.#base = String(baseUrl).replace(/\/*$/, '/');
    this.#key = key;
    // A browser's fetch refuses to be called as somebody's method.
    this.#fetch = (url, init) => fetch(url, init);
    this.#WebSocket = WebSocket;
  }

  start(request, { idempotencyKey, signal } = {}) {
    const headers = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
    return this.#json('v1/streams', { method: 'POST', body: JSON.stringify(request), headers, signal });
  }

  get(id, { signal } = {}) {
    return this.#json(path(id), { signal });
  }

  cancel(id, { signal } = {}) {
    return this.#json(path(id), { method: 'DELETE', signal });
  }

  async models({ signal } = {}) {
    return (await this.#json('v1/models', { signal })).data;
  }

  /** A ticket for one generation, or for all: what an EventSource of one's own puts into its address. */
  ticket(generation, { signal } = {}) {
    const body = JSON.stringify(generation === undefined ? {} : { generation });
    return this.#json('v1/tickets', { method: 'POST', body, signal });
  }

  /** The events of a generation, each once, until its `end`. */
  watch(id, { transport = 'sse', ...options } = {}) {
    if (transport === 'ws') return this.#lane(id, options);
    if (transport !== 'sse') throw new TypeError(`transport is 'sse' or 'ws', not ${transport}.`);
    const open = (position, signal) => {
      const query = position ? `?after=${position}` : '';
      return this.#fetch(this.#base + path(id) + query, {
        headers: this.#headers({ accept: 'text/event-stream' }),
        cache: 'no-store',
        signal,
      });
    };
    return watch(open, options);
  }

  /** Waits for the end and answers the first choice's text; a failed generation throws its error. */
  async text(id, options) {
    let text = '';
    for await (const event of this.watch(id, options)) {
      if (event.type === 'delta' && event.c === 0) text += event.d ?? '';
      if (event.type === 'end' && event.state === 'failed') throw HearthError.told(event.error);
    }
    return text;
  }

  /** One WebSocket for many generations. */
  socket(options = {}) {
    return new Socket({
      url: `${this.#base.replace(/^http/, 'ws')}v1/ws`,
      protocols: this.#key ? ['hearth.v1', `bearer.${base64url(this.#key)}`] : [],
      WebSocket: this.#WebSocket,
      // A browser does not say why a handshake was refused; a plain request does.
      check: (signal) => this.models({ signal }),
      ...options,
    });
  }

  async *#lane(id, options) {
    this.#shared ??= this.socket({ idle: 0 });
    yield* this.#shared.attach(id, options);
  }

  async #json(where, init) {
    const type = init.body && { 'content-type': 'application/json' };
    const headers = this.#headers({ ...init.headers, accept: 'application/json', ...type });
    let response;
    try {
      response = await this.#fetch(this.#base + where, { ...init, headers });
    } catch (error) {
      if (init.signal?.aborted) throw init.signal.reason;
      throw HearthError.unreachable(error);
    }
    if (!response.ok) throw await HearthError.from(response);
    return response.json();
  }

  #headers(headers) {
    return this.#key ? { ...headers, authorization: `Bearer ${this.#key}` } : headers;
  }
}

function path(id) {
  return `v1/streams/${encodeURIComponent(id)}`;
}

// A browser's WebSocket sends no header but the protocols it speaks, and those are words of few letters.
function base64url(text) {
  const bytes = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(bytes).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}
