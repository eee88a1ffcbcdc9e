/**
 * Shows text that is still being written, as paragraphs and fenced code.
 * Only text nodes are ever made of it: nothing a model writes becomes markup.
 */
export class Prose {
  text = '';
  #parent;
  #open = null;
  #from = 0;

  constructor(parent) {
    this.#parent = parent;
  }

  append(piece) {
    this.text += piece;
  }

  /** Brings the page up to the text. Blocks that are complete are never touched again. */
  show() {
    for (;;) {
      const block = first(this.text.slice(this.#from));
      if (!block) return;
      this.#write(block);
      if (!block.length) return;
      this.#from += block.length;
      this.#open = null;
    }
  }

  #write({ language, body }) {
    const code = language !== undefined;
    if (this.#open && this.#open.code !== code) this.#discard();
    if (!this.#open && !body && !code) return;
    this.#open ??= this.#begin(code);
    const { element, node } = this.#open;
    if (language) element.dataset.language = language;
    if (body.startsWith(node.data)) node.appendData(body.slice(node.data.length));
    else node.data = body;
  }

  #begin(code) {
    const node = document.createTextNode('');
    const element = document.createElement(code ? 'pre' : 'p');
    (code ? element.appendChild(document.createElement('code')) : element).append(node);
    this.#parent.append(element);
    return { code, element, node };
  }

  // Two backticks looked like text until the third came.
  #discard() {
    this.#open.element.remove();
    this.#open = null;
  }
}

/** The first block of a text; `length` is how much of the text it takes, 0 while its end has not come. */
export function first(text) {
  const lead = /^\s*\n/.exec(text)?.[0].length ?? 0;
  const rest = text.slice(lead);
  if (!rest) return null;
  const fence = /^ {0,3}(`{3,}|~{3,})([^`\n]*)\n/.exec(rest);
  return fence ? code(rest, lead, fence) : paragraph(rest, lead);
}

function code(rest, lead, [opening, mark, info]) {
  const language = info.trim().split(/\s/)[0];
  const inside = rest.slice(opening.length);
  const closing = new RegExp(`(^|\\n) {0,3}${mark[0]}{${mark.length},}[ \\t]*(\\n|$)`).exec(inside);
  // A closing fence at the very end may yet prove to be a longer line: hide it, but keep the block open.
  if (!closing) return { language, body: inside.replace(/\n$/, ''), length: 0 };
  const body = inside.slice(0, closing.index);
  return { language, body, length: closing[2] ? lead + opening.length + closing.index + closing[0].length : 0 };
}

function paragraph(rest, lead) {
  const end = /\n[ \t]*\n|\n(?= {0,3}(?:```|~~~))/.exec(rest);
  if (!end) return { body: rest.trimEnd(), length: 0 };
  return { body: rest.slice(0, end.index).trimEnd(), length: lead + end.index + 1 };
}
