/** The map as lists: each class, and which of its pictures stand among another class. Computed when opened. */
import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { counted } from '../../../../src/report/format';
import type { EmbeddingMap } from '../../../shared/protocol';
import { state } from '../../session';
import { placesOf } from './judged';
import { lookAt } from './looking';
import { neighboursOf, type Neighbour } from './neighbours';

/** Pictures listed of a class before one asks for all. */
const LISTED = 12;

export function MapInWords({ map }: { readonly map: EmbeddingMap }) {
  const open = useSignal(false);
  return (
    <details class="fold" onToggle={(event) => { open.value = event.currentTarget.open; }}>
      <summary>The map as a list</summary>
      {open.value && <Lists map={map} />}
    </details>
  );
}

function Lists({ map }: { readonly map: EmbeddingMap }) {
  const neighbours = useMemo(() => neighboursOf(map.points), [map]);
  const classes = state.classes.value;
  const names = new Map(classes.map(({ id, name }) => [id, name]));
  const places = placesOf(classes);
  const ids = [...new Set(map.points.map(({ classId }) => classId))].sort((a, b) => (names.get(a) ?? '').localeCompare(names.get(b) ?? ''));
  const file = (id: string): string => places.get(id)?.image.name.replace(/^.*\//, '') ?? 'a removed picture';
  return (
    <div class="map-lists">
      {ids.map((id) => {
        const own = neighbours.filter(({ point }) => point.classId === id).sort((a, b) => Number(b.astray) - Number(a.astray) || a.distance - b.distance);
        return <ClassList key={id} name={names.get(id) ?? 'a removed class'} own={own} file={file} className={(other) => names.get(other) ?? 'a removed class'} />;
      })}
    </div>
  );
}

interface ClassListProps {
  readonly name: string;
  readonly own: readonly Neighbour[];
  readonly file: (id: string) => string;
  readonly className: (id: number) => string;
}

function ClassList({ name, own, file, className }: ClassListProps) {
  const all = useSignal(false);
  const astray = own.filter((one) => one.astray).length;
  return (
    <section aria-label={name}>
      <h4>{name}</h4>
      <p class="quiet">{counted(own.length, 'picture')}; {astray === 0 ? 'each is nearest to one of its own class.' : `${astray} nearest to another class.`}</p>
      <ul>
        {own.slice(0, all.value ? undefined : LISTED).map(({ point, other, astray: lost }) => (
          <li key={point.id}>
            <button type="button" class="link" onClick={() => lookAt({ picture: point.id, name: file(point.id), label: name })}>{file(point.id)}</button>
            {other && <span class="quiet">{lost ? ' stands among ' : ': nearest other is '}{lost ? <b>{className(other.classId)}</b> : className(other.classId)} ({file(other.id)})</span>}
          </li>
        ))}
      </ul>
      {own.length > LISTED && <button type="button" class="button small plain" aria-expanded={all.value} onClick={() => { all.value = !all.value; }}>{all.value ? 'Fewer' : `All ${own.length}`}</button>}
    </section>
  );
}
