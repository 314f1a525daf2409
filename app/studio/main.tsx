/** The studio page. */
import { render } from 'preact';
import { openSession } from './session';
import { App } from './app';

render(<App />, document.getElementById('app') as HTMLElement);
void openSession();
