/** An estimate that differs by less is the same one: what is counted down does not jump. */
const SAME = 2000;

/** For how many seconds more something is likely waited for. Shown, and not read out: it changes every second. */
export class Countdown {
  element = document.createElement('span');
  #due = null;
  #ticking = 0;

  constructor() {
    this.element.setAttribute('role', 'timer');
  }

  /** So many seconds from now; where nothing is known of them, that is said if something was known before. */
  set(seconds) {
    if (seconds === undefined) {
      const overdue = this.#due !== null;
      this.stop();
      if (overdue) this.element.textContent = 'longer than last time';
      return;
    }
    const due = Date.now() + seconds * 1000;
    if (this.#due === null || Math.abs(due - this.#due) > SAME) this.#due = due;
    this.#ticking ||= setInterval(() => this.#show(), 1000);
    this.#show();
  }

  stop() {
    clearInterval(this.#ticking);
    this.#ticking = 0;
    this.#due = null;
    this.element.textContent = '';
  }

  #show() {
    const left = Math.round((this.#due - Date.now()) / 1000);
    this.element.textContent = left > 0 ? `about ${left} s` : 'any moment now';
  }
}
