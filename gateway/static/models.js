/** The model picker: which there are, and how warm each is. */
export class Models {
  #select;
  #list;
  // May be known before the list is.
  #wanted = localStorage.getItem('hearth.model');

  constructor(select, list) {
    this.#select = select;
    this.#list = list;
    select.addEventListener('change', () => {
      localStorage.setItem('hearth.model', select.value);
      this.choose(select.value);
    });
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

  /** Asks the server; true while warmth changes by itself, and is worth asking for again. */
  async refresh() {
    const models = await this.#list();
    this.#sync(models);
    this.choose(this.#wanted);
    this.#select.disabled = models.length === 0;
    return models.some((model) => model.state === 'booting' || model.state === 'draining');
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
