/** The head of every page: name, ways to the other pages, the device, and light or dark. */
import type { ComponentChildren } from 'preact';
import { ChipIcon, MonitorIcon, MoonIcon, SunIcon } from './icons';
import { Segmented } from './segmented';
import { setTheme, theme, type Theme } from './theme';
import './header.css';

const PAGES = [
  { page: 'studio', label: 'Studio', href: './index.html' },
  { page: 'bench', label: 'Benchmark', href: './bench.html' },
  { page: 'validate', label: 'Validate', href: './validate.html' },
] as const;

export interface HeaderProps {
  readonly page: (typeof PAGES)[number]['page'];
  /** What computes, in a few words: a `DeviceChip`. */
  readonly device?: ComponentChildren;
}

export function Header({ page, device }: HeaderProps) {
  return (
    <>
      <a class="skip-link" href="#main">Skip to the content</a>
      <header class="header">
        <a class="header-name" href="./index.html" aria-label="Graft, to the studio"><Wordmark /></a>
        <nav class="header-pages" aria-label="Pages">
          {PAGES.map((one) => <a key={one.page} href={one.href} aria-current={one.page === page ? 'page' : undefined}>{one.label}</a>)}
        </nav>
        <div class="header-end">
          {device}
          <ThemeSwitch />
        </div>
      </header>
    </>
  );
}

export interface DeviceChipProps {
  /** `NVIDIA ampere`, `no WebGPU`. */
  readonly label: string;
  /** More, on hover and for screen readers. */
  readonly title?: string;
  readonly kind?: 'fine' | 'warn' | 'wrong' | 'waiting';
}

export function DeviceChip({ label, title, kind = 'fine' }: DeviceChipProps) {
  return (
    <span class={`device-chip ${kind}`} title={title}>
      <ChipIcon size={16} /><span class="hidden-text">Computes on: </span><span class="device-chip-label">{label}</span>
      {title !== undefined && <span class="hidden-text">. {title}</span>}
    </span>
  );
}

function ThemeSwitch() {
  return (
    <Segmented<Theme>
      legend="Colours" hideLegend small value={theme.value} onChange={setTheme}
      options={[
        { value: 'light', label: <SunIcon size={16} />, spoken: 'Light' },
        { value: 'dark', label: <MoonIcon size={16} />, spoken: 'Dark' },
        { value: 'system', label: <MonitorIcon size={16} />, spoken: 'As the system' },
      ]}
    />
  );
}

/** A graft: a scion's cut end set into the cleft of a stock, and the name. */
function Wordmark() {
  return (
    <>
      <svg class="header-mark" width="26" height="26" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
        <path d="M16 30V20L9.5 13.5V8" fill="none" stroke="var(--quiet)" stroke-width="4.5" stroke-linecap="round" stroke-linejoin="round" />
        <path d="M18.5 17.5L23 13V3" fill="none" stroke="var(--accent)" stroke-width="4.5" stroke-linecap="round" stroke-linejoin="round" />
      </svg>
      <span>Graft</span>
    </>
  );
}
