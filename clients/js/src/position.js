import { HearthError } from './errors.js';

/** Where a reader stands in a log: `epoch-offset` names the last event seen. */
export class Cursor {
  #epoch;
  #offset = -1;

  constructor(after) {
    if (after === undefined || after === null) return;
    const { epoch, offset } = parse(after);
    this.#epoch = epoch;
    this.#offset = offset;
  }

  get position() {
    return this.#epoch === undefined ? undefined : `${this.#epoch}-${this.#offset}`;
  }

  /**
   * Moves past the `n` events from offset `o`; false when they were seen before. What goes on exactly where we stand
   * may do so under a new epoch: the server knows our position, and says in this way that it is still good.
   */
  pass(epoch, { o, n }) {
    if (this.#epoch !== undefined && epoch !== this.#epoch && o !== this.#offset + 1) {
      throw new HearthError('epoch_mismatch', `The log was begun anew: ${this.position} is of another epoch than ${epoch}.`, { epoch });
    }
    const last = o + n - 1;
    if (last <= this.#offset) return false;
    if (o !== this.#offset + 1) {
      throw new HearthError('gap', `Event ${o} came where ${this.#offset + 1} was due.`, { epoch });
    }
    this.#epoch = epoch;
    this.#offset = last;
    return true;
  }
}

export function parse(position) {
  const match = /^([a-z0-9]+)-(\d+)$/.exec(position);
  if (!match) throw new HearthError('bad_position', `${position} is not a position, which is written epoch-offset.`);
  return { epoch: match[1], offset: Number(match[2]) };
}
