/**
 * What the modules of `web/` say, read from their syntax trees: JSON on stdout, by module. Run by `tests/unit/web`.
 *
 *     node messages.cjs <file> ...
 *
 * strings     every string, also one in backticks without a gap
 * templates   every text in backticks with gaps, as it is written
 * calls       name of the function -> for each call the strings and templates of its first argument; what is compared with
 *             is left out
 * arrays      strings in the array of a constant, or (".map") in those that are mapped
 * registered  id -> label or name of each object that has both
 */
const fs = require("node:fs");
const espree = require("espree");
const { KEYS } = require("eslint-visitor-keys");

/** Calls `visit` for a node and all below it, until it returns false. */
function walk(node, visit) {
  if (!node || visit(node) === false) return;
  for (const key of KEYS[node.type] ?? []) {
    for (const child of [node[key]].flat()) walk(child, visit);
  }
}

const isString = (node) => node?.type === "Literal" && typeof node.value === "string";

/** An object without names of its own: a function may be called toString. */
const table = () => Object.create(null);

function textsIn(node, code) {
  const found = { strings: [], templates: [] };
  walk(node, (each) => {
    if (each.type === "BinaryExpression" && /^[=!]==$/.test(each.operator)) return false;
    if (isString(each)) found.strings.push(each.value);
    if (each.type === "TemplateLiteral") {
      if (each.expressions.length) found.templates.push(code.slice(each.start + 1, each.end - 1));
      else found.strings.push(each.quasis[0].value.cooked);
    }
  });
  return found;
}

function labelled(node) {
  const value = (name) => node.properties.find((each) => each.key?.name === name)?.value;
  const [id, label] = [value("id"), value("label") ?? value("name")];
  return isString(id) && isString(label) ? [id.value, label.value] : undefined;
}

function read(file) {
  const code = fs.readFileSync(file, "utf8");
  const tree = espree.parse(code, { ecmaVersion: "latest", sourceType: "module" });
  const found = { strings: [], templates: [], calls: table(), arrays: table(), registered: table() };
  const strings = (array) => array.elements.filter(isString).map((each) => each.value);
  walk(tree, (node) => {
    if (isString(node)) found.strings.push(node.value);
    if (node.type === "TemplateLiteral") {
      if (node.expressions.length) found.templates.push(code.slice(node.start + 1, node.end - 1));
      else found.strings.push(node.quasis[0].value.cooked);
    }
    if (node.type === "CallExpression" && node.callee.type === "Identifier" && node.arguments.length) {
      (found.calls[node.callee.name] ??= []).push(textsIn(node.arguments[0], code));
    }
    if (node.type === "CallExpression" && node.callee.property?.name === "map" && node.callee.object.type === "ArrayExpression") {
      (found.arrays[".map"] ??= []).push(strings(node.callee.object));
    }
    if (node.type === "VariableDeclarator" && node.init?.type === "ArrayExpression") {
      (found.arrays[node.id.name] ??= []).push(strings(node.init));
    }
    if (node.type === "ObjectExpression") {
      const entry = labelled(node);
      if (entry) found.registered[entry[0]] = entry[1];
    }
  });
  return found;
}

process.stdout.write(JSON.stringify(Object.fromEntries(process.argv.slice(2).map((file) => [file, read(file)]))));
