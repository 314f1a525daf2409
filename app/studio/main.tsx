/** The studio page. */
import { render } from 'preact';
import { openSession } from './session';
import { App } from './app';

const root = document.getElementById('app') as HTMLElement;
root.textContent = ''; // what it says until scripts run
render(<App />, root);
void openSession();
