/** Mesa's lavapipe, a software adapter on Linux. Made by scripts/shipChoices.mjs from measurements; do not edit. */
import type { ShippedTable } from '../shipped';

export const LAVAPIPE: ShippedTable = {
  'conv2d n1 14x14 w1x1x1024x2048 s2,2 p0,0 d1,1 g1': 'registers l8 v4 c2 r8 s2',
  'conv2d n1 14x14 w3x3x512x512 s2,2 p1,1 d1,1 g1': 'registers l8 v4 c2 r16 s2',
  'conv2d n1 28x28 w1x1x512x1024 s2,2 p0,0 d1,1 g1': 'registers l8 v4 c2 r16 s2',
  'conv2d n1 7x7 w1x1x2048x512 s1,1 p0,0 d1,1 g1': 'registers l8 v4 c2 r8 s2',
  'conv2d_backward_input n1 7x7 w1x1x512x2048 s1,1 p0,0 d1,1 g1': 'registers l8 v4 c2 r16 s2',
  'conv2d_backward_input n1 7x7 w3x3x512x512 s1,1 p1,1 d1,1 g1': 'winograd 2x2',
  'conv2d_backward_weight n1 14x14 w3x3x256x256 s1,1 p1,1 d1,1 g1': 'registers l8 v4 c2 r24 s2',
  'conv2d_backward_weight n1 14x14 w3x3x256x512 s2,2 p1,1 d1,1 g1': 'registers l8 v4 c2 r24 s1',
  'conv2d_backward_weight n1 14x14 w3x3x512x512 s2,2 p1,1 d1,1 g1': 'registers l8 v4 c2 r24 s1',
  'conv2d_backward_weight n1 28x28 w1x1x128x256 s2,2 p0,0 d1,1 g1': 'registers l8 v1 c4 r16 s2',
  'conv2d_backward_weight n1 28x28 w1x1x128x512 s1,1 p0,0 d1,1 g1': 'registers l8 v4 c2 r16 s2',
  'conv2d_backward_weight n1 7x7 w1x1x512x2048 s1,1 p0,0 d1,1 g1': 'registers l8 v4 c2 r24 s1',
  'matmul NN b1 m224 n512 k1024': 'registers l8 v4 c2 r16 s2',
  'matmul NT b1 m56 n512 k2048': 'registers l8 v4 c2 r16 s2',
  'matmul TN b40 m512 n512 k4': 'registers l8 v4 c2 r24 s1',
};
