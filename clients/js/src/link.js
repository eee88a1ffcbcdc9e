import { HearthError } from './errors.js';

/** One connection's abort: by the caller's signal, or by silence. Whatever breaks it, the error says which it was. */
export class Link {
  #controller = new AbortController();
  #silence;
  #outer;
  #passOn = () => this.close(this.#outer.reason);

  constructor(silence, outer) {
    this.#silence = silence;
    this.#outer = outer;
    if (outer?.aborted) this.#passOn();
    else outer?.addEventListener('abort', this.#passOn, { once: true });
  }

  get signal() {
    return this.#controller.signal;
  }

  /** Awaits the network, but not for longer than a living server stays silent. */
  async hear(promise) {
    const timer = setTimeout(
      () => this.close(new HearthError('silence', `Nothing was heard for ${this.#silence / 1000} s.`, { retry: true })),
      this.#silence,
    );
    try {
      return await promise;
    } catch (error) {
      throw this.signal.aborted ? this.signal.reason : HearthError.unreachable(error);
    } finally {
      clearTimeout(timer);
    }
  }

  close(reason) {
    this.#outer?.removeEventListener('abort', this.#passOn);
    this.#controller.abort(reason);
  }
}
