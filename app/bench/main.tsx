/** The bench page: Graft beside its peers on the visitor's GPU. */
import '../ui/base.css';
import './bench.css';
import { render } from 'preact';
import { DeviceChip, Header } from '../ui/header';
import { Notices } from '../ui/notices';
import { Section } from '../ui/section';
import { WebGpuHelp } from '../ui/webgpuHelp';
import { ResultsSection } from './results';
import { SetupSection } from './setup';
import { adapter, open } from './state';

function App() {
  const found = adapter.value;
  return (
    <>
      <Header page="bench" device={<Device />} />
      <main id="main" class="page" tabIndex={-1}>
        <div class="page-intro">
          <h1>Benchmark</h1>
          <p>Graft beside other engines on this machine, in this browser: the same shapes, weights and images, the same code as the benchmark in Node. Nothing is sent anywhere. Close other tabs and programs, and keep this tab in front, for figures that mean something.</p>
        </div>
        {found !== null && 'missing' in found && <WebGpuHelp reason={found.missing} works="Results that were saved as JSON can be looked at here all the same." />}
        <div class="bench-columns">
          <SetupSection />
          {found !== null && 'facts' in found && <AdapterSection facts={found.facts} />}
        </div>
        <ResultsSection />
      </main>
      <Notices />
    </>
  );
}

function Device() {
  const found = adapter.value;
  if (found === null) return <DeviceChip label="looking for a GPU" kind="waiting" />;
  if ('missing' in found) return <DeviceChip label="no WebGPU" kind="wrong" title={found.missing} />;
  return found.software ? <DeviceChip label="software" kind="warn" title={found.name} /> : <DeviceChip label={found.name} />;
}

function AdapterSection({ facts }: { readonly facts: readonly (readonly [string, string])[] }) {
  return (
    <Section id="adapter" title="This machine">
      <dl class="bench-adapter">{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
    </Section>
  );
}

const root = document.getElementById('app') as HTMLElement;
root.textContent = ''; // what it says until scripts run
render(<App />, root);
void open();
