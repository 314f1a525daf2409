import { Section } from '../../ui/section';

export function TrainSection() {
  return <Section id="train" title="Train"><p class="quiet">Not built yet.</p></Section>;
}
