import { Section } from '../../ui/section';

export function TrySection() {
  return <Section id="try" title="Try"><p class="quiet">Not built yet.</p></Section>;
}
