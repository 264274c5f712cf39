import eslint from '@eslint/js';
import globals from 'globals';
import tseslint from 'typescript-eslint';

/** Directions of DESIGN section 3: what each room may import from the others. */
const rooms = {
  api: [],
  formats: ['api'],
  postgres: ['api', 'formats'],
  repository: ['api', 'formats'],
  configuration: ['api', 'postgres'],
  engine: ['api', 'formats', 'postgres', 'repository'],
  hba: ['api'],
  language: ['api', 'hba'],
  jobs: ['api', 'formats', 'postgres', 'repository', 'configuration', 'engine'],
  agent: ['api', 'formats', 'postgres', 'repository', 'configuration', 'engine', 'jobs'],
  cli: ['api', 'formats', 'postgres', 'repository', 'configuration', 'engine', 'hba', 'jobs', 'agent'],
};

const directionRules = Object.entries(rooms).map(([room, allowed]) => ({
  files: [`server/src/${room}/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            group: Object.keys(rooms)
              .filter((other) => other !== room && !allowed.includes(other))
              .map((other) => `**/${other}/**`),
            message: `server/src/${room} may import only: ${[room, ...allowed].join(', ')} (DESIGN.md section 3).`,
          },
          { group: ['vscode', '**/client/**', '**/test/**'], message: 'The server knows neither editor nor tests.' },
          ...(room === 'postgres'
            ? []
            : [{ group: ['pg', 'pg-*'], message: 'Only server/src/postgres talks to PostgreSQL.' }]),
        ],
      },
    ],
  },
}));

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.pointback/'] },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true, named: true, defaultFrom: true } }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { ignoreRestSiblings: true, argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/prefer-nullish-coalescing': 'error',
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
    },
  },
  // One table of facts, which a split would only hide.
  { files: ['server/src/api/errorTable.ts'], rules: { 'max-lines': 'off' } },
  { files: ['**/*.mjs'], languageOptions: { globals: globals.node } },
  {
    files: ['test/**/*.ts'],
    rules: {
      // node:test's functions return promises that the runner itself awaits.
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', package: 'node:test', name: ['test', 'describe', 'it', 'suite'] },
          ],
        },
      ],
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  ...directionRules,
);
