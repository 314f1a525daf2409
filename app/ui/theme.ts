/** Light, dark, or as the system: remembered, and the same on all pages and tabs. */
import { signal } from '@preact/signals';

export type Theme = 'light' | 'dark' | 'system';

const KEY = 'graft-theme'; // the pages' heads read it too, so that no page flashes in the wrong colours

export const theme = signal<Theme>(remembered());

export function setTheme(next: Theme): void {
  try {
    if (next === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
  } catch { /* storage is switched off: the choice lasts as long as the page */ }
  show(next);
}

function remembered(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === 'light' || kept === 'dark' ? kept : 'system';
  } catch {
    return 'system';
  }
}

function show(next: Theme): void {
  theme.value = next;
  if (next === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
}

show(theme.value);
addEventListener('storage', ({ key }) => { if (key === KEY || key === null) show(remembered()); });
