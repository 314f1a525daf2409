/** The studio page. */
import { render } from 'preact';
import { keepFocus } from '../ui/focusHeir';
import { keepInView } from '../ui/keepInView';
import { openSession } from './session';
import { App } from './app';

const root = document.getElementById('app') as HTMLElement;
void openSession();
// In a task of its own: the browser starts the worker only when this one has ended.
setTimeout(() => {
  root.textContent = ''; // what it says until scripts run
  render(<App />, root);
  keepInView();
  keepFocus();
});
