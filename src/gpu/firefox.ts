/** Whether this is Firefox, whose WebGPU is wgpu: its compiler, naga, and its waiting need help that no feature or limit tells of. */
export const IN_FIREFOX = typeof navigator !== 'undefined' && /\bFirefox\//.test(navigator.userAgent ?? '');
