// Bundles a program for Node: node bundle.mjs BUNDLER PROGRAM OUTPUT EXTERNALS (a regular expression of what stays an
// import). A process of its own, as bundlers are used.
import { basename, dirname } from 'node:path';

const [, , bundler, program, outfile, externals] = process.argv;
const isExternal = (id) => new RegExp(externals).test(id);

const withEsbuild = async (format) => {
  const { build } = await import('esbuild');
  const plugin = {
    name: 'externals',
    setup(build) {
      build.onResolve({ filter: new RegExp(externals) }, () => ({ external: true }));
    },
  };
  await build({
    entryPoints: [program],
    bundle: true,
    platform: 'node',
    format,
    outfile,
    logLevel: 'silent',
    plugins: [plugin],
  });
};

const BUNDLERS = {
  'esbuild-cjs': () => withEsbuild('cjs'),
  'esbuild-esm': () => withEsbuild('esm'),

  async webpack() {
    const { default: webpack } = await import('webpack');
    const compiler = webpack({
      entry: program,
      target: 'node20',
      mode: 'development',
      devtool: false,
      externalsType: 'import',
      externals: [({ request }, give) => give(null, isExternal(request) ? request : undefined)],
      output: { path: dirname(outfile), filename: basename(outfile) },
    });
    await new Promise((done, fail) => {
      compiler.run((error, stats) => {
        const [first] = stats?.toJson({ all: false, errors: true }).errors ?? [];
        if (error ?? first) fail(error ?? new Error(first.message));
        else done();
      });
    });
  },

  async rollup() {
    const { rollup } = await import('rollup');
    const { default: resolve } = await import('@rollup/plugin-node-resolve');
    const { default: commonjs } = await import('@rollup/plugin-commonjs');
    const json = {
      name: 'json',
      transform: (code, id) => (id.endsWith('.json') ? `export default ${code}` : null),
    };
    const bundle = await rollup({
      input: program,
      external: isExternal,
      plugins: [resolve({ exportConditions: ['node'], preferBuiltins: true }), json, commonjs()],
      onwarn: () => {},
    });
    await bundle.write({ file: outfile, format: 'es', inlineDynamicImports: true });
  },

  async vite() {
    const { build } = await import('vite');
    await build({
      root: dirname(program),
      configFile: false,
      logLevel: 'silent',
      ssr: { noExternal: true },
      build: {
        ssr: program,
        outDir: dirname(outfile),
        emptyOutDir: false,
        rollupOptions: { external: isExternal, output: { entryFileNames: basename(outfile) } },
      },
    });
  },
};

await BUNDLERS[bundler]();
