// Fashion-MNIST: 60,000 + 10,000 pictures of clothes (Xiao, Rasul, Vollgraf, arXiv 1708.07747), from
// Debian's package dataset-fashion-mnist or a folder of the same four IDX files.

import type { ImageSet } from '../../models/dataset.js';
import { readImageFolder } from './image-folder.js';

const DEBIAN_FOLDER = '/usr/share/datasets/fashion-mnist';
const REMEDY =
  'On Debian and Ubuntu: apt-get install dataset-fashion-mnist; elsewhere give a folder with its four IDX files (raw or .gz): --data-dir DIR';

const SHA256 = {
  trainImages: 'c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888',
  trainLabels: 'bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9',
  testImages: '5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b',
  testLabels: '0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34',
} as const;

/** Reads Fashion-MNIST from `folder`, or from where Debian puts it. */
export function loadFashionMnist(
  folder: string | undefined,
  warn: (message: string) => void,
): Promise<ImageSet> {
  const path = folder ?? DEBIAN_FOLDER;
  return readImageFolder(
    { name: 'fashion-mnist', path, sha256: SHA256, chosen: folder !== undefined, remedy: REMEDY },
    warn,
  );
}
