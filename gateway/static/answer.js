import { Countdown } from './countdown.js';
import { Prose } from './prose.js';
import { ENDS, meanwhile, reconnecting, trouble, waiting } from './words.js';

function make(tag, className, text = '') {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/** One answer on the page: takes a generation's events, shows what they add up to. */
export class Answer {
  element = make('article', 'answer');
  /** The model that was asked, where that is known: another one may answer. */
  asked;
  #choices = new Map();
  #list = make('div', 'choices');
  #status = make('div', 'status');
  #words = make('span', '');
  #left = new Countdown();
  #model = '';
  #waiting = '';
  #frame = 0;
  #remedies;

  /** `remedies` are offered when the generation fails: `{ label, act }`. */
  constructor(remedies = []) {
    this.#remedies = remedies;
    this.element.setAttribute('aria-busy', 'true');
    this.#words.setAttribute('role', 'status');
    this.#status.append(this.#words, this.#left.element);
    this.#status.hidden = true;
    this.element.append(this.#list, this.#status);
  }

  /** What choice 0 has said. */
  get text() {
    return this.#choices.get(0)?.prose.text ?? '';
  }

  take(event) {
    if (event.type === 'opened') this.#open(event);
    if (event.type === 'opened' || event.type === 'accepted') this.wait('Waiting for the first word');
    else if (event.type === 'progress') this.#wait(event);
    else if (event.type === 'delta') this.#delta(event);
    else if (event.type === 'note') this.#remark(event.message);
    else if (event.type === 'end') this.#end(event);
  }

  /** Says what is being waited for; nothing, when the answer speaks for itself. */
  wait(text) {
    this.#left.stop();
    this.#waiting = text;
    this.#tell(text);
  }

  retrying(retry) {
    this.#left.stop();
    this.#tell(reconnecting(retry));
  }

  connected() {
    this.#tell(this.#waiting);
  }

  /** Ends it with an error, and the buttons that may help. */
  fail(error, remedies = this.#remedies) {
    this.#close();
    const { what, remedy } = trouble(error);
    const box = make('div', 'trouble');
    box.setAttribute('role', 'alert');
    const first = make('p', '');
    first.append(make('strong', '', what));
    box.append(first, make('p', '', remedy));
    for (const { label, act } of remedies) {
      const button = make('button', 'quiet', label);
      button.type = 'button';
      button.addEventListener('click', act);
      box.append(button, ' ');
    }
    this.element.append(box);
  }

  stop() {
    this.#close();
    this.#remark(ENDS.canceled.caller);
  }

  #open({ model }) {
    this.#model = model;
    if (this.asked && this.asked !== model) this.#remark(meanwhile(model, this.asked));
  }

  #wait(event) {
    this.#waiting = waiting(event, this.#model);
    this.#tell(this.#waiting);
    this.#left.set(event.ready_s);
  }

  #delta(event) {
    const choice = this.#choice(event.c);
    if (event.r) this.#think(choice, event.r);
    if (event.d) choice.prose.append(event.d);
    for (const call of event.tool_calls ?? []) this.#call(choice, call);
    if (event.finish === 'length') choice.limited = true;
    this.wait('');
    // A page shows 60 pictures a second at most, an engine may say more words than that.
    this.#frame ||= requestAnimationFrame(() => this.#show());
  }

  #choice(index) {
    let choice = this.#choices.get(index);
    if (!choice) {
      const element = make('div', 'choice');
      choice = { element, prose: new Prose(element), calls: new Map(), thoughts: null, limited: false };
      this.#choices.set(index, choice);
      this.#list.append(element);
    }
    return choice;
  }

  #think(choice, text) {
    if (!choice.thoughts) {
      const details = make('details', 'thoughts');
      const inside = make('div', '');
      details.append(make('summary', '', 'Thoughts'), inside);
      choice.element.prepend(details);
      choice.thoughts = new Prose(inside);
    }
    choice.thoughts.append(text);
  }

  #call(choice, { index = 0, function: { name = '', arguments: piece = '' } = {} }) {
    let element = choice.calls.get(index);
    if (!element) {
      element = make('pre', '');
      element.dataset.language = 'tool call';
      choice.calls.set(index, element);
      choice.element.append(element);
    }
    element.append(name ? `${name} ` : '', piece);
  }

  #show() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    for (const { prose, thoughts } of this.#choices.values()) {
      thoughts?.show();
      prose.show();
    }
  }

  #end({ state, reason, error }) {
    if (state === 'failed') return this.fail(error);
    this.#close();
    if (state === 'canceled') this.#remark(ENDS.canceled[reason] ?? ENDS.canceled.caller);
    else if ([...this.#choices.values()].some(({ limited }) => limited)) this.#remark(ENDS.length);
  }

  #close() {
    this.#show();
    this.#left.stop();
    this.#status.hidden = true;
    this.element.setAttribute('aria-busy', 'false');
  }

  #tell(text) {
    this.#words.textContent = text;
    this.#status.hidden = !text;
  }

  #remark(text) {
    this.element.append(make('div', 'remark', text));
  }
}

/** What was said before, by anybody. */
export function said({ role, content }) {
  const element = make('article', 'said');
  element.dataset.role = role;
  const prose = new Prose(element);
  prose.append(plain(content));
  prose.show();
  return element;
}

function plain(content) {
  if (typeof content === 'string') return content;
  if (Array.isArray(content)) return content.map((part) => part.text ?? (typeof part === 'string' ? part : `[${part.type}]`)).join('\n\n');
  return content == null ? '' : JSON.stringify(content);
}
