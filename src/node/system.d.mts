/** Types of system.mjs. */
import type { AptEntry, BackportsSource } from './aptSources.mjs';

export interface System {
  platform: string;
  arch: string;
  /** `ID` of os-release on Linux (`debian`), else empty. */
  id: string;
  /** `ID` and the words of `ID_LIKE`. */
  family: string[];
  /** `VERSION_ID` as a number; Infinity where there is none. */
  version: number;
  codename: string;
  /** As a person would call it: `Debian GNU/Linux 12 (bookworm)`. */
  name: string;
  root: boolean;
  apt: boolean;
}

export interface AptInstall {
  packages: string[];
  /** Release to take them from (`-t`), or null for APT's own choice. */
  suite: string | null;
  /** Source file to add first, or null. */
  source: BackportsSource | null;
}

export interface Route {
  install: AptInstall | null;
  command: string | null;
  why: string;
}

export interface SystemFacts {
  platform?: string;
  arch?: string;
  uid?: number;
  osRelease?: string;
  hasApt?: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export function parseOsRelease(text: string): Record<string, string>;
export function describeSystem(facts?: SystemFacts): System;
export function adapterRoute(system: System, aptEntries?: readonly AptEntry[]): Route;
export function browserRoute(system: System): Route;
export function firefoxRoute(system: System): Route;
export function browserCandidates(platform?: string, env?: Environment): string[];
export function findBrowser(platform?: string, env?: Environment): string | null;
export function firefoxCandidates(platform?: string, env?: Environment): string[];
export function findFirefox(platform?: string, env?: Environment): string | null;
export function browserFlags(platform?: string): string[];
export function firefoxPreferences(): Record<string, boolean>;
export function findSwiftshader(browser?: string | null): string | null;
