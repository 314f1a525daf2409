/** SwiftShader, the software adapter inside Chromium. Made by scripts/shipChoices.mjs from measurements; do not edit. */
import type { ShippedTable } from '../shipped';

export const SWIFTSHADER: ShippedTable = {
  'conv2d n1 16x16 w3x3x64x64 s1,1 p1,1 d1,1 g1': 'winograd 2x2',
  'conv2d n1 4x4 w3x3x256x256 s1,1 p1,1 d1,1 g1': 'registers l1 v1 c8 r8 s1',
  'conv2d n1 8x8 w3x3x128x128 s1,1 p1,1 d1,1 g1': 'winograd 2x2',
  'conv2d_backward_input n1 16x16 w3x3x64x64 s1,1 p1,1 d1,1 g1': 'winograd 4x4',
  'conv2d_backward_input n1 2x2 w3x3x512x512 s1,1 p1,1 d1,1 g1': 'winograd 2x2',
  'conv2d_backward_input n1 7x7 w3x3x512x512 s1,1 p1,1 d1,1 g1': 'registers l1 v1 c8 r8 s1',
  'conv2d_backward_weight n1 16x16 w3x3x64x64 s1,1 p1,1 d1,1 g1': 'winograd 2x2',
  'conv2d_backward_weight n1 7x7 w3x3x512x512 s1,1 p1,1 d1,1 g1': 'winograd 4x4',
  'conv2d_backward_weight n32 2x2 w3x3x256x256 s1,1 p1,1 d1,1 g1': 'winograd 2x2',
  'matmul NT b1 m32 n1024 k256': 'across l1 v1 c8 r8 s1',
  'matmul TN b16 m512 n512 k1': 'registers l1 v4 c1 r8 s1',
};
