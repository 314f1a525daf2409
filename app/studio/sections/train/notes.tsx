/** What happened during a run besides training: smaller batches, a lost device, skipped pictures. */
import { InfoIcon } from '../../../ui/icons';

const SHOWN = 4;

export function RunNotes({ notes }: { readonly notes: readonly string[] }) {
  if (notes.length === 0) return null;
  const recent = notes.slice(-SHOWN);
  const older = notes.slice(0, -SHOWN);
  return (
    <div class="train-notes">
      <ul role="list">{recent.map((note, i) => <li key={older.length + i}><InfoIcon size={16} /><span>{note}</span></li>)}</ul>
      {older.length > 0 && (
        <details class="fold">
          <summary>{older.length} earlier</summary>
          <ul role="list">{older.map((note, i) => <li key={i}><InfoIcon size={16} /><span>{note}</span></li>)}</ul>
        </details>
      )}
    </div>
  );
}
