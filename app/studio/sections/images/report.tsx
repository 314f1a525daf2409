/** What became of added files: how many came in, which were there already, which were left out and why. */
import { useState } from 'preact/hooks';
import { count } from '../../../ui/format';
import { CloseIcon } from '../../../ui/icons';
import { lastReport } from './adding';

const MOST = 50; // rows at first

export function Report() {
  const report = lastReport.value;
  const [all, setAll] = useState(false);
  return (
    <div class="images-live" role="status" aria-live="polite">
      {report && (
        <div class={`note ${report.skipped.length > 0 ? 'warn' : 'info'} images-report`}>
          <div>
            <p>
              <strong>{report.added === 0 ? 'No picture was added.' : `Added ${count(report.added, 'picture')}.`}</strong>
              {report.duplicates.length > 0 && ` ${report.duplicates.length === 1 ? '1 was' : `${report.duplicates.length.toLocaleString()} were`} in the project already.`}
              {report.skipped.length > 0 && ` ${count(report.skipped.length, 'file')} left out:`}
            </p>
            {report.skipped.length > 0 && (
              <ul class="images-skipped">
                {(all ? report.skipped : report.skipped.slice(0, MOST)).map(({ name, reason }, i) => <li key={i}><span class="images-skipped-name">{name}</span>: {reason}</li>)}
              </ul>
            )}
            {!all && report.skipped.length > MOST && <button type="button" class="button small" onClick={() => setAll(true)}>Show all {report.skipped.length}</button>}
            {report.duplicates.length > 0 && (
              <details>
                <summary>Files that were there already</summary>
                <ul class="images-skipped">{report.duplicates.slice(0, 500).map((name, i) => <li key={i}>{name}</li>)}</ul>
                {report.duplicates.length > 500 && <p>and {(report.duplicates.length - 500).toLocaleString()} more</p>}
              </details>
            )}
          </div>
          <button type="button" class="button small plain icon-only" aria-label="Close this report" onClick={() => { lastReport.value = null; }}><CloseIcon size={16} /></button>
        </div>
      )}
    </div>
  );
}
