/** Mesa's lavapipe, Graft's software adapter on Linux. Made by scripts/shipChoices.mjs from measurements; do not edit. */
import type { ShippedTable } from '../shipped';

export const LAVAPIPE: ShippedTable = {};
