/** SwiftShader, the software adapter inside Chromium. Made by scripts/shipChoices.mjs from measurements; do not edit. */
import type { ShippedTable } from '../shipped';

export const SWIFTSHADER: ShippedTable = {};
