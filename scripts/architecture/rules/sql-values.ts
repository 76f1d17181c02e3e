// Values go to the database as parameters. What is put into a statement's text, by whatever way it comes together before it is
// handed over, is the program's own: constants, fragments made of them, names that were quoted, the number of a parameter. Whatever
// else stands in one is in the list below, with what makes it safe.
import ts from "typescript";
import { isTest, lineOf, walk, type Project, type Rule, type SourceFile, type Violation } from "../project";
import { literalsOf, looksLikeSql } from "../sql";
import { textParts } from "../text-parts";

/** By file and expression, as it is written there. None of them is of a request. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  // Names of settings and numbers, made whole in `limit`; the role is one word that the boot check knows.
  "db/scope.ts": [
    'limit("statement_timeout", statementTimeoutMs)',
    'limit("lock_timeout", cfg.db.lockTimeoutMs)',
    'limit("idle_in_transaction_session_timeout", cfg.db.idleInTransactionTimeoutMs)',
    "role",
  ],
  // The same names as of the page below.
  "auth/store/account-life.ts": ['holds.join(" ")'],
  // Names of tables and columns that the rooms declare when they are loaded (`declareExport`); the page's key is a parameter.
  "db/tenant-export-page.ts": [
    'added.join("")',
    "weight",
    "ordered",
    "name",
    'joined?.sql ?? ""',
    "tenantColumn",
    'within === undefined ? "" : ` and ${within}`',
    'goesOn ? ` and (${ordered}) > (${from.join(", ")})` : ""',
    "shown.map((column) => `'${column}', ${column}`).join(\", \")",
    'keys.map((key) => `${key}::text`).join(", ")',
    "text",
  ],
  // A store's own statement.
  "db/uniform-read.ts": ["select"],
  // Names of the two tables of dead letters, which their stores hand over when they are loaded; filters push their values as parameters.
  "events/store/dead-letter-table.ts": [
    ...["destination", "aggregateType", "aggregateId", "type", "version", "headers", "occurredAt"],
    ...["table", "whose", "selected(columns)", "selected(owners)", "filterConditions(filter, shown, params)"],
    ...['Object.values(all).join(", ")', 'places.join(", ")', "outboxInsertOf(names)"],
  ],
  // One of two conditions, by whether there is a tenant.
  "idempotency/store.ts": ["named(name)"],
  // Quoted names and types of the database's own catalogue, to which a backup's tables were held before; rows are parameters.
  "runtime/backup/clear-database.ts": ["statement"], // the database's format(), with names quoted
  "runtime/backup/database-session.ts": ["sql", "begin"], // of the files beside it, which are looked at
  "runtime/backup/dump-database.ts": ['tables.map(quoteQualified).join(", ")'],
  "runtime/backup/load-database.ts": [
    ...['tables.map(quoteQualified).join(", ")', "names", 'values.join(", ")', "lists", "aliases", "sql"],
  ],
  "runtime/backup/table-rows.ts": ["list"],
  // Of database-rules.ts, which is looked at.
  "runtime/doctor/databases.ts": ["sql"],
  // A path in the person's own terminal, with its quotes doubled.
  "runtime/commands/sql.ts": ["literal(table)"],
  // Two names that the engine has as constants, and a database's, with its quotes doubled.
  "runtime/infra/embedded/engine.ts": [
    ...["appName", "ownerName", 'identity === "app" ? appName : ownerName'],
    "name.replaceAll('\"', '\"\"')",
  ],
  // What the server itself said, with its quotes doubled.
  "runtime/infra/embedded/session-settings.ts": ["literal(name)", "literal(value)", "literal(role)"],
  // A hash in hexadecimal of the statements that follow, and those.
  "runtime/pubsub/postgres-schema.ts": ["fingerprint", "brokerStatements"],
  // One of two conditions, by whether an action is given.
  "audit/store.ts": ["listOf(action)", "listOf(undefined)"],
  // What a room's own gauge asks, from its store.
  "events/start.ts": ["statement"],
  "queues/start.ts": ["jobDeadLetters.depth"],
  // Put together of plain texts, which are looked at when they are joined.
  "vectors/store/search.ts": ["text"],
  // The host's own schema.
  "runtime/cron/postgres-ledger.ts": ["createHostSchema"],
  // A breaker's `execute`, not a database's.
  "services/ai/providers/breakers.ts": ["attempt"],
  // Where statements come through from others, in whose files they are looked at.
  "db/transaction.ts": ["text"],
  "db/listing/ask.ts": ["text"],
  "runtime/infra/database-url.ts": ["sql"],
  "runtime/sql/lane.ts": ["sql"],
  "runtime/sql/native-classes.ts": ["query", "sql"],
  // What a person gave: a migration's file, a script of their own terminal.
  "runtime/infra/migrations.ts": ["migration.sql()"],
  "runtime/commands/sql-session.ts": ["sql"],
};

/** Methods whose first argument, and functions whose second, is a statement, however it begins. */
const STATEMENT_FIRST = new Set(["query", "execute", "executeLater"]);
const STATEMENT_SECOND = new Set(["tenantQuery", "systemQuery"]);
/** What is handed to the driver instead of a text, and sends texts that were looked at where they were written. */
const SUBMITTED = new Set(["PipelinedStatements", "SessionReset", "Statement"]);
const CONSTANT = /^[A-Z][A-Z0-9_]*$/;
/** It makes a name of whatever it gets. */
const QUOTING = new Set(["quoteIdentifier", "quoteQualified"]);
/** It refuses, when it runs, whatever is not the program's own (db/plain-statement.ts). */
const REFUSING = new Set(["joinPlain", "plainSql"]);

