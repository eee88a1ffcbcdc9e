import { HearthError } from './errors.js';

// Closed for what this client said or is: the same again would be refused again.
const REFUSED = new Set([1002, 1003, 1007, 1008, 1009, 1010, 4400, 4401, 4409]);

/** One WebSocket connection, from dialing to its end. */
export class Wire {
  opened;
  /** Resolves, never rejects, with the error that says why it ended. */
  closed;
  #ws;
  #end;
  #heartbeat;
  #unanswered = 0;

  constructor({ url, protocols, WebSocket, silence }, take) {
    this.#ws = new WebSocket(url, protocols);
    this.closed = new Promise((resolve) => (this.#end = resolve));
    this.opened = new Promise((resolve, reject) => {
      this.#ws.onopen = resolve;
      this.closed.then(reject);
    });
    this.#ws.onmessage = ({ data }) => this.#hear(data, take);
    this.#ws.onclose = ({ code, reason }) =>
      this.#over('cut', reason || `The socket was closed (${code}).`, { retry: !REFUSED.has(code), close: code });
    // Not every WebSocket closes what it could not open.
    this.#ws.onerror = () => this.isOpen || this.#over('cut', 'The socket could not be opened.', { retry: true });
    this.#heartbeat = setInterval(() => this.#beat(silence), silence / 3);
  }

  get isOpen() {
    return this.#ws.readyState === 1;
  }

  send(frame) {
    if (this.isOpen) this.#ws.send(JSON.stringify(frame));
  }

  close() {
    this.#ws.close();
    // The closing handshake of a dead connection takes its time: nobody waits for it.
    this.#over('closed', 'The socket was closed.', { retry: true });
  }

  #hear(data, take) {
    this.#unanswered = 0;
    let frame;
    try {
      frame = JSON.parse(data);
    } catch (cause) {
      this.#over('bad_frame', 'The server sent a frame that is not JSON.', { cause });
      return this.#ws.close();
    }
    take(frame);
  }

  // Pings of ours, because a browser hides the protocol's. Counted, not timed: a tab in the background is late itself.
  #beat(silence) {
    if (++this.#unanswered < 3) return this.send({ t: 'ping' });
    this.#over('silence', `Nothing was heard for ${silence / 1000} s.`, { retry: true });
    this.#ws.close();
  }

  #over(code, message, details) {
    clearInterval(this.#heartbeat);
    this.#ws.onmessage = null;
    this.#end(new HearthError(code, message, details));
  }
}
