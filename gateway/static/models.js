const CHANGING = 2000;

/** The model picker: which there are, and how warm each is. */
export class Models {
  #select;
  #list;
  #timer;
  // May be known before the list is.
  #wanted = localStorage.getItem('hearth.model');

  constructor(select, list) {
    this.#select = select;
    this.#list = list;
    select.addEventListener('change', () => {
      localStorage.setItem('hearth.model', select.value);
      this.choose(select.value);
    });
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && this.refresh());
  }

  get chosen() {
    return this.#select.value;
  }

  choose(id) {
    this.#wanted = id;
    const options = [...this.#select.options];
    if (options.some((option) => option.value === id)) this.#select.value = id;
    const { state = '', stage = '' } = this.#select.selectedOptions[0]?.dataset ?? {};
    this.#select.parentElement.dataset.state = state;
    this.#select.parentElement.title = stage;
  }

  async refresh() {
    clearTimeout(this.#timer);
    const models = await this.#list();
    if (!models) return;
    this.#sync(models);
    this.choose(this.#wanted);
    this.#select.disabled = models.length === 0;
    // Warmth changes by itself only while something boots.
    if (models.some((model) => model.state === 'booting' || model.state === 'draining')) {
      this.#timer = setTimeout(() => this.refresh(), CHANGING);
    }
  }

  // Options that stay are kept: replacing them would close a picker that is open.
  #sync(models) {
    const known = new Map([...this.#select.options].map((option) => [option.value, option]));
    for (const { id, state = '', stage = '' } of models) {
      const option = known.get(id) ?? this.#select.appendChild(new Option('', id));
      known.delete(id);
      Object.assign(option.dataset, { state, stage });
      const label = state ? `${id} · ${state}` : id;
      if (option.text !== label) option.text = label;
    }
    for (const option of known.values()) option.remove();
  }
}
