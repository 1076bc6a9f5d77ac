// The data sets by name.

import type { DataName } from '../train/choices.js';
import type { DataSet } from '../../models/dataset.js';
import { loadFashionMnist } from './fashion-mnist.js';
import { loadMnist } from './mnist.js';
import { loadMobyDick } from './moby-dick.js';

const LOADERS = {
  mnist: loadMnist,
  'fashion-mnist': loadFashionMnist,
  'moby-dick': loadMobyDick,
} as const satisfies Record<DataName, unknown>;

/** Reads and verifies a data set; throws a RunError that names the file and what to do. */
export function loadData(
  name: DataName,
  folder: string | undefined,
  warn: (message: string) => void,
): Promise<DataSet> {
  return LOADERS[name](folder, warn);
}
