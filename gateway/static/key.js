const KEPT = 'hearth.key';

/** The key of this tab, or else the one that this browser remembers. */
export function kept() {
  return sessionStorage.getItem(KEPT) ?? localStorage.getItem(KEPT) ?? undefined;
}

function keep(key, remember) {
  const [chosen, other] = remember ? [localStorage, sessionStorage] : [sessionStorage, localStorage];
  chosen.setItem(KEPT, key);
  other.removeItem(KEPT);
}

/** Asks for a key; false when none is given. */
export function ask(dialog) {
  const form = dialog.querySelector('form');
  const { key, remember } = form.elements;
  key.value = '';
  return new Promise((resolve) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      keep(key.value.trim(), remember.checked);
      dialog.close('given');
    };
    dialog.querySelector('[type="button"]').onclick = () => dialog.close('');
    dialog.onclose = () => resolve(dialog.returnValue === 'given');
    dialog.returnValue = '';
    dialog.showModal();
  });
}
