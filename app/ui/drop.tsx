/** Where files go: a place to drop them on that is also buttons to choose them with. */
import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import type { IncomingFile } from '../shared/protocol';
import { FolderIcon, UploadIcon } from './icons';
import { carriesFiles, filesOfInput, filesOfTransfer } from './incoming';
import './drop.css';

export interface FileButtonProps {
  readonly onFiles: (files: IncomingFile[]) => void;
  readonly children: ComponentChildren;
  /** As a file input's: `image/*,.zip`. */
  readonly accept?: string;
  /** Choose a folder instead of files. */
  readonly folder?: boolean;
  readonly single?: boolean;
  readonly class?: string;
  readonly label?: string;
  readonly disabled?: boolean;
}

/** A button that opens the system's file dialog. */
export function FileButton({ onFiles, children, accept, folder, single, class: name = 'button', label, disabled }: FileButtonProps) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" class={name} aria-label={label} disabled={disabled} onClick={() => input.current?.click()}>{children}</button>
      <input
        ref={input} type="file" hidden tabIndex={-1} aria-hidden="true" accept={accept} multiple={!single}
        {...(folder && { webkitdirectory: true })}
        onChange={(event) => {
          const files = filesOfInput(event.currentTarget);
          event.currentTarget.value = ''; // so that the same choice counts again
          if (files.length > 0) onFiles(files);
        }}
      />
    </>
  );
}

export interface DropOptions {
  readonly accepts: (transfer: DataTransfer) => boolean;
  /** In the event's handler: what the transfer carries is gone when it returns. */
  readonly onDrop: (transfer: DataTransfer) => void;
}

/** Makes an element one to drop on: spread `handlers` on it. `over` while something hovers over it that it would take. */
export function useDrop({ accepts, onDrop }: DropOptions) {
  const [over, setOver] = useState(false);
  const depth = useRef(0); // entering a child leaves the parent
  const taken = ({ dataTransfer }: DragEvent): DataTransfer | null => (dataTransfer && accepts(dataTransfer) ? dataTransfer : null);
  const move = (by: 1 | -1) => (event: DragEvent): void => {
    if (!taken(event)) return;
    depth.current = Math.max(0, depth.current + by);
    setOver(depth.current > 0);
  };
  const handlers = {
    onDragEnter: move(1),
    onDragLeave: move(-1),
    onDragOver: (event: DragEvent): void => { if (taken(event)) event.preventDefault(); },
    onDrop: (event: DragEvent): void => {
      depth.current = 0;
      setOver(false);
      const transfer = taken(event);
      if (!transfer || event.defaultPrevented) return;
      event.preventDefault(); // also tells the areas around this one that it is done
      onDrop(transfer);
    },
  };
  return { over, handlers };
}

export interface DropZoneProps {
  readonly onFiles: (files: IncomingFile[]) => void;
  /** What may be dropped: `Drop pictures, a folder or a zip here`. */
  readonly title: ComponentChildren;
  readonly hint?: ComponentChildren;
  readonly accept?: string;
  /** Offer to choose a folder, too. */
  readonly folder?: boolean;
  readonly single?: boolean;
  /** On the button. Default `Choose files`. */
  readonly button?: string;
  readonly compact?: boolean;
  /** More buttons. */
  readonly children?: ComponentChildren;
}

/** A framed area to drop on, with buttons for those who do not drag. */
export function DropZone({ onFiles, title, hint, accept, folder, single, button = 'Choose files', compact, children }: DropZoneProps) {
  const { over, handlers } = useDrop({
    accepts: carriesFiles,
    onDrop: (transfer) => void filesOfTransfer(transfer).then((files) => { if (files.length > 0) onFiles(files); }),
  });
  return (
    <div class={`drop-zone${compact ? ' compact' : ''}${over ? ' drop-over' : ''}`} {...handlers}>
      <span class="drop-icon"><UploadIcon size={compact ? 20 : 28} /></span>
      <div class="drop-words">
        <p class="drop-title">{title}</p>
        {hint !== undefined && <p class="quiet">{hint}</p>}
      </div>
      <div class="row">
        <FileButton onFiles={onFiles} accept={accept} single={single}>{button}</FileButton>
        {folder && <FileButton onFiles={onFiles} folder><FolderIcon size={18} />Choose a folder</FileButton>}
        {children}
      </div>
    </div>
  );
}
