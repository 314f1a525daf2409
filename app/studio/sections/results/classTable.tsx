/** Each class's share of found pictures and of right namings, the weakest first. */
import { percent } from '../../../../src/report/format';
import { classScores } from '../../../../src/report/statistics';

export function ClassTable({ classes, confusion }: { readonly classes: readonly string[]; readonly confusion: readonly (readonly number[])[] }) {
  const scores = classScores({ confusion }, classes).sort((a, b) => (a.recall ?? 2) - (b.recall ?? 2) || b.images - a.images);
  return (
    <div class="scroll-box class-box" tabIndex={0} role="region" aria-label="Classes">
      <table class="plain-table number">
        <thead>
          <tr>
            <th scope="col">Class</th>
            <th scope="col">Pictures</th>
            <th scope="col">Found <span class="class-term">recall</span></th>
            <th scope="col">Right when named <span class="class-term">precision</span></th>
          </tr>
        </thead>
        <tbody>
          {scores.map(({ name, images, recall, precision }) => (
            <tr key={name}>
              <th scope="row" title={name}><span class="class-name">{name}</span></th>
              <td>{images}</td>
              <td><Share value={recall} none="no pictures" /></td>
              <td><Share value={precision} none="never named" /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Share({ value, none }: { readonly value: number | null; readonly none: string }) {
  if (value === null) return <span class="quiet">{none}</span>;
  return <span class="share"><span class="share-track" aria-hidden="true"><span style={{ transform: `scaleX(${value})` }} /></span><span>{percent(value)}</span></span>;
}
