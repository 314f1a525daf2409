import { Section } from '../../ui/section';

export function BaseSection() {
  return <Section id="base" title="Base"><p class="quiet">Not built yet.</p></Section>;
}
