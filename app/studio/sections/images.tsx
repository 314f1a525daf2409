/** The classes and their pictures. */
import { useMemo, useState } from 'preact/hooks';
import type { ClassInfo } from '../../shared/protocol';
import { count } from '../../ui/format';
import { Field } from '../../ui/field';
import { PlusIcon } from '../../ui/icons';
import { Note } from '../../ui/note';
import { attempt } from '../../ui/notices';
import { Progress } from '../../ui/progress';
import { Section } from '../../ui/section';
import { session, state, studio } from '../session';
import { ClassCard } from './images/classCard';
import { Report } from './images/report';
import './images.css';

export function ImagesSection() {
  const classes = state.classes.value;
  const total = classes.reduce((sum, { images }) => sum + images.length, 0);
  return (
    <Section id="images" title="Pictures" lead={classes.length === 0 ? 'Each thing to tell apart is a class, and each class has its pictures.' : `${count(total, 'picture')} in ${count(classes.length, 'class', 'classes')}`}>
      <Adding />
      <Report />
      {classes.length > 0 && state.adding.value === null && <Hints classes={classes} />}
      {classes.length > 0 && <div class="class-cards">{classes.map((info) => <Card key={info.id} info={info} />)}</div>}
      <NewClass />
    </Section>
  );
}

/** Drawn again only when the class itself changes. */
function Card({ info }: { readonly info: ClassInfo }) {
  return useMemo(() => <ClassCard info={info} />, [info]);
}

function Adding() {
  const adding = state.adding.value;
  return adding && <Progress label="Adding pictures" value={adding.done} max={adding.total} text={`${adding.done.toLocaleString()} of ${adding.total.toLocaleString()}`} />;
}

function NewClass() {
  const [name, setName] = useState('');
  const taken = state.classes.value.some((one) => one.name === name.trim());
  const add = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (name.trim() === '' || taken) return;
    if (await attempt(studio.addClass(name.trim())) !== undefined) setName('');
  };
  return (
    <form class="images-new" onSubmit={(event) => void add(event)}>
      <Field label="New class" error={taken ? 'There is a class of this name already.' : null}>
        {(props) => <input class="input" {...props} value={name} placeholder="What is on its pictures" maxLength={120} disabled={session.value.kind !== 'open'} onInput={(event) => setName(event.currentTarget.value)} />}
      </Field>
      <button type="submit" class="button" disabled={name.trim() === '' || taken}><PlusIcon size={18} />Add</button>
    </form>
  );
}

/** What would make training go better, or stands in its way. */
function Hints({ classes }: { readonly classes: readonly ClassInfo[] }) {
  const filled = classes.filter(({ images }) => images.length > 0);
  const [least, most] = [filled.reduce((a, b) => (b.images.length < a.images.length ? b : a), classes[0]), filled.reduce((a, b) => (b.images.length > a.images.length ? b : a), classes[0])];
  const few = filled.filter(({ images }) => images.length < 5);
  if (filled.length < 2) return <Note>Training needs pictures of at least two classes: what it should recognise, and what that is to be told from.</Note>;
  if (few.length > 0) return <Note>{few.length === 1 ? `“${few[0].name}” has` : `${few.length} classes have`} fewer than five pictures. Ten or more of each make the result reliable.</Note>;
  if (most.images.length > 4 * least.images.length) return <Note>“{most.name}” has {Math.floor(most.images.length / least.images.length)} times as many pictures as “{least.name}”. The network will lean towards it; more pictures of the others help.</Note>;
  return null;
}
