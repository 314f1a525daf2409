import { Section } from '../../ui/section';

export function ResultsSection() {
  return <Section id="results" title="Results"><p class="quiet">Not built yet.</p></Section>;
}
