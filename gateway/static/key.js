const KEPT = 'hearth.key';

export function kept() {
  return localStorage.getItem(KEPT) ?? undefined;
}

/** Asks for a key; false when none is given. */
export function ask(dialog) {
  const form = dialog.querySelector('form');
  const input = dialog.querySelector('input');
  input.value = '';
  return new Promise((resolve) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      localStorage.setItem(KEPT, input.value.trim());
      dialog.close('given');
    };
    dialog.querySelector('[type="button"]').onclick = () => dialog.close('');
    dialog.onclose = () => resolve(dialog.returnValue === 'given');
    dialog.returnValue = '';
    dialog.showModal();
  });
}
