/** The page from top to bottom. */
import '../ui/base.css';
import { BaseSection } from './sections/base';
import { ImagesSection } from './sections/images';
import { NetworkSection } from './sections/network';
import { ResultsSection } from './sections/results';
import { SaveSection } from './sections/save';
import { TrainSection } from './sections/train';
import { TrySection } from './sections/try';

export function App() {
  return (
    <main>
      <h1>Graft</h1>
      <ImagesSection />
      <BaseSection />
      <NetworkSection />
      <TrainSection />
      <ResultsSection />
      <TrySection />
      <SaveSection />
    </main>
  );
}
