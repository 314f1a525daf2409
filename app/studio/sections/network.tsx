import { Section } from '../../ui/section';

export function NetworkSection() {
  return <Section id="network" title="Network"><p class="quiet">Not built yet.</p></Section>;
}
