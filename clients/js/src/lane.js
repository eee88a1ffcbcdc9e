import { HearthError } from './errors.js';
import { Cursor } from './position.js';

/** One generation on a Socket: an async iterable of its events that any number of cuts leaves whole. */
export class Lane {
  /** The generation's id; null until the server has told it to a lane that creates one. */
  generation;
  /** Resolves with the generation's id once the lane is attached. */
  opened;

  #port;
  #options;
  #cursor;
  #epoch;
  // Holds at most what the log holds: a WebSocket cannot be slowed down from here.
  #events = [];
  #waiting = null;
  #over = false;
  #error;
  #canceled = false;
  #tellOpened;
  #stop = () => {
    this.#events = [];
    this.#abandon(this.#options.signal.reason);
  };

  constructor(port, generation, options) {
    this.#port = port;
    this.#options = options;
    this.generation = generation;
    this.#cursor = new Cursor(options.after);
    this.opened = new Promise((resolve, reject) => {
      this.#tellOpened = { resolve, reject };
    });
    // Who iterates meets the error there; `opened` may have no listener.
    this.opened.catch(() => {});
    if (options.signal?.aborted) this.fail(options.signal.reason);
    else options.signal?.addEventListener('abort', this.#stop, { once: true });
  }

  get over() {
    return this.#over;
  }

  /** The last event that came in, which is where the lane goes on after a cut. */
  get position() {
    return this.#cursor.position;
  }

  /** Stops the generation, for everybody. Its `end` still comes. */
  cancel() {
    this.#canceled = true;
    this.#port.send({ t: 'cancel' });
  }

  /** Leaves the generation running and ends the iteration. */
  detach() {
    if (this.#over) return;
    this.#port.send({ t: 'detach' });
    this.#finish();
  }

  /** Takes a frame the server sent to this lane. */
  take({ t, id, ...data }) {
    if (t === 'attached') {
      this.#epoch = data.epoch;
      this.generation = data.generation;
      this.#tellOpened.resolve(data.generation);
      this.#options.onConnect?.();
      // Said while there was no connection, it was not heard; said twice, it does no harm.
      if (this.#canceled) this.cancel();
      return;
    }
    if (t === 'epoch') {
      this.#epoch = data.epoch;
      return;
    }
    if (t === 'detached') return this.#finish();
    // What is not of the log has no place in it.
    if (data.o === undefined) return;
    try {
      if (!this.#cursor.pass(this.#epoch, data)) return;
    } catch (error) {
      return this.#abandon(error);
    }
    this.#events.push({ type: t, ...data, position: this.#cursor.position });
    if (t === 'end') this.#finish();
    this.#wake();
  }

  retrying(attempt) {
    this.#options.onRetry?.(attempt);
  }

  fail(error) {
    if (this.#over) return;
    this.#error = error;
    this.#tellOpened.reject(error);
    this.#finish();
  }

  #abandon(error) {
    this.#port.send({ t: 'detach' });
    this.fail(error);
  }

  #finish() {
    this.#over = true;
    this.#options.signal?.removeEventListener('abort', this.#stop);
    this.#tellOpened.reject(new HearthError('detached', 'The lane was given up before it was attached.'));
    this.#port.release();
    this.#wake();
  }

  #wake() {
    this.#waiting?.();
    this.#waiting = null;
  }

  async *[Symbol.asyncIterator]() {
    try {
      for (;;) {
        while (this.#events.length) {
          const event = this.#events.shift();
          this.#options.onPosition?.(event.position);
          yield event;
        }
        if (this.#error) throw this.#error;
        if (this.#over) return;
        await new Promise((resolve) => (this.#waiting = resolve));
      }
    } finally {
      this.detach();
    }
  }
}
