// `npm run build`: bundles what is shipped into dist/, or into the directory named.
import { build } from 'esbuild';

await build({
  // A job is a process of its own, which the others start by the name of its file beside them.
  entryPoints: { cli: 'server/src/cli.ts', jobProcess: 'server/src/jobs/jobProcess.ts' },
  outdir: process.argv[2] ?? 'dist',
  absWorkingDir: import.meta.dirname,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node22.15',
  // ECMAScript modules where a package has both: jsonc-parser's other form cannot be bundled.
  mainFields: ['module', 'main'],
  sourcemap: true,
  logLevel: 'warning',
  // pg's own optional parts: its native driver and the sockets of another platform. Neither is ever loaded here.
  external: ['pg-native', 'cloudflare:sockets'],
  // pg is CommonJS and asks for Node's modules with `require`, which ECMAScript modules do not have.
  banner: {
    js: "import { createRequire as createRequireOfBundle } from 'node:module';\nconst require = createRequireOfBundle(import.meta.url);",
  },
});
