/** Results as they come in, or of a file; to save, to copy, and to look at again. */
import { SUITES } from '../../bench/browser/plans.mjs';
import { engineTitle, sectionView } from '../../bench/lib/view.mjs';
import { FileButton } from '../ui/drop';
import { DownloadIcon, UploadIcon } from '../ui/icons';
import { Note } from '../ui/note';
import { Section } from '../ui/section';
import { GroupView } from './bars';
import type { Facts, ResultSection } from './result';
import { announcement, copyMarkdown, failures, loadFile, notes, result, running, saveJson, source } from './state';

export function ResultsSection() {
  const sections = Object.entries(result.value.sections);
  const some = sections.length > 0;
  return (
    <Section
      id="results" title="Results" lead={source.value === null ? undefined : `Of ${source.value}, not of this browser.`}
      actions={(
        <>
          <button type="button" class="button small" disabled={!some} onClick={saveJson}><DownloadIcon size={16} />Save as JSON</button>
          <button type="button" class="button small" disabled={!some} onClick={() => void copyMarkdown()}>Copy as Markdown</button>
          <FileButton class="button small" single accept=".json,application/json" disabled={running.value !== null} onFiles={([file]) => { if (file) void loadFile(file.path, file.blob); }}><UploadIcon size={16} />Look at a JSON</FileButton>
        </>
      )}
    >
      <p class="hidden-text" role="status">{announcement.value}</p>
      {!some && Object.keys(failures.value).length === 0 && <p class="quiet">{running.value ? 'The first results appear here as soon as a row is measured.' : 'Nothing was measured yet. The JSON is what npm run bench writes and npm run bench:page draws.'}</p>}
      {Object.entries(failures.value).map(([suite, why]) => <Note key={suite} kind="wrong"><p><strong>{SUITES[suite]?.title ?? suite}:</strong> {why}</p></Note>)}
      {sections.map(([name, section]) => <SuiteView key={name} name={name} section={section} />)}
      {notes.value.map((note) => <p key={note} class="quiet">{note[0].toUpperCase() + note.slice(1)}.</p>)}
      {some && <p class="quiet">A figure is the median; <b>2.00x</b> beside an engine says that Graft was twice as fast, as the median over rounds of the engine&rsquo;s time by Graft&rsquo;s in the same round. Times are of a browser&rsquo;s clock, whose steps are up to 0.1 ms, so samples of kernels are 40 ms and longer.</p>}
    </Section>
  );
}

function SuiteView({ name, section }: { readonly name: string; readonly section: ResultSection }) {
  const { lead, groups, failed, partial } = sectionView(name, section);
  return (
    <article class="bench-suite" aria-label={SUITES[name]?.title ?? name}>
      <h2>{SUITES[name]?.title ?? name}</h2>
      {lead && <p class="quiet">{lead}</p>}
      {partial && <Note kind="warn"><p>{partial}</p></Note>}
      {Object.entries(failed).map(([engine, why]) => <Note key={engine} kind="wrong"><p>{engineTitle(engine)} did not run: {why}</p></Note>)}
      {groups.map((group) => <GroupView key={group.title} group={group} />)}
      <p class="quiet bench-facts">{factWords(section.facts)}</p>
    </article>
  );
}

function factWords({ adapters, browser, node, system, date, versions, commit }: Facts): string {
  const found = Object.values(adapters).find((each) => each?.description || each?.vendor);
  const where = found ? `${found.description || [found.vendor, found.architecture].filter(Boolean).join(' ')}${found.software ? ' (software)' : ''}` : 'adapter not told';
  return [where, browser ?? (node ? `Node ${node}` : ''), system, date.slice(0, 10), Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', '), commit ? `commit ${commit.slice(0, 10)}` : ''].filter(Boolean).join('; ');
}
