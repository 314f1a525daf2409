/** SwiftShader, the software adapter inside Chromium. Made by scripts/shipChoices.mjs from measurements; do not edit. */
import type { ShippedTable } from '../shipped';

export const SWIFTSHADER: ShippedTable = {
  'conv2d n1 16x16 w3x3x64x64 s1,1 p1,1 d1,1 g1': 'winograd 4x4',
  'conv2d n1 4x4 w3x3x256x256 s1,1 p1,1 d1,1 g1': 'winograd 2x2',
  'conv2d n1 8x8 w3x3x128x128 s1,1 p1,1 d1,1 g1': 'winograd 4x4',
  'conv2d_backward_input n1 16x16 w3x3x64x64 s1,1 p1,1 d1,1 g1': 'winograd 4x4',
  'conv2d_backward_input n1 4x4 w3x3x256x256 s1,1 p1,1 d1,1 g1': 'winograd 2x2',
  'conv2d_backward_input n1 8x8 w3x3x128x128 s1,1 p1,1 d1,1 g1': 'winograd 4x4',
  'conv2d_backward_weight n1 16x16 w3x3x64x64 s1,1 p1,1 d1,1 g1': 'winograd 4x4',
};
