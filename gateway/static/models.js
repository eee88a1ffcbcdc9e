const CHANGING = 2000;

/** The model picker: which there are, and how warm each is. */
export class Models {
  #select;
  #list;
  #timer;

  constructor(select, list) {
    this.#select = select;
    this.#list = list;
    select.addEventListener('change', () => {
      localStorage.setItem('hearth.model', select.value);
      this.#paint();
    });
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && this.refresh());
  }

  get chosen() {
    return this.#select.value;
  }

  choose(id) {
    if ([...this.#select.options].some((option) => option.value === id)) this.#select.value = id;
    this.#paint();
  }

  async refresh() {
    clearTimeout(this.#timer);
    const models = await this.#list();
    if (!models) return;
    const wanted = this.#select.value || localStorage.getItem('hearth.model');
    this.#sync(models);
    this.choose(wanted);
    this.#select.disabled = models.length === 0;
    // Warmth changes by itself only while something boots.
    if (models.some((model) => model.state === 'booting' || model.state === 'draining')) {
      this.#timer = setTimeout(() => this.refresh(), CHANGING);
    }
  }

  // Options that stay are kept: replacing them would close a picker that is open.
  #sync(models) {
    const known = new Map([...this.#select.options].map((option) => [option.value, option]));
    for (const { id, state } of models) {
      const option = known.get(id) ?? this.#select.appendChild(new Option('', id));
      known.delete(id);
      option.dataset.state = state ?? '';
      const label = state ? `${id} · ${state}` : id;
      if (option.text !== label) option.text = label;
    }
    for (const option of known.values()) option.remove();
  }

  #paint() {
    const state = this.#select.selectedOptions[0]?.dataset.state ?? '';
    this.#select.parentElement.dataset.state = state;
  }
}
