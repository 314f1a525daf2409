import { Section } from '../../ui/section';

export function SaveSection() {
  return <Section id="save" title="Save"><p class="quiet">Not built yet.</p></Section>;
}