/** A name that the file imports or declares at its top. */
function isOfFile(name: ts.Identifier): boolean {
  const { statements } = name.getSourceFile();
  return statements.some((statement) => {
    if (ts.isFunctionDeclaration(statement)) return statement.name?.text === name.text;
    if (ts.isVariableStatement(statement))
      return statement.declarationList.declarations.some((declared) => declared.name.getText() === name.text);
    if (!ts.isImportDeclaration(statement)) return false;
    const named = statement.importClause?.namedBindings;
    return named !== undefined && ts.isNamedImports(named) && named.elements.some((one) => one.name.text === name.text);
  });
}

/** What `import * as name` brought. */
function isModule(node: ts.Expression): boolean {
  return node
    .getSourceFile()
    .statements.some(
      (statement) =>
        ts.isImportDeclaration(statement) &&
        statement.importClause?.namedBindings !== undefined &&
        ts.isNamespaceImport(statement.importClause.namedBindings) &&
        statement.importClause.namedBindings.name.text === node.getText(),
    );
}

/** Whether what comes out is the same at every run, or the number of a parameter: nothing of a request stands in it. */
function isOwn(node: ts.Expression): boolean {
  if (ts.isStringLiteralLike(node) || ts.isNumericLiteral(node)) return true;
  if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node)) return isOwn(node.expression);
  if (ts.isTemplateExpression(node)) return node.templateSpans.every((span) => isOwn(span.expression));
  if (ts.isConditionalExpression(node)) return isOwn(node.whenTrue) && isOwn(node.whenFalse);
  if (ts.isBinaryExpression(node)) return isOwn(node.left) && isOwn(node.right);
  if (ts.isObjectLiteralExpression(node))
    return node.properties.every((property) => ts.isPropertyAssignment(property) && isOwn(property.initializer));
  return isOwnName(node) || isOwnMaking(node);
}

/** A constant of the file's, of a module's, or what is kept in one. */
function isOwnName(node: ts.Expression): boolean {
  if (ts.isIdentifier(node)) return CONSTANT.test(node.text) && isOfFile(node);
  if (!ts.isPropertyAccessExpression(node)) return false;
  return isOwn(node.expression) || (CONSTANT.test(node.name.text) && isModule(node.expression));
}

function isOwnMaking(node: ts.Expression): boolean {
  if (ts.isTaggedTemplateExpression(node)) return REFUSING.has(node.tag.getText());
  if (ts.isNewExpression(node)) return SUBMITTED.has(node.expression.getText());
  return ts.isCallExpression(node) && isOwnCall(node);
}

function isOwnCall({ expression, arguments: given }: ts.CallExpression): boolean {
  // The new length: what is pushed is a parameter.
  if (expression.getText() === "params.push") return true;
  // A number, whatever it is made of.
  if (["Math.round", "Math.trunc"].includes(expression.getText())) return true;
  if (!ts.isIdentifier(expression)) return false;
  return QUOTING.has(expression.text) || REFUSING.has(expression.text) || (isOfFile(expression) && given.every(isOwn));
}

/** The argument of a call that is a statement; undefined for every other call. */
function statementOf({ expression: called, arguments: given }: ts.CallExpression): ts.Expression | undefined {
  if (ts.isPropertyAccessExpression(called)) return STATEMENT_FIRST.has(called.name.text) ? given[0] : undefined;
  return ts.isIdentifier(called) && STATEMENT_SECOND.has(called.text) ? given[1] : undefined;
}

/** What is put into the texts of a file that read like statements, and into whatever is handed over as one. */
function partsOf(source: SourceFile): Set<ts.Expression> {
  const parts = literalsOf(source).flatMap(({ node, text }) =>
    ts.isTemplateExpression(node) && looksLikeSql(text) ? node.templateSpans.map((span) => span.expression) : [],
  );
  walk(source.ast, (node) => {
    if (ts.isCallExpression(node)) parts.push(...textParts(statementOf(node)));
    if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.PlusToken) return;
    let first: ts.Expression = node.left;
    while (ts.isBinaryExpression(first)) first = first.left;
    if (ts.isStringLiteralLike(first) && looksLikeSql(first.text)) parts.push(node.right);
  });
  return new Set(parts);
}

/** An entry that stands for nothing any more would let the next one in. */
function unusedOf(source: SourceFile, found: readonly string[]): Violation[] {
  const unused = (ALLOWED[source.path] ?? []).filter((text) => !found.includes(text));
  return unused.map((text) => ({
    rule: "sql-values",
    file: source.path,
    line: 1,
    message: `no longer puts ${text} into a statement's text: take it off the list of scripts/architecture/rules/sql-values.ts`,
  }));
}

function check(project: Project): Violation[] {
  const shipped = [...project.sources.values()].filter(({ path }) => !isTest(path) && !/^(bench|scripts)\//.test(path));
  return shipped.flatMap((source) => {
    const foreign = [...partsOf(source)]
      .filter((part) => !isOwn(part))
      .map((part) => ({ part, text: part.getText().replace(/\s+/g, " ") }));
    const refused = foreign.filter(({ text }) => ALLOWED[source.path]?.includes(text) !== true);
    return [
      ...refused.map(({ part, text }) => ({
        rule: "sql-values",
        file: source.path,
        line: lineOf(source.ast, part),
        message: `puts ${text.slice(0, 60)} into a statement's text: hand it over as a parameter ($1)`,
      })),
      ...unusedOf(
        source,
        foreign.map(({ text }) => text),
      ),
    ];
  });
}

export const sqlValues: Rule = {
  name: "sql-values",
  promise: "values are parameters of statements, not parts of their text",
  check,
};
