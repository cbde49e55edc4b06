// Storage that may be missing, full or forbidden: then memory stands in for it.

/** @typedef {{ getItem(key: string): string | null, setItem(key: string, value: string): void, removeItem(key: string): void, keys(): string[] }} Store */

/** @returns {Store} */
export function memoryStore() {
  /** @type {Map<string, string>} */
  const map = new Map();
  return {
    getItem: (key) => map.get(key) ?? null,
    setItem: (key, value) => void map.set(key, value),
    removeItem: (key) => void map.delete(key),
    keys: () => [...map.keys()],
  };
}

/** The page's `localStorage` or `sessionStorage`. @param {'localStorage' | 'sessionStorage'} name @returns {Store} */
export function pageStore(name) {
  const memory = memoryStore();
  /** @type {Storage | null} */
  let real = null;
  try {
    real = globalThis[name];
    real.setItem('chatcore.probe', '1');
    real.removeItem('chatcore.probe');
  } catch {
    return memory;
  }
  const store = real;
  return {
    getItem: (key) => memory.getItem(key) ?? store.getItem(key),
    setItem: (key, value) => {
      try {
        store.setItem(key, value);
        memory.removeItem(key);
      } catch {
        memory.setItem(key, value);
      }
    },
    removeItem: (key) => {
      memory.removeItem(key);
      store.removeItem(key);
    },
    keys: () => [...new Set([...memory.keys(), ...Object.keys(store)])],
  };
}

/** @param {Store} store @param {string} key @returns {any} what was put there, or null */
export function readJson(store, key) {
  try {
    return JSON.parse(store.getItem(key) ?? 'null');
  } catch {
    return null;
  }
}
