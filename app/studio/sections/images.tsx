import { Section } from '../../ui/section';

export function ImagesSection() {
  return <Section id="images" title="Images"><p class="quiet">Not built yet.</p></Section>;
}
