/**
 * The rules for `web/`. CommonJS, because that is what looks for packages where `NODE_PATH` says: they are installed
 * outside of the repository.
 */
const js = require("@eslint/js");
const globals = require("globals");

const UNSAFE = "Text from a server or a graph becomes markup here: use textContent, append or replaceChildren.";
const MARKUP = ["innerHTML", "outerHTML", "srcdoc", "insertAdjacentHTML", "setHTMLUnsafe", "createContextualFragment"];

module.exports = [
  {
    files: ["web/**/*.js", "web/**/*.mjs"],
    languageOptions: { ecmaVersion: 2022, sourceType: "module", globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      ...js.configs.recommended.rules,
      eqeqeq: "error",
      "no-unused-vars": ["error", { args: "after-used", caughtErrors: "all" }],
      "no-var": "error",
      "prefer-const": "error",
      "no-implicit-globals": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-script-url": "error",
      "no-restricted-globals": ["error", { name: "event", message: "Name the listener's argument." }],
      "no-restricted-properties": [
        "error",
        ...MARKUP.map((property) => ({ property, message: UNSAFE })),
        ...["write", "writeln"].map((property) => ({ object: "document", property, message: UNSAFE })),
      ],
      // The ways around: `Object.assign(box, { innerHTML: text })`.
      "no-restricted-syntax": [
        "error",
        ...MARKUP.map((name) => ({
          selector: `ObjectExpression > Property:matches([key.name="${name}"], [key.value="${name}"])`,
          message: UNSAFE,
        })),
      ],
    },
  },
];
