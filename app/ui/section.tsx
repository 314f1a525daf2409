/** A titled card of a page. */
import type { ComponentChildren } from 'preact';
import './section.css';

export interface SectionProps {
  /** Of the element, for links. */
  readonly id: string;
  readonly title: string;
  /** A sentence under the title. */
  readonly lead?: ComponentChildren;
  /** Beside the title, at the other end. */
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
}

export function Section({ id, title, lead, actions, children }: SectionProps) {
  return (
    <section class="section" id={id} aria-labelledby={`${id}-title`}>
      <header class="section-head">
        <div>
          <h2 id={`${id}-title`} tabIndex={-1}>{title}</h2>
          {lead !== undefined && <p class="quiet">{lead}</p>}
        </div>
        {actions !== undefined && <div class="row">{actions}</div>}
      </header>
      {children}
    </section>
  );
}
