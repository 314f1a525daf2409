/** Icons drawn for these pages: strokes on a grid of 24, in the colour of the text around them, hidden from screen readers. */
import type { JSX } from 'preact';

export interface IconProps {
  /** Pixels; default 20. */
  readonly size?: number;
}

export type IconComponent = (props: IconProps) => JSX.Element;

/** An icon of one path. */
function icon(path: string): IconComponent {
  return ({ size = 20 }) => (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">
      <path d={path} />
    </svg>
  );
}

export const PlusIcon = icon('M12 5v14M5 12h14');
export const MinusIcon = icon('M5 12h14');
export const CloseIcon = icon('M6 6l12 12M18 6L6 18');
export const CheckIcon = icon('M5 12.5l4.5 4.5L19 7.5');
export const ChevronDownIcon = icon('M6 9.5l6 6 6-6');
export const ChevronRightIcon = icon('M9.5 6l6 6-6 6');
export const ArrowRightIcon = icon('M5 12h14M13 6l6 6-6 6');
export const MoreIcon = icon('M5.5 12h.01M12 12h.01M18.5 12h.01');
export const TrashIcon = icon('M4.5 7h15M10 7V4.5h4V7M6.5 7l.8 12.5h9.4L17.5 7M10.2 10.5v5.5M13.8 10.5v5.5');
export const PencilIcon = icon('M4.5 19.5l1-4L16 5l3 3L8.5 18.5zM13.5 7.5l3 3');
export const FolderIcon = icon('M3.5 18.5v-12h6l2 2.5h9v9.5z');
export const ImageIcon = icon('M4 5h16v14H4zM4 16l4.5-4.5 4 4 2.5-2.5 5 5M15.5 9h.01');
export const CameraIcon = icon('M3.5 8h4l1.5-2.5h6L16.5 8h4v11h-17zM12 16.5a3.25 3.25 0 1 0 0-6.5 3.25 3.25 0 0 0 0 6.5z');
export const DownloadIcon = icon('M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 19.5h14');
export const UploadIcon = icon('M12 15.5V4.5M7.5 9L12 4.5 16.5 9M5 19.5h14');
export const PlayIcon = icon('M8 5.5v13l10.5-6.5z');
export const PauseIcon = icon('M8.5 6v12M15.5 6v12');
export const StopIcon = icon('M7 7h10v10H7z');
export const SunIcon = icon('M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M18.4 5.6l-1.1 1.1M6.7 17.3l-1.1 1.1');
export const MoonIcon = icon('M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z');
export const MonitorIcon = icon('M3.5 5h17v11h-17zM9 20h6M12 16v4');
export const WarningIcon = icon('M12 4.5l8.5 15h-17zM12 10v4.5M12 17h.01');
export const InfoIcon = icon('M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM12 11v5M12 8h.01');
export const UndoIcon = icon('M8 5L4 9l4 4M4 9h10a5.5 5.5 0 0 1 0 11h-4');
export const ChipIcon = icon('M7 7h10v10H7zM10 3.5V7M14 3.5V7M10 17v3.5M14 17v3.5M3.5 10H7M3.5 14H7M17 10h3.5M17 14h3.5');
export const StackIcon = icon('M12 4l8.5 4.5L12 13 3.5 8.5zM4.5 13L12 17l7.5-4M4.5 16.8l7.5 4 7.5-4');
export const LockIcon = icon('M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3');
