/** The page that classifies offline: one file with engine, weights and classes inside. */
import { render } from 'preact';
import '../ui/base.css';
import './page.css';
import { readFacts } from './model';
import { Page } from './page';

const root = document.getElementById('app') as HTMLElement;
root.replaceChildren();
try {
  render(<Page facts={readFacts()} />, root);
} catch (error) {
  root.textContent = `This page cannot be used: ${(error as Error).message}.`;
}
