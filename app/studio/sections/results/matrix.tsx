/** The confusion matrix: a table whose cells list their pictures. Arrow keys move in it, Enter opens a cell. */
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { count } from '../../../../src/report/format';
import { shownClasses } from './judged';

/** More would be a table that nobody reads. */
const MOST = 40;

export interface Cell {
  /** Indices of classes. */
  readonly label: number;
  readonly predicted: number;
}

export interface MatrixProps {
  readonly classes: readonly string[];
  readonly confusion: readonly (readonly number[])[];
  readonly chosen: Cell | null;
  readonly onChoose: (cell: Cell) => void;
}

export function Matrix({ classes, confusion, chosen, onChoose }: MatrixProps) {
  const table = useRef<HTMLTableElement>(null);
  const at = useSignal<readonly [number, number]>([0, 0]);
  const shown = shownClasses(confusion, MOST);
  const [row, column] = [Math.min(at.value[0], shown.length - 1), Math.min(at.value[1], shown.length - 1)];

  const move = (event: KeyboardEvent): void => {
    const last = shown.length - 1;
    const next = ({
      ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
      Home: [row, 0], End: [row, last], PageUp: [0, column], PageDown: [last, column],
    } as Record<string, [number, number]>)[event.key];
    if (!next) return;
    event.preventDefault();
    const [r, c] = next.map((value) => Math.min(last, Math.max(0, value)));
    at.value = [r, c];
    table.current?.querySelector<HTMLElement>(`[data-cell="${r},${c}"]`)?.focus();
  };

  return (
    <>
      <div class="scroll-box matrix-box">
        <table class="matrix" ref={table} role="grid" aria-label="Confusion matrix: rows are true classes, columns what they were taken for" onKeyDown={move}>
          <thead>
            <tr>
              <th class="matrix-corner"><span>true</span><span>taken for</span></th>
              {shown.map((k) => <th key={k} scope="col" title={classes[k]}><span>{classes[k]}</span></th>)}
            </tr>
          </thead>
          <tbody>
            {shown.map((label, r) => {
              const total = confusion[label].reduce((sum, n) => sum + n, 0);
              return (
                <tr key={label}>
                  <th scope="row" title={classes[label]}><span>{classes[label]}</span></th>
                  {shown.map((predicted, c) => {
                    const images = confusion[label][predicted];
                    const share = total === 0 ? 0 : images / total;
                    const picked = chosen?.label === label && chosen.predicted === predicted;
                    const words = `${classes[label]} taken for ${classes[predicted]}: ${images} of ${total}`;
                    const choose = (): void => {
                      at.value = [r, c];
                      if (images > 0) onChoose({ label, predicted });
                    };
                    return (
                      <td
                        key={predicted} role="gridcell" data-cell={`${r},${c}`} tabIndex={r === row && c === column ? 0 : -1} aria-label={words} aria-selected={picked} title={words}
                        class={`matrix-cell${images === 0 ? ' none' : label === predicted ? ' right' : ' wrong'}`} style={{ '--share': `${Math.round(12 + share * 88)}%` }}
                        onClick={choose} onKeyDown={(event) => { if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); choose(); } }}
                      >
                        {images === 0 ? '·' : count(images)}
                      </td>
                    );
                  })}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <p class="quiet results-aside">
        Rows are true classes, columns what they were taken for; a deeper colour is a larger share of its row.
        {shown.length < classes.length && ` Shown are the ${shown.length} of ${count(classes.length)} classes with the most mistakes.`}
        {' '}Choose a number to see its pictures.
      </p>
    </>
  );
}
