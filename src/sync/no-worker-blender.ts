/**
 * `#worker-blender` where there are no Node threads: a browser. The same exports as
 * worker-blender.ts.
 */
import { type Blender, type BlenderOptions, InlineBlender } from './blender.js';

export function createBlender(_options: BlenderOptions): Blender {
  return new InlineBlender();
}

export function defaultWorkers(): number {
  return 0;
}
