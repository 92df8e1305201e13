import js from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['lib', 'node_modules', 'src/generated', '.yarn'] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    files: ['src/**/*.ts'],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      // JupyterLab's own way to name commands.
      '@typescript-eslint/no-namespace': 'off',
      eqeqeq: 'error',
    },
  },
  { files: ['scripts/**', 'tests/**'], languageOptions: { globals: { process: 'readonly', console: 'readonly' } } },
);
